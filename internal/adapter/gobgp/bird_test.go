//go:build bird

// These tests need BIRD 2 (Debian's bird2) and no privileges: go test -tags bird ./internal/adapter/gobgp

package gobgp_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

// bird is a BIRD that peers with whoever comes through its relay, whose connections a test can reset, and as another
// neighbor with whoever comes by itself.
type bird struct {
	socket string
	relay  *relay
	log    *records
	// addresses are BIRD's own, each known to it in a protocol of its own.
	addresses [2]netip.AddrPort
	// node is where BIRD connects to.
	node netip.AddrPort
}

const birdConfig = `
router id 192.168.1.1;
timeformat route iso long us;
log stderr all;
protocol device { }
ipv4 table master4;
ipv6 table master6;
template bgp node {
	local %[1]s port %[3]d as 64512;
	strict bind;
	debug { routes };
	connect delay time 1;
	error wait time 1, 2;
	multihop;
	graceful restart on;
	hold time 9;
	ipv4 { import all; export none; };
	ipv6 { import all; export none; };
}
protocol bgp node1 from node { neighbor 127.0.0.5 external; passive; }
protocol bgp node2 from node { neighbor 127.0.0.6 external; passive; }
protocol bgp node3 from node { neighbor 127.0.0.8 external; passive; local %[2]s port %[3]d as 64512; }
protocol bgp node4 from node { neighbor 127.0.0.7 port %[4]d external; }
`

func startBIRD(t *testing.T) *bird {
	t.Helper()
	dir := t.TempDir()
	own := netip.AddrFrom4([4]byte{127, 4, byte(rand.N(256)), byte(1 + rand.N(200))})
	const port = 1790
	b := &bird{
		socket:    filepath.Join(dir, "ctl"),
		log:       &records{},
		addresses: [2]netip.AddrPort{netip.AddrPortFrom(own, port), netip.AddrPortFrom(own.Next(), port)},
		node:      netip.AddrPortFrom(netip.MustParseAddr("127.0.0.7"), freePort(t)),
	}
	config := filepath.Join(dir, "bird.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, birdConfig, own, own.Next(), port, b.node.Port()), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "bird", "-f", "-c", config, "-s", b.socket)
	command.Stdout, command.Stderr = t.Output(), b.log
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Start(); err != nil {
		t.Fatalf("start bird, of Debian's bird2: %v", err)
	}
	t.Cleanup(func() { _ = command.Wait() })
	NewWithT(t).Eventually(func() error {
		_, err := b.ask("show status")
		return err
	}, patience, 10*tick).Should(Succeed())
	b.relay = startRelay(t, b.addresses[0].String())
	return b
}

// ask sends BIRD a command and returns its answer.
func (b *bird) ask(command string) (string, error) {
	conn, err := net.Dial("unix", b.socket)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintln(conn, command); err != nil {
		return "", err
	}
	var answer strings.Builder
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "0001 "): // The welcome.
		case strings.HasPrefix(line, "0000"), len(line) > 4 && line[4] == ' ' && line[0] >= '8':
			return answer.String(), nil
		case len(line) > 4 && line[4] == ' ' && line[0] == '0':
			return answer.String() + line + "\n", nil
		default:
			answer.WriteString(line + "\n")
		}
	}
	return answer.String(), lines.Err()
}

// routes returns how many routes BIRD has, and when the last of them was changed in whatever way.
func (b *bird) routes(t *testing.T) (count int, changed time.Time) {
	t.Helper()
	answer, err := b.ask("show route all")
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range regexp.MustCompile(`\[node1 (\S+ \S+)`).FindAllStringSubmatch(answer, -1) {
		at, err := time.ParseInLocation("2006-01-02 15:04:05.000000", route[1], time.Local)
		if err != nil {
			t.Fatal(err)
		}
		count++
		if at.After(changed) {
			changed = at
		}
	}
	return count, changed
}

func (b *bird) count(t *testing.T) func() int {
	t.Helper()
	return func() int {
		count, _ := b.routes(t)
		return count
	}
}

func (b *bird) state() string {
	answer, _ := b.ask("show protocols node1")
	return answer
}

// relay passes connections on to BIRD from the address that BIRD expects.
type relay struct {
	net.Listener
	mu    sync.Mutex
	conns []*net.TCPConn
	count int
}

func startRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	r := &relay{Listener: listener}
	from := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.5:0"))}
	go func() {
		for {
			near, err := r.Accept()
			if err != nil {
				return
			}
			far, err := from.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			r.mu.Lock()
			r.conns = []*net.TCPConn{near.(*net.TCPConn), far.(*net.TCPConn)}
			r.count++
			r.mu.Unlock()
			go pass(near, far)
			go pass(far, near)
		}
	}()
	return r
}

