package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is whom the programs run as: nobody that a node knows, by number, so that runAsNonRoot can be checked.
const user = "65532:65532"

// assemble makes an image for all platforms out of what was built for each.
func assemble(r release, parts []built) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, part := range parts {
		image, err := assembleOne(r, part)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &part.platform}})
	}
	return mutate.Annotations(index, r.labels()).(v1.ImageIndex), nil //nolint:forcetypeassert // What goes in comes out.
}

// assembleOne makes the image for one platform. It holds the programs and nothing else: no shell, no package of a distribution
// that would have to be kept up to date, no certificate authorities, since the only one that Herald asks is the API server's,
// which comes with its service account, and no /etc/passwd, since nothing looks up users by name.
func assembleOne(r release, part built) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	layer, err := layerOf(part.binaries, r)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: r.date.UTC()}
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: "make image"}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = part.platform.OS, part.platform.Architecture
	config.Created = created
	config.Config = v1.Config{User: user, Entrypoint: []string{"/manager"}, WorkingDir: "/", Labels: r.labels()}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	return mutate.Annotations(image, r.labels()).(v1.Image), nil //nolint:forcetypeassert // What goes in comes out.
}

// layerOf makes a layer of the programs, owned by root and changed by nobody.
func layerOf(binaries []binary, r release) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, b := range binaries {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: b.program, Size: int64(len(b.content)), Mode: 0o555, ModTime: r.date.UTC(), Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(b.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
}
