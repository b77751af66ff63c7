// Package version says which Herald a binary is.
package version

// Set by the linker, see the Makefile.
//
//nolint:gochecknoglobals // The linker can set nothing else.
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
)

// Version returns the version that was built, as agents report it in BGPNode's status.
func Version() string { return version }

// Commit returns the abbreviated commit that was built.
func Commit() string { return commit }
