// Package version says which Herald a binary is.
package version

import (
	"fmt"
	"runtime"
)

// Set by the linker, see the Makefile.
//
//nolint:gochecknoglobals // The linker can set nothing else.
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
	date    = "unknown"
)

// Version returns the version that was built, as agents report it in BGPNode's status.
func Version() string { return version }

// Commit returns the commit that was built.
func Commit() string { return commit }

// Date returns the time of that commit, as RFC 3339 has it. It is not when the binary was built: the same commit makes the
// same binary whenever it is built.
func Date() string { return date }

// Line is what a program answers to --version.
func Line(program string) string {
	return fmt.Sprintf("%s %s, commit %s of %s, %s %s/%s", program, version, commit, date, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
