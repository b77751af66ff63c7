// Package host says where a host of the lab keeps its files and what its processes see.
//
// A host shares the machine's file system but for its /run and for what lies in its own /etc: those are in its root
// below the lab's directory.
package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/herald-network/herald/test/lab/proc"
)

// Host is one host's place below the lab's directory.
type Host struct {
	// Name is its name, which is also that of its network namespace.
	Name string
	// Dir has all that belongs to the host.
	Dir string
}

// In returns the host of that name in a lab's directory.
func In(labDir, name string) Host {
	return Host{Name: name, Dir: filepath.Join(labDir, "hosts", name)}
}

// Path returns where a file of the host's own is, given its path on the host.
func (h Host) Path(path string) string { return filepath.Join(h.Dir, "rootfs", path) }

// Prepare makes the host's root.
func (h Host) Prepare() error {
	return errors.Join(os.MkdirAll(h.Path("/run"), 0o755), os.MkdirAll(h.Path("/etc"), 0o755))
}

// WriteFile writes a file of the host's own, given its path on the host.
func (h Host) WriteFile(path, content string) error {
	path = h.Path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

// View returns what a process of the host sees.
func (h Host) View() (proc.View, error) {
	view := proc.View{
		Netns: h.Name, Hostname: h.Name,
		Mounts: []proc.Mount{{Source: h.Path("/run"), Target: "/run"}},
	}
	own, err := os.ReadDir(h.Path("/etc"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return proc.View{}, err
	}
	for _, entry := range own {
		target := filepath.Join("/etc", entry.Name())
		view.Mounts = append(view.Mounts, proc.Mount{Source: h.Path(target), Target: target})
	}
	return view, nil
}