func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
}

// reset ends the connection with a TCP reset to both sides.
func (r *relay) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}
}

func (r *relay) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// TestBIRDKeepsEveryRoute does to a session what may happen to it, and watches BIRD's table: no route may be touched.
func TestBIRDKeepsEveryRoute(t *testing.T) {
	for name, test := range map[string]struct {
		preserved bool
		disturb   func(*testing.T, *gobgp.Speaker, *bird, bgp.Peer) *gobgp.Speaker
	}{
		"TCP reset": {false, func(_ *testing.T, s *gobgp.Speaker, b *bird, _ bgp.Peer) *gobgp.Speaker {
			b.relay.reset()
			return s
		}},
		"change of the hold time": {false, func(t *testing.T, s *gobgp.Speaker, _ *bird, before bgp.Peer) *gobgp.Speaker {
			t.Helper()
			after := before
			after.HoldTime = time.Minute
			run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{after}))
			return s
		}},
		"another process": {true, func(t *testing.T, s *gobgp.Speaker, _ *bird, peer bgp.Peer) *gobgp.Speaker {
			t.Helper()
			if err := s.Close(t.Context(), speaker.KeepRoutes); err != nil {
				t.Fatal(err)
			}
			next := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
			run(t, next, plan.Routes(hostRoutes(50), nil), addPeers(peer))
			return next
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b, s, peer := birdWithRoutes(t)
			connections, begun := b.relay.connections(), time.Now()
			s = test.disturb(t, s, b, peer)
			g := NewWithT(t)
			g.Eventually(b.relay.connections, patience, tick).Should(Equal(connections + 1))
			g.Eventually(b.state, patience, 10*tick).Should(ContainSubstring("Established"))
			g.Eventually(func() int { return session(s, "bird").Advertised }, patience, tick).Should(Equal(100))
			g.Consistently(func(g Gomega) {
				count, changed := b.routes(t)
				g.Expect(count).To(Equal(100))
				g.Expect(changed).To(BeTemporally("<", begun), "a route was touched")
			}, time.Second, 10*tick).Should(Succeed())
		})
	}
}

// The counterpart: after a reboot nothing is forwarded, and BIRD hears so.
func TestBIRDDropsRoutesOfARebootedNode(t *testing.T) {
	b, s, peer := birdWithRoutes(t)
	if err := s.Close(t.Context(), speaker.KeepRoutes); err != nil {
		t.Fatal(err)
	}
	g := NewWithT(t)
	g.Consistently(b.count(t), 500*tick, 10*tick).Should(Equal(100), "the node may be back at any moment")
	rebooted := newSpeaker(t, gobgp.Options{ForwardingPreserved: false})
	run(t, rebooted, addPeers(peer))
	g.Eventually(b.count(t), patience, tick).Should(BeZero())
}

func TestBIRDForgetsASpeakerThatWithdraws(t *testing.T) {
	b, s, _ := birdWithRoutes(t)
	if err := s.Close(t.Context(), speaker.WithdrawRoutes); err != nil {
		t.Fatal(err)
	}
	NewWithT(t).Eventually(b.count(t), patience, tick).Should(BeZero())
}

// birdWithRoutes returns a BIRD that has 50 routes of each family.
func birdWithRoutes(t *testing.T) (*bird, *gobgp.Speaker, bgp.Peer) {
	t.Helper()
	b := startBIRD(t)
	s := newSpeaker(t, gobgp.Options{})
	peer := peerOf("bird", &testRouter{listener: b.relay, config: helper(64512)}, func(p *bgp.Peer) { p.LocalASN = 64513 })
	run(t, s, plan.Routes(hostRoutes(50), nil), addPeers(peer))
	NewWithT(t).Eventually(b.count(t), patience, 10*tick).Should(Equal(100),
		func() string { return fmt.Sprintf("%+v\n%s", session(s, "bird"), b.state()) })
	return b, s, peer
}

