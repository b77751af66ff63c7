// Package bootmarker tells a restart of the agent from a restart of its node.
//
// What an agent has made routers send to a node keeps being forwarded while the agent is away, since kube-proxy's rules
// and the node's routes outlive it; a reboot ends that. A marker that an agent of this boot leaves behind tells the next
// one which of the two it comes after, and so what its OPENs may claim (RFC 4724: the R and F bits).
package bootmarker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// BootIDFile is where Linux says which boot this is.
const BootIDFile = "/proc/sys/kernel/random/boot_id"

const fileName = "boot-id"

// Marker is a file that names the boot in which an agent last advertised. In a directory that a reboot clears, the name
// is needed only where /run survives; elsewhere it is the whole proof.
type Marker struct{ path, bootID string }

// New returns the marker in a directory, which must exist by the time that the marker is set. bootIDFile is BootIDFile but
// for tests.
func New(directory, bootIDFile string) (Marker, error) {
	id, err := os.ReadFile(bootIDFile)
	if err != nil {
		return Marker{}, fmt.Errorf("read this boot's id: %w", err)
	}
	return Marker{path: filepath.Join(directory, fileName), bootID: strings.TrimSpace(string(id))}, nil
}

// BootID returns the id of this boot; "" where the kernel names none.
func (m Marker) BootID() string { return m.bootID }

// IsSet reports whether an agent has advertised since the node booted. A marker that can't be read proves nothing: it
// counts as not set, and the error says why.
func (m Marker) IsSet() (bool, error) {
	marked, err := os.ReadFile(m.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read the boot marker: %w", err)
	}
	return m.bootID != "" && string(marked) == m.bootID, nil
}

// Set leaves the marker: from now on this boot's forwarding state is there for a next agent to keep.
func (m Marker) Set() error {
	if err := os.WriteFile(m.path, []byte(m.bootID), 0o600); err != nil {
		return fmt.Errorf("write the boot marker: %w", err)
	}
	return nil
}

// Clear removes the marker, when routers have been told to forget this node.
func (m Marker) Clear() error {
	if err := os.Remove(m.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the boot marker: %w", err)
	}
	return nil
}
