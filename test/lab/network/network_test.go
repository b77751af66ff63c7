package network_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/network"
	"github.com/herald-network/herald/test/lab/proc"
	"github.com/herald-network/herald/test/lab/sandbox"
	"github.com/herald-network/herald/test/lab/topology"
)

func TestMain(m *testing.M) { os.Exit(sandbox.RunTests(context.Background(), m)) }

// in runs a command inside a host and returns its output.
func in(host string, args ...string) (string, error) {
	var output []byte
	err := netns.Do(host, func() (err error) {
		output, err = exec.Command(args[0], args[1:]...).CombinedOutput()
		return err
	})
	return string(output), err
}

// reach returns nil if the address answers: that nothing listens there is an answer, too.
func reach(ctx context.Context, from, to string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := netns.Dial(from)(ctx, "tcp", net.JoinHostPort(to, "9"))
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return err
}

func TestRackOfTwoRoutersInBothFamilies(t *testing.T) {
	g := NewWithT(t)
	rack, err := topology.New(topology.Options{Nodes: 2, Routers: 2, IPv6: true})
	g.Expect(err).NotTo(HaveOccurred())
	wires, err := network.Build(rack, "")
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		names, err := os.ReadDir(proc.NetnsDir)
		g.Expect(err).NotTo(HaveOccurred())
		for _, name := range names {
			g.Expect(netns.Delete(name.Name())).To(Succeed())
		}
	})

	for _, to := range []string{"172.31.0.2", "fd00:31::2", "192.168.1.12", "fd00:1::12"} {
		g.Eventually(func() error { return reach(t.Context(), "node-1", to) }, "5s").Should(Succeed(), "node-1 to %s", to)
	}
	before, err := in("node-1", "ip", "route")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strings.Count(before, "nexthop via 192.168.1.")).To(Equal(2), before)

	g.Expect(wires.Cut("tor")).To(Succeed())
	g.Expect(wires.Cut("tor")).To(Succeed(), "twice")
	g.Expect(reach(t.Context(), "node-1", "192.168.1.1")).NotTo(Succeed())
	g.Eventually(func() error { return reach(t.Context(), "node-1", "172.31.0.2") }, "10s").Should(Succeed(), "through tor-2")
	g.Eventually(func() error { return reach(t.Context(), "external", "fd00:1::12") }, "10s").Should(Succeed(), "through tor-2")

	g.Expect(wires.Mend("tor")).To(Succeed())
	g.Eventually(func() error { return reach(t.Context(), "node-1", "192.168.1.1") }, "10s").Should(Succeed())
	after, err := in("node-1", "ip", "route")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(after).To(Equal(before), "routes after the link came back")
	g.Expect(wires.Cut("node-3")).To(MatchError(ContainSubstring(`no host "node-3"`)))
}
