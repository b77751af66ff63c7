package main

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// built is what was built for one platform.
type built struct {
	platform v1.Platform
	binaries []binary
	// others are what else the image holds.
	others []file
}

// file is a file or a directory of an image.
type file struct {
	path    string
	kind    byte
	mode    int64
	content []byte
}

// files returns all that the image holds, the programs to be run by all, and changed by nobody.
func (b built) files() []file {
	files := slices.Clone(b.others)
	for _, program := range b.binaries {
		files = append(files, file{program.path, tar.TypeReg, 0o555, program.content})
	}
	return files
}

// build makes Herald's image of a checkout as a layout, and the list of what is in it.
func build(ctx context.Context, checkout string, r release, layoutPath, sbomPath string) error {
	var parts []built
	for _, platform := range platforms() {
		binaries, err := compile(ctx, checkout, r, platform)
		if err != nil {
			return err
		}
		parts = append(parts, built{platform: platform, binaries: binaries})
	}
	return write(herald(), r, parts, layoutPath, sbomPath)
}

// write makes an image of what was built, as a layout, and the list of what is in it.
func write(p product, r release, parts []built, layoutPath, sbomPath string) error {
	index, err := assemble(p, r, parts)
	if err != nil {
		return fmt.Errorf("assemble the image: %w", err)
	}
	if err := writeLayout(index, p, r, layoutPath); err != nil {
		return fmt.Errorf("write the image to %s: %w", layoutPath, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("assemble the image: %w", err)
	}
	list, err := billOfMaterials(p, r, digest, parts)
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

// writeLayout writes an image to a directory of its own, under its version and its whole name. Engines that load a layout take the name from
// the annotations: the specification's is the version, and containerd's the whole name that manifests ask for.
func writeLayout(index v1.ImageIndex, p product, r release, path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	l, err := layout.Write(path, empty.Index)
	if err != nil {
		return err
	}
	return l.AppendIndex(index, layout.WithAnnotations(map[string]string{
		refName:   r.version,
		wholeName: p.repository + ":" + r.version,
	}))
}

const (
	// refName is the annotation of a layout that says what an image in it is called.
	refName = "org.opencontainers.image.ref.name"
	// wholeName is the one that has its repository too.
	wholeName = "io.containerd.image.name"
)
