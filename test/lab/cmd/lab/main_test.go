package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// TestMain makes the test's program the lab's own where it is not started as a test: the lab starts itself many times.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		main()
		return
	}
	os.Exit(m.Run())
}

// cli is the command line, on the lab of one directory.
type cli struct {
	dir string
	env []string
}

type result struct {
	stdout, stderr string
	status         int
}

func newCLI(t *testing.T) cli {
	t.Helper()
	l := cli{dir: filepath.Join(t.TempDir(), "lab")}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if r := l.try(ctx, "", "down"); r.status != 0 {
			t.Errorf("down: %+v", r)
		}
	})
	return l
}

func (l cli) command(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"--dir", l.dir}, args...)...)
	cmd.Env = append(os.Environ(), l.env...)
	return cmd
}

// try runs a command and returns what came of it.
func (l cli) try(ctx context.Context, stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	cmd := l.command(ctx, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		r.stderr += err.Error()
	}
	return r
}

// run runs a command that shall succeed and returns its output.
func (l cli) run(t *testing.T, args ...string) string {
	t.Helper()
	r := l.try(t.Context(), "", args...)
	if r.status != 0 {
		t.Fatalf("lab %s: status %d\n%s%s", strings.Join(args, " "), r.status, r.stdout, r.stderr)
	}
	return r.stdout
}

func TestLabFromUpToDown(t *testing.T) {
	g := NewWithT(t)
	l := newCLI(t)
	up := l.try(t.Context(), "", "up", "--no-herald", "--nodes", "2", "--tors", "2", "--ipv6")
	g.Expect(up.status).To(BeZero(), up.stderr)
	g.Expect(up.stderr).To(ContainSubstring("all nodes are Ready"))
	hosts := []string{"tor", "tor-2", "external", "control-plane", "node-1", "node-2"}

	t.Run("a second one in the same directory is refused", func(t *testing.T) {
		g := NewWithT(t)
		second := l.try(t.Context(), "", "up", "--no-herald")
		g.Expect(second.status).NotTo(BeZero())
		g.Expect(second.stderr).To(ContainSubstring("a lab is already up in " + l.dir))
	})
	t.Run("commands run on hosts", func(t *testing.T) { testExec(t, l, hosts) })
	t.Run("kubectl reaches the cluster", func(t *testing.T) { testKubectl(t, l) })
	t.Run("pods run and are reached", func(t *testing.T) { testPod(t, l) })
	t.Run("processes stop, start and are killed", func(t *testing.T) { testProcesses(t, l) })
	t.Run("processes are paused and go on", func(t *testing.T) { testPause(t, l) })
	t.Run("links are cut and mended", func(t *testing.T) { testLinks(t, l) })
	t.Run("down leaves nothing", func(t *testing.T) {
		g := NewWithT(t)
		l.run(t, "pause", "tor-2")
		before := observe(t, l.dir)
		g.Expect(before.left(t)).NotTo(BeEmpty())
		l.run(t, "down")
		// The last to go is the lab's first process, which the machine's own has yet to reap.
		g.Eventually(func() []string { return before.left(t) }, "10s", "50ms").Should(BeEmpty())
		g.Expect(l.dir).NotTo(BeADirectory())
		l.run(t, "down")
		g.Expect(l.try(t.Context(), "", "exec", "tor", "--", "true").stderr).To(ContainSubstring("no lab is up in " + l.dir))
	})
}

