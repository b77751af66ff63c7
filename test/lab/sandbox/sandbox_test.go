package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/herald-network/herald/test/lab/sandbox"
)

// asInit is the first argument of the test's program when it is the first process of a sandbox; the directories to keep
// and a shell's script follow.
const asInit = "as-init"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asInit {
		os.Exit(runInit(os.Args[2], os.Args[3]))
	}
	os.Exit(sandbox.RunTests(context.Background(), m))
}

func runInit(keep, script string) (exitCode int) {
	err := sandbox.Prepare(strings.Fields(keep)...)
	if err == nil {
		shell := exec.Command("sh", "-c", script)
		shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
		exitCode, err = sandbox.Init(shell)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return exitCode
}

// run runs a script in a sandbox of its own and returns what it wrote and its exit status.
func run(t *testing.T, keep, script string) (output string, exitCode int) {
	t.Helper()
	cmd := sandbox.Command(t.Context(), asInit, keep, script)
	text, _ := cmd.CombinedOutput() // What went wrong is in the status and the text.
	return string(text), cmd.ProcessState.ExitCode()
}

func TestExitStatusIsTheCommands(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137} {
		if output, got := run(t, "", script); got != want {
			t.Errorf("%s: status %d, want %d\n%s", script, got, want, output)
		}
	}
}

func TestOrphansAreTakenIn(t *testing.T) {
	const script = `(sh -c 'echo $$ >/run/orphan; exec sleep 0' &)
		until [ -s /run/orphan ] && ! [ -d /proc/$(cat /run/orphan) ]; do :; done`
	if output, status := run(t, "", script); status != 0 {
		t.Errorf("status %d\n%s", status, output)
	}
}

func TestOwnProcessesAndNetworkAreAllThatIsSeen(t *testing.T) {
	output, status := run(t, "", `tr '\0' ' ' </proc/1/cmdline; ls /sys /run; tail -n +3 /proc/net/dev | cut -d: -f1`)
	if status != 0 || !strings.Contains(output, asInit) || !strings.HasSuffix(strings.TrimSpace(output), "lo") {
		t.Errorf("status %d\n%s", status, output)
	}
}

func TestDirectoriesInRunAreKeptOnDemand(t *testing.T) {
	for _, name := range []string{"kept/deep", "other"} {
		dir := filepath.Join("/run", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	output, status := run(t, "/run/kept/deep /usr", "cat /run/kept/deep/file; ls /run; test -d /usr/bin")
	if output != "kept/deepkept\n" || status != 0 {
		t.Errorf("status %d, output %q", status, output)
	}
}
