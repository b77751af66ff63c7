// Package statefile keeps an agent's saved state in a file, for the next agent on the node.
package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/herald-network/herald/internal/core/saved"
)

const fileName = "state.json"

// File is the file of a node's agent, which only root can read.
type File struct {
	path     string
	identity saved.Identity
}

// New returns the file in a directory, which must exist by the time that something is saved.
func New(directory string, identity saved.Identity) *File {
	return &File{path: filepath.Join(directory, fileName), identity: identity}
}

// Load returns what an agent of this node saved in this boot. The error wraps fs.ErrNotExist where none did, and otherwise
// says why what is there can't be used.
func (f *File) Load() (saved.State, error) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return saved.State{}, fmt.Errorf("read the saved state: %w", err)
	}
	state, err := saved.Decode(text, f.identity)
	if err != nil {
		return saved.State{}, fmt.Errorf("read the saved state %s: %w", f.path, err)
	}
	return state, nil
}

// Save replaces what was saved before, all of it or nothing.
func (f *File) Save(state saved.State) error {
	text, err := saved.Encode(state, f.identity)
	if err != nil {
		return err
	}
	if err := f.write(text); err != nil {
		return fmt.Errorf("write the saved state: %w", err)
	}
	return nil
}

func (f *File) write(text []byte) error {
	next := f.path + ".new"
	// One that a killed agent left may have any mode.
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return os.Rename(next, f.path)
}

// Remove removes what was saved. That nothing was is no error.
func (f *File) Remove() error {
	for _, path := range []string{f.path, f.path + ".new"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the saved state: %w", err)
		}
	}
	return nil
}