func testExec(t *testing.T, l cli, hosts []string) {
	t.Helper()
	g := NewWithT(t)
	for _, host := range hosts {
		g.Expect(l.run(t, "exec", host, "--", "uname", "-n")).To(Equal(host + "\n"))
	}
	r := l.try(t.Context(), "from standard input\n", "exec", "external", "--", "sh", "-c", "cat; echo oops >&2; exit 7")
	g.Expect(r).To(Equal(result{stdout: "from standard input\n", stderr: "oops\n", status: 7}))
	g.Expect(l.try(t.Context(), "", "exec", "tor", "--", "no-such-command").status).To(Equal(127))
	g.Expect(l.try(t.Context(), "", "exec", "tor-3", "--", "true").stderr).To(ContainSubstring(`no host "tor-3" in this lab: there are tor, tor-2`))

	wd, err := os.Getwd()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(l.run(t, "exec", "node-1", "--", "pwd")).To(Equal(wd + "\n"))
	l.run(t, "exec", "node-1", "--", "touch", "/run/only-here")
	g.Expect(l.run(t, "exec", "node-1", "--", "ls", "/run")).To(ContainSubstring("only-here"))
	g.Expect(l.run(t, "exec", "node-2", "--", "ls", "/run")).NotTo(ContainSubstring("only-here"))
	g.Expect(l.run(t, "exec", "tor", "--", "birdc", "show", "protocols")).To(ContainSubstring("nodes_ipv6"))
	testExecEndsWithItsCaller(t, l, "external")
}

func testExecEndsWithItsCaller(t *testing.T, l cli, target string) {
	t.Helper()
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := l.command(ctx, "exec", target, "--", "sh", "-c", "echo $$; exec sleep 1000")
	stdout, err := cmd.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cmd.Start()).To(Succeed())
	var pid int
	_, err = fmt.Fscan(stdout, &pid)
	g.Expect(err).NotTo(HaveOccurred())
	check := []string{"exec", target, "--", "test", "-d", fmt.Sprintf("/proc/%d", pid)}
	l.run(t, check...)
	cancel()
	_ = cmd.Wait() // It was killed.
	g.Eventually(func() int { return l.try(t.Context(), "", check...).status }, "10s", "50ms").Should(Equal(1))
}

