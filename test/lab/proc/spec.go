package proc

import (
	"errors"
	"fmt"
)

// NetnsDir is where named network namespaces are, as ip-netns(8) has it.
const NetnsDir = "/run/netns"

// Mount is a directory or file that a process sees at a path of its own.
type Mount struct {
	// Source is what is mounted, in the view of the caller of Start.
	Source string
	// Target is where the process sees it. A target that does not exist is made in the process's view alone.
	Target string
	// ReadOnly keeps the process from writing through the target.
	ReadOnly bool
}

// View is what a process sees of the machine.
type View struct {
	// Netns is the name of its network namespace; empty for the caller's.
	Netns string
	// Hostname is its host name; empty for the caller's.
	Hostname string
	// Tmpfs are directories where it has an empty file system of its own. They are mounted before Mounts.
	Tmpfs []string
	// Mounts are mounted in order, so that a later one may lie inside an earlier one.
	Mounts []Mount
	// Dir is its working directory, in its own view; empty for "/".
	Dir string
}

// Spec describes a process.
type Spec struct {
	// Name is what errors call the process.
	Name string
	// Args are the program and its arguments. A program without a slash is looked up in the PATH of Env; the path is
	// resolved in the process's own view, so a Mount may bring the program.
	Args []string
	// Env is the whole environment; nil for the caller's.
	Env []string
	// LogPath is the file that standard output and error are appended to; empty to discard them.
	LogPath string
	// NewPID makes the process the first of a process id namespace with a /proc of its own: what it started ends with
	// it, and a signal that it does not handle does nothing but SIGKILL.
	NewPID bool
	View
}

func (s Spec) check() error {
	switch {
	case s.Name == "":
		return errors.New("process without a name")
	case len(s.Args) == 0:
		return fmt.Errorf("process %s has no program to run", s.Name)
	}
	return nil
}
