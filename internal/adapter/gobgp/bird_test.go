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

// bird is a BIRD that peers with whoever comes through its relay, whose connections a test can reset.
type bird struct {
	socket string
	relay  *relay
}

const birdConfig = `
router id 192.168.1.1;
timeformat route iso long us;
protocol device { }
ipv4 table master4;
ipv6 table master6;
template bgp node {
	local %s port %d as 64512;
	strict bind;
	multihop;
	graceful restart on;
	hold time 9;
	ipv4 { import all; export none; };
	ipv6 { import all; export none; };
}
protocol bgp node1 from node { neighbor 127.0.0.5 as 64513; passive; }
`

func startBIRD(t *testing.T) *bird {
	t.Helper()
	dir := t.TempDir()
	address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 4, byte(rand.N(256)), byte(1 + rand.N(254))}), 1790)
	b := &bird{socket: filepath.Join(dir, "ctl")}
	config := filepath.Join(dir, "bird.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, birdConfig, address.Addr(), address.Port()), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "bird", "-f", "-c", config, "-s", b.socket)
	command.Stdout, command.Stderr = t.Output(), t.Output()
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Start(); err != nil {
		t.Fatalf("start bird, of Debian's bird2: %v", err)
	}
	t.Cleanup(func() { _ = command.Wait() })
	NewWithT(t).Eventually(func() error {
		_, err := b.ask("show status")
		return err
	}, patience, 10*tick).Should(Succeed())
	b.relay = startRelay(t, address.String())
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
