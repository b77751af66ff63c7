// Package checkout finds Herald's source tree, which the lab takes manifests and the control plane's module from.
package checkout

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const modulePath = "github.com/herald-network/herald"

// Root returns the root of the source tree that one of the directories is in, the first that is.
func Root(dirs ...string) (string, error) {
	for _, dir := range dirs {
		for dir := filepath.Clean(dir); ; dir = filepath.Dir(dir) {
			text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			if err == nil && declares(string(text), modulePath) {
				return dir, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", fmt.Errorf("no checkout of %s at or above %s: run the lab from one", modulePath, strings.Join(dirs, " or "))
}

// declares says whether a go.mod is that of the module.
func declares(goMod, module string) bool {
	for line := range strings.Lines(goMod) {
		if strings.TrimSpace(line) == "module "+module {
			return true
		}
	}
	return false
}
