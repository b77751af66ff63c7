package proc_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/herald-network/herald/test/lab/proc"
	"github.com/herald-network/herald/test/lab/sandbox"
)

func TestMain(m *testing.M) {
	proc.Enter()
	os.Exit(sandbox.RunTests(context.Background(), m))
}

// run starts a shell with the script, waits for its end and returns what it wrote and its exit status.
func run(t *testing.T, spec proc.Spec, script string) (output string, exitCode int) {
	t.Helper()
	spec.Name = "script"
	spec.Args = []string{"sh", "-c", script}
	spec.LogPath = filepath.Join(t.TempDir(), "log")
	p, err := proc.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	code := p.ExitCode()
	text, err := os.ReadFile(spec.LogPath)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text)), code
}

func TestEnvironmentDirectoryAndExitStatusAreTheSpecs(t *testing.T) {
	spec := proc.Spec{Env: []string{"PATH=/usr/bin:/bin", "GREETING=hello"}, View: proc.View{Dir: "/usr"}}
	output, code := run(t, spec, `echo "$GREETING from $(pwd)"; exit 3`)
	if output != "hello from /usr" || code != 3 {
		t.Errorf("got %q and exit status %d", output, code)
	}
}

func TestWhatCannotBeStartedIsAnErrorThatSaysWhy(t *testing.T) {
	for name, tc := range map[string]struct {
		spec proc.Spec
		want string
	}{
		"missing program":   {proc.Spec{Name: "x", Args: []string{"no-such-program"}}, `start x: exec: "no-such-program"`},
		"missing netns":     {proc.Spec{Name: "x", Args: []string{"true"}, View: proc.View{Netns: "no-such"}}, "network namespace no-such"},
		"missing directory": {proc.Spec{Name: "x", Args: []string{"true"}, View: proc.View{Dir: "/no/such"}}, "/no/such"},
		"no name":           {proc.Spec{Args: []string{"true"}}, "process without a name"},
		"no program":        {proc.Spec{Name: "x"}, "process x has no program to run"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := proc.Start(t.Context(), tc.spec)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestMissingMountSourceIsAnError(t *testing.T) {
	view := proc.View{Mounts: []proc.Mount{{Source: "/no/such", Target: "/mnt"}}}
	_, err := proc.Start(t.Context(), proc.Spec{Name: "x", Args: []string{"true"}, View: view})
	if err == nil || !strings.Contains(err.Error(), "mount /no/such at /mnt") {
		t.Errorf("got %v", err)
	}
}

func TestMountsAreSeenAtTheirTargetsAndNowhereElse(t *testing.T) {
	source := t.TempDir()
	file := filepath.Join(source, "token")
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"existing directory":          "/usr/share/doc",
		"missing below the root":      "/herald-lab-test",
		"missing, with missing above": "/etc/herald-lab-test/a/b",
		"through a symbolic link":     "/var/run/herald-lab-test",
	} {
		t.Run(name, func(t *testing.T) {
			view := proc.View{
				Tmpfs:  []string{"/run"},
				Mounts: []proc.Mount{{Source: source, Target: target}, {Source: file, Target: target + "-file"}},
			}
			output, code := run(t, proc.Spec{View: view}, "cat "+target+"/token "+target+"-file; test -x /usr/bin/env && test -e /etc/passwd && test -d /proc/self")
			if output != "secretsecret" || code != 0 {
				t.Errorf("got %q and exit status %d", output, code)
			}
			if _, err := os.Stat(filepath.Join(target, "token")); err == nil {
				t.Errorf("%s is seen outside", target)
			}
		})
	}
	if _, err := os.Stat("/etc/herald-lab-test"); err == nil {
		t.Error("a mount point was left in /etc")
	}
}

func TestReadOnlyMountRefusesWrites(t *testing.T) {
	source := t.TempDir()
	view := proc.View{Mounts: []proc.Mount{
		{Source: source, Target: "/mnt", ReadOnly: true},
		{Source: t.TempDir(), Target: "/srv"},
	}}
	if output, code := run(t, proc.Spec{View: view}, "touch /srv/file && touch /mnt/file"); code == 0 || !strings.Contains(output, "/mnt/file") {
		t.Errorf("got %q and exit status %d", output, code)
	}
}

func TestHostnameIsTheProcesssOwn(t *testing.T) {
	if output, _ := run(t, proc.Spec{View: proc.View{Hostname: "node-7"}}, "uname -n"); output != "node-7" {
		t.Errorf("got %q", output)
	}
	if name, err := os.Hostname(); err != nil || name == "node-7" {
		t.Errorf("the machine's name became %q (%v)", name, err)
	}
}

func TestFirstOfItsNamespaceTakesItsChildrenWithIt(t *testing.T) {
	flag := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(flag, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := proc.Start(t.Context(), proc.Spec{
		Name: "parent", NewPID: true,
		Args: []string{"sh", "-c", "test $$ = 1 && test -d /proc/1 || exit 1; sleep 1000 >" + flag + " & wait"},
	})
	if err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(flag) // Returns when the child holds the other side.
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if n, err := held.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the child still holds its side: %d, %v", n, err)
	}
	if code := p.ExitCode(); code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit status %d", code)
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := proc.Start(t.Context(), proc.Spec{Name: "deaf", Args: []string{"sh", "-c", "trap '' TERM; echo >" + ready + "; exec sleep 1000"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(ready); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(t.Context(), time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if code := p.ExitCode(); code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit status %d", code)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("signal after the end: %v", err)
	}
}

func TestOverContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := proc.Start(ctx, proc.Spec{Name: "x", Args: []string{"true"}}); err == nil {
		t.Error("no error")
	}
}
