// Package volume writes the content of Secret, ConfigMap, downward API and projected volumes, so that a reader sees either
// all of the old content or all of the new.
//
// As in a kubelet, the files live in a hidden directory that the symbolic link ..data points to, and every entry of the
// volume is a link through ..data: changing that one link changes all files at once.
package volume

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
)

const dataLink = "..data"

// Write makes the volume in dir hold exactly the files. Where it already does, nothing is touched.
func Write(dir string, files []podplan.File) error {
	if holds(dir, files) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := os.Readlink(filepath.Join(dir, dataLink))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh, err := os.MkdirTemp(dir, "..")
	if err != nil {
		return err
	}
	if err := fill(fresh, files); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := point(filepath.Join(dir, dataLink), filepath.Base(fresh)); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := relink(dir, entries(files)); err != nil {
		return err
	}
	if old == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(dir, old))
}

func holds(dir string, files []podplan.File) bool {
	data := filepath.Join(dir, dataLink)
	for _, f := range files {
		path := filepath.Join(data, f.Path)
		content, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(content, f.Data) {
			return false
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != f.Mode {
			return false
		}
	}
	count := 0
	err := filepath.WalkDir(data+"/", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			count++
		}
		return err
	})
	return err == nil && count == len(files)
}

func fill(dir string, files []podplan.File) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
			return err
		}
		if err := os.Chmod(path, f.Mode); err != nil { // Whatever the umask is.
			return err
		}
	}
	return nil
}

// entries returns the names at the top of the volume.
func entries(files []podplan.File) []string {
	var names []string
	for _, f := range files {
		name, _, _ := strings.Cut(f.Path, "/")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// relink makes the links of the volume be exactly those of the names.
func relink(dir string, names []string) error {
	present, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range present {
		if strings.HasPrefix(e.Name(), "..") || slices.Contains(names, e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := point(filepath.Join(dir, name), filepath.Join(dataLink, name)); err != nil {
			return err
		}
	}
	return nil
}

// point makes a symbolic link or moves it to another target in one step.
func point(link, target string) error {
	if present, err := os.Readlink(link); err == nil && present == target {
		return nil
	}
	next := filepath.Join(filepath.Dir(link), "..next")
	if err := os.Symlink(target, next); err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	return os.Rename(next, link)
}
