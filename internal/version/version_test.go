package version_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/herald-network/herald/internal/version"
)

// stamped is how the answer to --version begins in the test's own binary, where that was built like a release.
const stamped = "HERALD_TEST_STAMPED_VERSION"

// The Makefile stamps by the variables' names, which nothing but a build would notice to be wrong.
func TestTheMakefileStampsTheVersion(t *testing.T) {
	if want := os.Getenv(stamped); want != "" {
		if got := version.Line("agent"); !strings.HasPrefix(got, want) {
			t.Errorf("--version says %q, want %q", got, want)
		}
		return
	}
	build := exec.CommandContext(t.Context(), "make", "-C", "../..", "--no-print-directory", "-n", "build",
		"VERSION=v9.8.7", "COMMIT=abcdef0", "DATE=2026-11-24T23:33:12Z")
	recipe, err := build.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, flags, _ := strings.Cut(string(recipe), "-ldflags '")
	flags, _, found := strings.Cut(flags, "'")
	if !found {
		t.Fatalf("the recipe stamps nothing: %s", recipe)
	}
	again := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-ldflags", flags, "-run", t.Name(), ".")
	again.Env = append(os.Environ(), stamped+"=agent v9.8.7, commit abcdef0 of 2026-11-24T23:33:12Z, go1.")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
