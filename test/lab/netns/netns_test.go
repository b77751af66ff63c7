package netns_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"

	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/sandbox"
)

func TestMain(m *testing.M) { os.Exit(sandbox.RunTests(context.Background(), m)) }

func TestWhatIsDoneInsideIsNotSeenOutside(t *testing.T) {
	g := NewWithT(t)
	g.Expect(netns.Create("inside")).To(Succeed())
	g.Expect(netns.Create("inside")).To(MatchError(os.ErrExist))
	g.Expect(netns.Do("inside", func() error {
		link, err := netlink.LinkByName("lo")
		return errors.Join(err, netlink.LinkSetUp(link))
	})).To(Succeed())
	outside, err := netlink.LinkByName("lo")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(outside.Attrs().Flags&net.FlagUp).To(BeZero(), "the sandbox's own is still down")

	_, err = netns.Dial("inside")(t.Context(), "tcp", "127.0.0.1:9")
	g.Expect(err).To(MatchError(syscall.ECONNREFUSED), "there is a loopback inside")
	_, err = netns.Dial("inside")(t.Context(), "tcp", "localhost:9")
	g.Expect(err).To(HaveOccurred(), "a name")

	g.Expect(netns.Delete("inside")).To(Succeed())
	g.Expect(netns.Delete("inside")).To(Succeed(), "twice")
	g.Expect(netns.Do("inside", func() error { return nil })).To(MatchError(os.ErrNotExist))
}

func TestOwnNamespaceGetsAName(t *testing.T) {
	g := NewWithT(t)
	g.Expect(netns.Name("own")).To(Succeed())
	own, err := os.Stat("/proc/thread-self/ns/net") // The first thread may be one that is spent inside.
	g.Expect(err).NotTo(HaveOccurred())
	named, err := os.Stat(netns.Path("own"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.SameFile(own, named)).To(BeTrue())
	g.Expect(netns.Delete("own")).To(Succeed())
}
