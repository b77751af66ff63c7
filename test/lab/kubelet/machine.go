package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/test/lab/kubelet/podnet"
	"github.com/herald-network/herald/test/lab/kubelet/podplan"
	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/proc"
)

// host is what workers need of the machine.
type host interface {
	// attach makes the network of a pod and returns its addresses.
	attach(netns string, hostNetwork bool) ([]netip.Addr, error)
	// detach undoes attach.
	detach(netns string, hostNetwork bool, addrs []netip.Addr) error
	// start starts a process.
	start(ctx context.Context, spec proc.Spec) (process, error)
	// exec runs a command in the namespaces of a process and returns what it wrote.
	exec(ctx context.Context, p process, command []string) ([]byte, error)
	// dial connects from within a network namespace.
	dial(netns string) func(ctx context.Context, network, address string) (net.Conn, error)
}

// process is a process that was started.
type process interface {
	Pid() int
	Signal(signal os.Signal) error
	Done() <-chan struct{}
	ExitCode() int
}

var _ process = (*proc.Process)(nil)

// machine is the host that is really there.
type machine struct {
	node    string
	hostIPs []netip.Addr
	pool    *podnet.Pool
}

var _ host = (*machine)(nil)

func (m *machine) attach(name string, hostNetwork bool) ([]netip.Addr, error) {
	if hostNetwork {
		return m.hostIPs, nil
	}
	addrs, err := m.pool.Take()
	if err != nil {
		return nil, err
	}
	err = podnet.Attach(podnet.Attachment{Netns: name, Node: m.node, PodIPs: addrs})
	if err != nil {
		m.pool.Give(addrs)
		return nil, err
	}
	return addrs, nil
}

func (m *machine) detach(name string, hostNetwork bool, addrs []netip.Addr) error {
	if hostNetwork {
		return nil
	}
	m.pool.Give(addrs)
	return podnet.Detach(podnet.Attachment{Netns: name, Node: m.node})
}

func (m *machine) start(ctx context.Context, spec proc.Spec) (process, error) {
	p, err := proc.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// exec stays outside of the container's process id namespace: entering it takes a fork, and a child that outlived a
// killed nsenter would keep the namespace from ending.
func (m *machine) exec(ctx context.Context, p process, command []string) ([]byte, error) {
	args := append([]string{"--target", strconv.Itoa(p.Pid()), "--mount", "--net", "--uts", "--"}, command...)
	output, err := exec.CommandContext(ctx, "nsenter", args...).CombinedOutput()
	if err != nil {
		return output, fmt.Errorf("run in the container: %w", err)
	}
	return output, nil
}

func (m *machine) dial(name string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return netns.Dial(name)
}

// prepareMounts writes a container's generated files and makes the mount sources that a kubelet makes: paths below
// volumes that are not there yet are directories. Anything else that is missing belongs to the image.
func prepareMounts(plan podplan.Container, dirs podplan.Dirs, c *corev1.Container) error {
	for _, f := range plan.Files {
		path := dirs.GeneratedFile(c.Name, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
			return err
		}
	}
	for _, m := range plan.View.Mounts {
		_, err := os.Stat(m.Source)
		switch {
		case err == nil:
		case within(dirs.Pod, m.Source), within(dirs.NodeRoot, m.Source):
			if err := os.MkdirAll(m.Source, 0o755); err != nil {
				return err
			}
		default:
			return startError{reasonImagePull, fmt.Errorf("image %s lacks a program: %w", c.Image, err)}
		}
	}
	return nil
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// prepareHostPath makes what a hostPath volume asks for, or says that it is not there.
func prepareHostPath(path string, kind *corev1.HostPathType) error {
	if kind == nil {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	missing := err != nil
	switch *kind {
	case corev1.HostPathUnset:
		return nil
	case corev1.HostPathDirectoryOrCreate:
		return os.MkdirAll(path, 0o755)
	case corev1.HostPathFileOrCreate:
		if !missing {
			return nil
		}
		return os.WriteFile(path, nil, 0o644)
	case corev1.HostPathDirectory:
		if missing || !info.IsDir() {
			return fmt.Errorf("hostPath type check failed: %s is not a directory", path)
		}
	default:
		if missing {
			return fmt.Errorf("hostPath type check failed: there is no %s %s", *kind, path)
		}
	}
	return nil
}
