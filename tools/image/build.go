package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// built is what was built for one platform.
type built struct {
	platform v1.Platform
	binaries []binary
}

// build makes the image of a checkout as a layout, and the list of what is in it.
func build(ctx context.Context, checkout string, r release, layoutPath, sbomPath string) error {
	var parts []built
	for _, platform := range platforms() {
		binaries, err := compile(ctx, checkout, r, platform)
		if err != nil {
			return err
		}
		parts = append(parts, built{platform, binaries})
	}
	index, err := assemble(r, parts)
	if err != nil {
		return fmt.Errorf("assemble the image: %w", err)
	}
	if err := writeLayout(index, r, layoutPath); err != nil {
		return fmt.Errorf("write the image to %s: %w", layoutPath, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("assemble the image: %w", err)
	}
	list, err := billOfMaterials(r, digest, parts)
	if err != nil {
		return fmt.Errorf("list what is in the image: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(sbomPath), 0o755); err != nil {
		return fmt.Errorf("write the list of what is in the image: %w", err)
	}
	if err := os.WriteFile(sbomPath, list, 0o644); err != nil {
		return fmt.Errorf("write the list of what is in the image: %w", err)
	}
	return nil
}

// writeLayout writes the image, under its version, to a directory of its own. Engines that load a layout take the name from
// the annotations: the specification's is the version, and containerd's the whole name that manifests ask for.
func writeLayout(index v1.ImageIndex, r release, path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	l, err := layout.Write(path, empty.Index)
	if err != nil {
		return err
	}
	return l.AppendIndex(index, layout.WithAnnotations(map[string]string{
		refName:                    r.version,
		"io.containerd.image.name": repository + ":" + r.version,
	}))
}

// refName is the annotation of a layout that says what an image in it is called.
const refName = "org.opencontainers.image.ref.name"
