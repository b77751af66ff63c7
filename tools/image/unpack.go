package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// unpack writes the files of an image for one platform below a directory. They belong to whoever unpacks them, since to be
// somebody else takes root.
func unpack(layoutPath, directory, platform string) error {
	image, err := imageFor(layoutPath, platform)
	if err != nil {
		return err
	}
	if err := validate.Image(image); err != nil { // Reading a layout compares no digest.
		return fmt.Errorf("unpack %s: the image is not whole: %w", layoutPath, err)
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("unpack %s: %w", layoutPath, err)
	}
	root, err := os.OpenRoot(directory) // Nothing in an image reaches out of the directory.
	if err != nil {
		return fmt.Errorf("unpack %s: %w", layoutPath, err)
	}
	defer func() { _ = root.Close() }() // It is a directory that was only opened.
	if err := eachFile(image, func(header *tar.Header, content io.Reader) error { return unpackOne(root, header, content) }); err != nil {
		return fmt.Errorf("unpack %s: %w", layoutPath, err)
	}
	return nil
}

func imageFor(layoutPath, platform string) (v1.Image, error) {
	wanted, err := v1.ParsePlatform(platform)
	if err != nil {
		return nil, fmt.Errorf("--platform %q: %w, want one such as linux/amd64", platform, err)
	}
	s, err := readLayout(layoutPath)
	if err != nil {
		return nil, err
	}
	images, err := s.byPlatform()
	if err != nil {
		return nil, fmt.Errorf("read the layout %s: %w", layoutPath, err)
	}
	at := slices.IndexFunc(images, func(i onPlatform) bool { return i.platform.Satisfies(*wanted) })
	if at < 0 {
		var have []string
		for _, image := range images {
			have = append(have, image.platform.String())
		}
		return nil, fmt.Errorf("--platform %q: the image is for %s", platform, strings.Join(have, " and "))
	}
	return images[at].Image, nil
}

// unpackOne writes a file or a directory, which is all that Herald's images have.
func unpackOne(root *os.Root, header *tar.Header, content io.Reader) error {
	mode := header.FileInfo().Mode()
	switch header.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(header.Name, 0o755); err != nil {
			return err
		}
		return root.Chmod(header.Name, mode&(fs.ModePerm|fs.ModeSticky)) // The umask doesn't count in an image.
	case tar.TypeReg:
		if err := root.MkdirAll(path.Dir(header.Name), 0o755); err != nil {
			return err
		}
		return unpackFile(root, header.Name, mode, content)
	default:
		return fmt.Errorf("its type is %q: want files and directories alone", header.Typeflag)
	}
}

func unpackFile(root *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	// What another image left there may be running.
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode.Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Chmod(mode.Perm()), file.Close()) // The umask doesn't count in an image.
}
