package lab

import (
	"slices"
	"strings"
	"testing"
)

func TestEnvironmentHasNoProxiesAndFindsProgramsForRoot(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy:3128")
	t.Setenv("no_proxy", "localhost")
	t.Setenv("PATH", "/bin")
	t.Setenv("GREETING", "hello")
	env := environment("/opt/kubernetes")
	for _, variable := range env {
		if name, _, _ := strings.Cut(variable, "="); strings.HasSuffix(strings.ToLower(name), "_proxy") {
			t.Errorf("%s is still there", variable)
		}
	}
	for _, want := range []string{"GREETING=hello", "PATH=/opt/kubernetes:/bin:/usr/local/sbin:/usr/sbin:/sbin"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %q", want, env)
		}
	}
}
