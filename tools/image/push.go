package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// sbomType is the media type of a list of what is in an image.
const sbomType = "application/vnd.cyclonedx+json"

// push writes the image of a layout to a registry, and returns its digest there. The list of what is in it, if there is one,
// becomes a referrer of the image: who has the image finds it in the registry. It is no part of the layout, since engines that
// load a layout take everything in it for an image.
func push(layoutPath, reference, sbomPath string, options ...remote.Option) (v1.Hash, error) {
	s, err := readLayout(layoutPath)
	if err != nil {
		return v1.Hash{}, err
	}
	to, err := name.ParseReference(reference)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("reference %q: %w, want one such as %s", reference, err, s.reference)
	}
	if err := remote.WriteIndex(to, s.index, options...); err != nil {
		return v1.Hash{}, fmt.Errorf("push %s to %s: %w", layoutPath, to, err)
	}
	if sbomPath == "" {
		return s.digest, nil
	}
	list, err := listFor(s, sbomPath)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("attach %s to the image: %w", sbomPath, err)
	}
	digest, err := list.Digest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("attach %s to the image: %w", sbomPath, err)
	}
	if err := remote.Write(to.Context().Digest(digest.String()), list, options...); err != nil {
		return v1.Hash{}, fmt.Errorf("push %s to %s: %w", sbomPath, to, err)
	}
	return s.digest, nil
}

// artifact is a file in a registry that refers to an image.
type artifact struct {
	manifest []byte
	file     v1.Layer
}

// listFor makes an artifact of the list of what is in an image.
func listFor(of stored, sbomPath string) (v1.Image, error) {
	content, err := os.ReadFile(sbomPath)
	if err != nil {
		return nil, err
	}
	file := static.NewLayer(content, sbomType)
	blob, err := partial.Descriptor(file)
	if err != nil {
		return nil, err
	}
	blob.Annotations = map[string]string{"org.opencontainers.image.title": "sbom.cdx.json"}
	subject, err := partial.Descriptor(of.index)
	if err != nil {
		return nil, err
	}
	image, err := of.index.IndexManifest()
	if err != nil {
		return nil, err
	}
	config := static.NewLayer([]byte("{}"), "application/vnd.oci.empty.v1+json")
	empty, err := partial.Descriptor(config)
	if err != nil {
		return nil, err
	}
	const created = "org.opencontainers.image.created"
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  sbomType,
		Config:        *empty,
		Layers:        []v1.Descriptor{*blob},
		Subject:       subject,
		Annotations:   map[string]string{created: image.Annotations[created]},
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(artifact{manifest, file})
}

// MediaType says that an artifact is written as images are.
func (a artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// RawManifest returns the artifact's manifest.
func (a artifact) RawManifest() ([]byte, error) { return a.manifest, nil }

// RawConfigFile returns the specification's empty configuration: there is nothing to run.
func (a artifact) RawConfigFile() ([]byte, error) { return []byte("{}"), nil }

// LayerByDigest returns the artifact's file.
func (a artifact) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	if have, err := a.file.Digest(); err != nil || have != digest {
		return nil, errors.Join(err, fmt.Errorf("the artifact has no file %s", digest))
	}
	return a.file, nil
}
