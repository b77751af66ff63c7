package debian_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/test/lab/debian"
)

var wanted = []debian.Program{
	{Name: "ip", Package: "iproute2"},
	{Name: "bird", Package: "bird2", Service: "bird.service"},
}

// machine is a Debian machine without a network or a disk.
type machine struct {
	t        *testing.T
	policy   string
	programs []string
	listed   bool
	ran      []string
}

func newMachine(t *testing.T, programs ...string) *machine {
	t.Helper()
	return &machine{t: t, policy: filepath.Join(t.TempDir(), "policy-rc.d"), programs: programs}
}

func (m *machine) host(root bool) debian.Host {
	return debian.Host{
		Root: root, Run: m.run, Policy: m.policy, Progress: io.Discard,
		Find: func(program string) bool { return slices.Contains(m.programs, program) },
	}
}

func (m *machine) run(_ context.Context, args ...string) error {
	command := strings.Join(args, " ")
	m.ran = append(m.ran, command)
	switch {
	case strings.Contains(command, "apt-get update"):
		m.listed = true
	case strings.Contains(command, "apt-get install"):
		if text, err := os.ReadFile(m.policy); err != nil || !strings.Contains(string(text), "exit 101") {
			m.t.Errorf("services may be started while packages are installed: %q, %v", text, err)
		}
		if !m.listed {
			return errors.New("unable to locate package")
		}
		m.programs = append(m.programs, "bird")
	}
	return nil
}

func TestNothingIsDoneWhereNothingIsMissing(t *testing.T) {
	m := newMachine(t, "ip", "bird")
	if err := m.host(true).Ensure(t.Context(), wanted); err != nil || len(m.ran) > 0 {
		t.Errorf("got %v, ran %q", err, m.ran)
	}
}

func TestWhatIsMissingIsInstalledAndItsServiceLeftOff(t *testing.T) {
	m := newMachine(t, "ip", "apt-get", "systemctl")
	if err := m.host(true).Ensure(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	const install = "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends bird2"
	want := []string{install, "apt-get update --quiet", install, "systemctl disable --quiet bird.service"}
	if diff := cmp.Diff(want, m.ran); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(m.policy); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the policy was left behind: %v", err)
	}
}

func TestPolicyOfTheMachineIsKept(t *testing.T) {
	m := newMachine(t, "ip", "apt-get")
	const policy = "#!/bin/sh\n# the machine's own\nexit 101\n"
	if err := os.WriteFile(m.policy, []byte(policy), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.host(true).Ensure(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(m.policy); err != nil || string(text) != policy {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestWhoMayNotInstallIsToldWhat(t *testing.T) {
	for name, host := range map[string]debian.Host{
		"not root":   newMachine(t, "apt-get").host(false),
		"not Debian": newMachine(t).host(true),
	} {
		t.Run(name, func(t *testing.T) {
			err := host.Ensure(t.Context(), wanted)
			if err == nil || !strings.Contains(err.Error(), "apt-get install bird2 iproute2") {
				t.Errorf("got %v", err)
			}
		})
	}
}
