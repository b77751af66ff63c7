package version_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/herald-network/herald/internal/version"
)

// stamped is the version that the test's own binary was stamped with, where it was built like a release.
const stamped = "HERALD_TEST_STAMPED_VERSION"

// The Makefile stamps by the variables' names, which nothing but a build would notice to be wrong.
func TestTheMakefileStampsTheVersion(t *testing.T) {
	if want := os.Getenv(stamped); want != "" {
		if got := version.Version(); got != want || version.Commit() == "unknown" {
			t.Errorf("stamped %q, commit %q, want %q", got, version.Commit(), want)
		}
		return
	}
	build := exec.CommandContext(t.Context(), "make", "-C", "../..", "--no-print-directory", "-n", "build", "VERSION=v9.8.7", "COMMIT=abcdef0")
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
	again.Env = append(os.Environ(), stamped+"=v9.8.7")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
