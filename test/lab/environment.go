package lab

import (
	"os"
	"slices"
	"strings"

	"github.com/herald-network/herald/test/lab/debian"
)

// environment is what the lab's processes get of the caller's: without its proxies, which nobody inside reaches, and with
// Debian's directories for root, where an ordinary user's PATH has them not. The directories first come first in PATH.
func environment(first ...string) []string {
	list := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(strings.ToLower(variable), "=")
		return strings.HasSuffix(name, "_proxy") || name == "path"
	})
	return append(list, "PATH="+strings.Join(append(first, debian.SearchPath(os.Getenv("PATH"))), ":"))
}
