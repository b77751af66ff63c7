package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// stored is the image that a layout holds.
type stored struct {
	index  v1.ImageIndex
	digest v1.Hash
	// name is what the layout calls it, its version, and reference its whole name.
	name, reference string
}

// readLayout returns the one image of a layout.
func readLayout(path string) (stored, error) {
	top, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return stored{}, fmt.Errorf("read the layout %s: %w", path, err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		return stored{}, fmt.Errorf("read the layout %s: %w", path, err)
	}
	if len(manifest.Manifests) != 1 || !manifest.Manifests[0].MediaType.IsIndex() {
		return stored{}, fmt.Errorf("%s holds %d manifests: want one image for several platforms, as `image build` writes it",
			path, len(manifest.Manifests))
	}
	image := manifest.Manifests[0]
	index, err := top.ImageIndex(image.Digest)
	if err != nil {
		return stored{}, fmt.Errorf("read the layout %s: %w", path, err)
	}
	return stored{index, image.Digest, image.Annotations[refName], image.Annotations[wholeName]}, nil
}

// onPlatform is an image for one platform.
type onPlatform struct {
	v1.Image

	platform v1.Platform
	digest   v1.Hash
}

// byPlatform returns the image for each platform that it is for.
func (s stored) byPlatform() ([]onPlatform, error) {
	manifest, err := s.index.IndexManifest()
	if err != nil {
		return nil, err
	}
	images := make([]onPlatform, 0, len(manifest.Manifests))
	for _, descriptor := range manifest.Manifests {
		image, err := s.index.Image(descriptor.Digest)
		if err != nil {
			return nil, err
		}
		if descriptor.Platform == nil {
			return nil, fmt.Errorf("manifest %s is for no platform", descriptor.Digest)
		}
		images = append(images, onPlatform{image, *descriptor.Platform, descriptor.Digest})
	}
	return images, nil
}

// eachFile calls a function for everything that a container finds below its root.
func eachFile(image v1.Image, do func(header *tar.Header, content io.Reader) error) error {
	content := mutate.Extract(image)
	defer content.Close()
	archive := tar.NewReader(content)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			// What went wrong comes after the archive's end, which is written all the same.
			_, err = io.Copy(io.Discard, content)
			return err
		}
		if err != nil {
			return err
		}
		if err := do(header, archive); err != nil {
			return fmt.Errorf("/%s: %w", header.Name, err)
		}
	}
}
