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

// assemble makes an image for all platforms out of what was built for each.
func assemble(p product, r release, parts []built) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, part := range parts {
		image, err := assembleOne(p, r, part)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &part.platform}})
	}
	return mutate.Annotations(index, p.annotations(r)).(v1.ImageIndex), nil //nolint:forcetypeassert // What goes in comes out.
}

// assembleOne makes the image for one platform. It holds what it is given and nothing else: no shell, no package of a distribution
// that would have to be kept up to date, no certificate authorities, since the only one that Herald asks is the API server's,
// which comes with its service account, and no /etc/passwd, since nothing looks up users by name.
func assembleOne(p product, r release, part built) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	layer, err := layerOf(part.files(), r)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: r.date.UTC()}
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: "make " + p.target}})
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
	config.Config = *p.config.DeepCopy()
	config.Config.Labels = p.labels(r)
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	return mutate.Annotations(image, p.annotations(r)).(v1.Image), nil //nolint:forcetypeassert // What goes in comes out.
}

// layerOf makes a layer of files and directories, owned by root.
func layerOf(files []file, r release) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: f.kind, Name: f.path, Size: int64(len(f.content)), Mode: f.mode, ModTime: r.date.UTC(), Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
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
