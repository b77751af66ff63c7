package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/herald-network/herald/test/lab/statedir"
)

// HeraldPrograms are the programs of Herald's image.
func HeraldPrograms() []string { return []string{"manager", "agent"} }

// tagPattern is what the tag of an image looks like.
var tagPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// Load gives the lab that runs in a directory another version of Herald's image: pods that are made from now on and name the
// tag run the programs in source.
func Load(dir statedir.Dir, tag, source string) (err error) {
	if _, err := dir.Read(); err != nil {
		return err
	}
	if !tagPattern.MatchString(tag) {
		return fmt.Errorf("load image: tag %q: want one such as v0.2.0", tag)
	}
	if err := os.MkdirAll(dir.Images(), 0o755); err != nil {
		return fmt.Errorf("load image %s: %w", tag, err)
	}
	// Pods see all of it or nothing. The programs of one that was loaded before may be running: it makes way as a whole.
	fresh, err := os.MkdirTemp(dir.Images(), ".loading-")
	if err != nil {
		return fmt.Errorf("load image %s: %w", tag, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()
	for _, name := range HeraldPrograms() {
		if err := copyProgram(filepath.Join(source, name), filepath.Join(fresh, name)); err != nil {
			return fmt.Errorf("load image %s: %w", tag, err)
		}
	}
	target := filepath.Join(dir.Images(), tag)
	if err := errors.Join(os.Chmod(fresh, 0o755), os.RemoveAll(target), os.Rename(fresh, target)); err != nil {
		return fmt.Errorf("load image %s: %w", tag, err)
	}
	return nil
}

func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
