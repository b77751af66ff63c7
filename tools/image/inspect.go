package main

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// inspect says what the image of a layout is.
func inspect(layoutPath string, out io.Writer) error {
	s, err := readLayout(layoutPath)
	if err != nil {
		return err
	}
	images, err := s.byPlatform()
	if err != nil {
		return fmt.Errorf("read the layout %s: %w", layoutPath, err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s\t%s\n", s.name, s.digest)
	for _, image := range images {
		if err := inspectOne(image, table); err != nil {
			return fmt.Errorf("read the image for %s: %w", image.platform, err)
		}
	}
	return table.Flush()
}

func inspectOne(image onPlatform, out io.Writer) error {
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	compressed, err := compressedSize(image)
	if err != nil {
		return err
	}
	files, err := contents(image)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\t%s\n", image.platform, image.digest)
	fmt.Fprintf(out, "  user\t%s\n", config.Config.User)
	fmt.Fprintf(out, "  entry point\t%s\n", strings.Join(config.Config.Entrypoint, " "))
	fmt.Fprintf(out, "  created\t%s\n", config.Created.Format("2006-01-02T15:04:05Z07:00"))
	fmt.Fprintf(out, "  compressed\t%.1f MB\n", float64(compressed)/1e6)
	for _, file := range files {
		fmt.Fprintf(out, "  %s\t%s, %.1f MB\n", "/"+file.Name, file.FileInfo().Mode(), float64(file.Size)/1e6)
	}
	for _, label := range slices.Sorted(maps.Keys(config.Config.Labels)) {
		fmt.Fprintf(out, "  %s\t%s\n", label, config.Config.Labels[label])
	}
	return nil
}

// compressedSize returns how much of an image is fetched.
func compressedSize(image v1.Image) (int64, error) {
	layers, err := image.Layers()
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, layer := range layers {
		size, err := layer.Size()
		if err != nil {
			return 0, err
		}
		sum += size
	}
	return sum, nil
}

// contents returns everything that a container finds below its root.
func contents(image v1.Image) ([]*tar.Header, error) {
	var files []*tar.Header
	err := eachFile(image, func(header *tar.Header, _ io.Reader) error {
		files = append(files, header)
		return nil
	})
	return files, err
}
