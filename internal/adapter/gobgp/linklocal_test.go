package gobgp_test

import (
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// inNamespace runs the test once more, in a network namespace of its own with nothing but loopback, and reports whether
// this is that run.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "HERALD_TEST_IN_NAMESPACE"
	if os.Getenv(mark) == t.Name() {
		ip(t, "link set lo up")
		return true
	}
	again := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "2m")
	again.Env = append(os.Environ(), mark+"="+t.Name())
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if uid := os.Geteuid(); uid != 0 {
		again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	again.Stdout, again.Stderr = t.Output(), t.Output()
	if err := again.Run(); err != nil {
		t.Fatalf("the test in its namespace: %v", err)
	}
	return false
}

func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

// elsewhere is another network namespace, of the routers. What is done there has to be done on its thread.
type elsewhere struct {
	thread int
	work   chan func()
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	e := &elsewhere{work: make(chan func())}
	t.Cleanup(func() { close(e.work) })
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // It is never unlocked: the thread ends with the goroutine.
		e.thread = unix.Gettid()
		ready <- unix.Unshare(unix.CLONE_NEWNET)
		for do := range e.work {
			do()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *elsewhere) do(do func()) {
	done := make(chan struct{})
	e.work <- func() {
		defer close(done)
		do()
	}
	<-done
}

// A link-local address is one on each link: the zone decides which router is meant, and where a connection came in.
func TestLinkLocalPeers(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	s := newSpeaker(t, gobgp.Options{})
	there := newElsewhere(t)
	routers := map[string]*testRouter{}
	hops := func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255) }
	for i, link := range []string{"red", "blue"} {
		ip(t, "link add "+link+" type veth peer name "+link+" netns "+strconv.Itoa(there.thread))
		ip(t, "addr add fe80::a/64 dev "+link+" nodad")
		ip(t, "link set "+link+" up")
		there.do(func() {
			ip(t, "addr add fe80::1/64 dev "+link+" nodad")
			ip(t, "link set "+link+" up")
			config := helper(bgp.ASN(64512 + i))
			config.Socket = onEachSocket(hops)
			routers[link] = newRouter(t, "fe80::1%"+link, config)
		})
	}
	linkLocal := func(link string, edits ...func(*bgp.Peer)) bgp.Peer {
		return peerOf(link, routers[link], append(edits, from(""), withTTL(255, 255))...)
	}
	port := freePort(t)
	red, blue := linkLocal("red"), linkLocal("blue", passive(port))
	run(t, s, addPeers(red, blue), plan.Routes(hostRoutes(2), nil))
	g := NewWithT(t)
	g.Eventually(func() bgp.SessionState { return session(s, "blue").State }, patience, tick).Should(Equal(bgp.Active))
	call := func(link string) (c *connection) {
		there.do(func() {
			c = routers[link].mustCall(t, netip.AddrPortFrom(netip.MustParseAddr("fe80::a%"+link), port))
		})
		return c
	}
	g.Eventually(call("red").end, patience, tick).Should(HaveOccurred(), "the same address on another link is no passive peer")
	g.Expect(s.RefusedConnections()).To(BeEquivalentTo(1))
	call("blue")
	for _, peer := range []bgp.Peer{red, blue} {
		got := eventuallyEstablished(t, s, peer.Name, 0)
		if want := netip.MustParseAddr("fe80::a"); got.LocalAddress != want {
			t.Errorf("%s: local address %s, want %s", peer.Name, got.LocalAddress, want)
		}
		g.Eventually(func() int { return session(s, peer.Name).Advertised }, patience, tick).Should(Equal(4))
	}
}
