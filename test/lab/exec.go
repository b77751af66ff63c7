package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/herald-network/herald/test/lab/control"
	"github.com/herald-network/herald/test/lab/controlplane"
	"github.com/herald-network/herald/test/lab/host"
	"github.com/herald-network/herald/test/lab/proc"
	"github.com/herald-network/herald/test/lab/statedir"
	"github.com/herald-network/herald/test/lab/topology"
)

// podPrefix begins the name of a pod where a host's may stand.
const podPrefix = "pod/"

// Exec replaces this process by a command inside a host, or inside a pod named pod/NAMESPACE/NAME. It returns only when it
// fails.
func Exec(ctx context.Context, dir statedir.Dir, target string, args []string) error {
	first, err := dir.Process()
	if err != nil {
		return err
	}
	lab, err := dir.Read()
	if err != nil {
		return err
	}
	var command []string
	if strings.HasPrefix(target, podPrefix) {
		command, err = insidePod(ctx, dir, target, args)
	} else {
		command, err = insideHost(dir, lab, target, args)
	}
	if err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	argv := []string{"nsenter", "--target", strconv.Itoa(first), "--mount", "--pid", "--net", "--uts", "--ipc"}
	if os.Geteuid() != 0 {
		argv = append(argv, "--user", "--preserve-credentials")
	}
	argv = append(append(argv, "--", lab.Self), command...)
	env := append(environment(filepath.Dir(lab.Binaries[controlplane.Kubectl])), dir.KubectlEnv()...)
	return fmt.Errorf("run %s: %w", nsenter, syscall.Exec(nsenter, argv, env))
}

// Kubectl replaces this process by kubectl as an administrator of the lab's cluster.
func Kubectl(ctx context.Context, dir statedir.Dir, args []string) error {
	return Exec(ctx, dir, topology.ControlPlane, append([]string{controlplane.Kubectl}, args...))
}

// insideHost returns the arguments with which the lab's program, in the sandbox, becomes a command on a host. It runs in
// the caller's directory.
func insideHost(dir statedir.Dir, lab statedir.Lab, name string, args []string) ([]string, error) {
	rack, err := topology.New(lab.Options)
	if err != nil {
		return nil, err
	}
	if _, ok := rack.Host(name); !ok {
		var names []string
		for _, h := range rack.Hosts {
			names = append(names, h.Name)
		}
		return nil, fmt.Errorf("no host %q in this lab: there are %s, and pod/NAMESPACE/NAME", name, strings.Join(names, ", "))
	}
	view, err := host.In(string(dir), name).View()
	if err != nil {
		return nil, err
	}
	if view.Dir, err = os.Getwd(); err != nil {
		return nil, err
	}
	return proc.EnterArgs(view, args)
}

// insidePod returns the arguments with which the lab's program, in the sandbox, becomes a command in a pod.
func insidePod(ctx context.Context, dir statedir.Dir, pod string, args []string) ([]string, error) {
	answer, err := control.Call(ctx, dir.Socket(), control.Pod, pod)
	if err != nil {
		return nil, err
	}
	entering := []string{
		"nsenter", "--target", strconv.Itoa(answer.PID), "--mount", "--pid", "--net", "--uts", "--",
		"setpriv", "--pdeathsig", "KILL", "--",
	}
	return proc.EnterArgs(proc.View{}, append(entering, args...))
}