// TestBIRDSeesNoRouteLeave changes each field whose change resets a session, on one that is up, and reads in BIRD's log
// what became of the routes. Not here are those that BIRD itself must be reconfigured for: docs/sessions.md.
func TestBIRDSeesNoRouteLeave(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*bgp.Peer, *bird)
		// touched says that routes change without leaving: that of another neighbor takes the former's place, or its
		// attributes differ.
		touched bool
		// leaving counts the routes that the change is to withdraw.
		leaving int
	}{
		"HoldTime":      {edit: func(p *bgp.Peer, _ *bird) { p.HoldTime = time.Minute }},
		"KeepaliveTime": {edit: func(p *bgp.Peer, _ *bird) { p.KeepaliveTime = 2 * time.Second }},
		"RouterID":      {edit: func(p *bgp.Peer, _ *bird) { p.RouterID = netip.MustParseAddr("192.168.1.99") }},
		"GracefulRestart": {edit: func(p *bgp.Peer, _ *bird) {
			p.GracefulRestart.RestartTime = time.Minute
		}},
		"Families":      {edit: func(p *bgp.Peer, _ *bird) { p.Families = bgp.FamiliesOf(bgp.IPv4) }, leaving: 50},
		"SourceAddress": {edit: func(p *bgp.Peer, _ *bird) { p.SourceAddress = netip.MustParseAddr("127.0.0.6") }, touched: true},
		"Address": {edit: func(p *bgp.Peer, b *bird) {
			p.Address, p.SourceAddress = b.addresses[1], netip.MustParseAddr("127.0.0.8") // BIRD wants a neighbor of its own.
		}, touched: true},
		"another neighbor altogether": {edit: func(p *bgp.Peer, _ *bird) {
			p.SourceAddress = netip.MustParseAddr("127.0.0.6")
			p.LocalASN, p.RouterID = 64514, netip.MustParseAddr("192.168.1.99")
			p.HoldTime, p.KeepaliveTime = 2*time.Minute, time.Minute
		}, touched: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBIRD(t)
			s := newSpeaker(t, gobgp.Options{})
			before := peerOf("bird", &testRouter{listener: b.relay, config: helper(64512)}, func(p *bgp.Peer) {
				p.Address, p.SourceAddress, p.LocalASN = b.addresses[0], netip.MustParseAddr("127.0.0.5"), 64513
			})
			run(t, s, plan.Routes(hostRoutes(50), nil), addPeers(before))
			g := NewWithT(t)
			g.Eventually(b.count(t), patience, 10*tick).Should(Equal(100),
				func() string { return fmt.Sprintf("%+v\n%s", session(s, "bird"), b.log) })
			begun := time.Now()
			after := before
			test.edit(&after, b)
			run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{after}))
			eventuallyEstablished(t, s, "bird", 1)
			g.Eventually(func() int { return session(s, "bird").Advertised }, patience, tick).Should(Equal(100 - test.leaving))
			g.Consistently(func(g Gomega) {
				g.Expect(strings.Count(b.log.String(), "removed [sole]")).To(BeNumerically("<=", test.leaving), b.log)
				if _, changed := b.routes(t); !test.touched && test.leaving == 0 {
					g.Expect(changed).To(BeTemporally("<", begun), "a route was touched")
				}
			}, time.Second, 50*tick).Should(Succeed())
			g.Eventually(b.prefixes(t), patience, 10*tick).Should(Equal(100 - test.leaving))
		})
	}
}

// prefixes returns how many prefixes BIRD has routes for.
func (b *bird) prefixes(t *testing.T) func() int {
	t.Helper()
	return func() int {
		answer, err := b.ask("show route primary")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(answer, " [node")
	}
}

// A peer that connects is let go before it can come back; BIRD keeps the routes meanwhile.
func TestBIRDThatConnectsKeepsEveryRoute(t *testing.T) {
	b := startBIRD(t)
	s := newSpeaker(t, gobgp.Options{})
	before := peerOf("bird", &testRouter{listener: b.relay, config: helper(64512)}, passive(b.node.Port()), func(p *bgp.Peer) {
		p.Address, p.SourceAddress, p.LocalASN = netip.AddrPortFrom(b.addresses[0].Addr(), 179), b.node.Addr(), 64513
	})
	run(t, s, plan.Routes(hostRoutes(50), nil), addPeers(before))
	g := NewWithT(t)
	g.Eventually(b.prefixes(t), patience, 10*tick).Should(Equal(100),
		func() string { return fmt.Sprintf("%+v\n%s", session(s, "bird"), b.log) })
	after := before
	after.HoldTime = time.Minute
	run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{after}))
	eventuallyEstablished(t, s, "bird", 1)
	g.Eventually(func() int { return session(s, "bird").Advertised }, patience, tick).Should(Equal(100))
	g.Consistently(func() int { return strings.Count(b.log.String(), "removed") }, time.Second, 50*tick).Should(BeZero())

	if err := s.Close(t.Context(), speaker.KeepRoutes); err != nil {
		t.Fatal(err)
	}
	next := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
	run(t, next, plan.Routes(hostRoutes(50), nil), addPeers(after))
	eventuallyEstablished(t, next, "bird", 0)
	g.Eventually(func() int { return session(next, "bird").Advertised }, patience, tick).Should(Equal(100))
	g.Consistently(func() int { return strings.Count(b.log.String(), "removed") }, time.Second, 50*tick).Should(BeZero())
}