func testKubectl(t *testing.T, l cli) {
	t.Helper()
	g := NewWithT(t)
	ready := l.run(t, "kubectl", "get", "nodes", "-o", `jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
	g.Expect(ready).To(Equal("node-1 True\nnode-2 True\n"))
	const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-stdin}\n"
	g.Expect(l.try(t.Context(), configMap, "kubectl", "apply", "-f", "-").stdout).To(ContainSubstring("configmap/from-stdin created"))
	g.Expect(l.try(t.Context(), "", "kubectl", "get", "configmap", "missing").status).To(Equal(1))
	g.Expect(l.run(t, "exec", "node-1", "--", "kubectl", "get", "namespaces")).To(ContainSubstring("kube-system"))
}

const echoPod = `
apiVersion: v1
kind: Pod
metadata: {name: echo, labels: {app: echo}}
spec: {containers: [{name: echo, image: lab/echo, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {type: NodePort, selector: {app: echo}, ipFamilyPolicy: RequireDualStack, ports: [{port: 80, nodePort: 30080}]}
`

func testPod(t *testing.T, l cli) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(l.try(t.Context(), echoPod, "kubectl", "apply", "-f", "-").status).To(BeZero())
	l.run(t, "kubectl", "wait", "--for=condition=Ready", "pod/echo", "--timeout=30s")
	g.Expect(l.run(t, "exec", "pod/default/echo", "--", "uname", "-n")).To(Equal("echo\n"))
	for _, address := range []string{"192.168.1.11", "192.168.1.12", "[fd00:1::11]", "[fd00:1::12]"} {
		g.Eventually(func() string {
			return l.try(t.Context(), "", "exec", "external", "--", "curl", "-sm", "1", address+":30080").stdout
		}, "20s", "100ms").Should(ContainSubstring("pod echo on node-"), address)
	}
	testExecEndsWithItsCaller(t, l, "pod/default/echo")
	g.Expect(l.try(t.Context(), "", "exec", "pod/default/missing", "--", "true").stderr).To(ContainSubstring("pod/default/missing"))
	l.run(t, "kubectl", "delete", "pod", "echo", "--grace-period=0", "--force")
}

func testLinks(t *testing.T, l cli) {
	t.Helper()
	g := NewWithT(t)
	reach := func() int {
		return l.try(t.Context(), "", "exec", "node-1", "--", "curl", "-skm", "1", "https://192.168.1.100:6443/healthz").status
	}
	routes := l.run(t, "exec", "node-1", "--", "ip", "route")
	g.Expect(reach()).To(BeZero())
	l.run(t, "cut", "node-1")
	g.Expect(reach()).NotTo(BeZero())
	l.run(t, "mend", "node-1")
	g.Eventually(reach, "10s", "100ms").Should(BeZero())
	g.Expect(l.run(t, "exec", "node-1", "--", "ip", "route")).To(Equal(routes))
	g.Expect(l.try(t.Context(), "", "cut", "nobody").stderr).To(ContainSubstring(`no host "nobody"`))
}

func TestUpThatIsKilledLeavesNothing(t *testing.T) {
	g := NewWithT(t)
	l := newCLI(t)
	cmd := l.command(t.Context(), "up", "--no-herald", "--nodes", "1")
	progress, err := cmd.StderrPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cmd.Start()).To(Succeed())
	var text strings.Builder
	for buffer := make([]byte, 1024); !strings.Contains(text.String(), "etcd is ready"); {
		n, err := progress.Read(buffer)
		g.Expect(err).NotTo(HaveOccurred(), text.String())
		text.Write(buffer[:n])
	}
	before := observe(t, l.dir)
	g.Expect(before.left(t)).NotTo(BeEmpty())
	g.Expect(cmd.Process.Kill()).To(Succeed())
	_ = cmd.Wait() // It was killed.
	g.Eventually(func() []string { return before.left(t) }, "10s", "50ms").Should(BeEmpty())
}

func TestPartThatFailsIsNamedWithItsLog(t *testing.T) {
	g := NewWithT(t)
	l := newCLI(t)
	assets := t.TempDir()
	const etcd = "#!/bin/sh\n[ \"$1\" = --version ] && echo 'etcd Version: 3.7.3' && exit\necho the disk is on fire\nexit 1\n"
	g.Expect(os.WriteFile(filepath.Join(assets, "etcd"), []byte(etcd), 0o755)).To(Succeed())
	l.env = []string{"KUBEBUILDER_ASSETS=" + assets}
	up := l.try(t.Context(), "", "up", "--no-herald", "--nodes", "1")
	g.Expect(up.status).To(Equal(1))
	g.Expect(up.stderr).To(And(ContainSubstring("start etcd"), ContainSubstring("ended with status 1"), ContainSubstring("the disk is on fire")))
	g.Expect(l.try(t.Context(), "", "status").stderr).To(ContainSubstring("no lab is up"))
}

func TestWhatIsAskedWronglyIsRefused(t *testing.T) {
	l := newCLI(t)
	for want, args := range map[string][]string{
		`0 nodes: a rack has 1 to 80`:                    {"up", "--nodes", "0"},
		`5 routers: a rack has 1 to 4`:                   {"up", "--tors", "5"},
		`router "quagga": there are ["bird" "frr" `:      {"up", "--tor", "quagga"},
		`names 2 kinds for 3 routers`:                    {"up", "--tors", "3", "--tor", "bird,frr"},
		`unknown command "destroy"`:                      {"destroy"},
		`no command to run on tor`:                       {"exec", "tor", "--"},
		`accepts 1 arg(s), received 0`:                   {"stop"},
		"no lab is up in " + l.dir + ": `lab up` starts": {"kubectl", "get", "nodes"},
	} {
		if r := l.try(t.Context(), "", args...); r.status == 0 || !strings.Contains(r.stderr, want) {
			t.Errorf("lab %s: got %+v, want %q", strings.Join(args, " "), r, want)
		}
	}
}

func TestDirectoryWithOtherFilesIsLeftAlone(t *testing.T) {
	g := NewWithT(t)
	l := cli{dir: t.TempDir()}
	precious := filepath.Join(l.dir, "precious")
	g.Expect(os.WriteFile(precious, nil, 0o644)).To(Succeed())
	for _, command := range []string{"up", "down"} {
		g.Expect(l.try(t.Context(), "", command).stderr).To(ContainSubstring(l.dir+" has other files in it"), command)
	}
	g.Expect(precious).To(BeAnExistingFile())
}
