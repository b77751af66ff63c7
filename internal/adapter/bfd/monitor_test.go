package bfd_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/bfd"
	"github.com/herald-network/herald/internal/core/bgp"
)

const (
	patience = 10 * time.Second
	tick     = 5 * time.Millisecond
)

func single() bgp.BFD {
	return bgp.BFD{Enabled: true, Transmit: 50 * time.Millisecond, Receive: 50 * time.Millisecond, DetectMultiplier: 3, MinimumTTL: 255}
}

func multi(minimum uint8) bgp.BFD {
	p := single()
	p.Multihop, p.MinimumTTL = true, minimum
	return p
}

// addresses returns two addresses of this host that no other test uses.
func addresses() (a, b netip.Addr) {
	last := rand.N(250)
	net := [4]byte{127, byte(64 + rand.N(128)), byte(rand.N(256)), byte(1 + last)}
	a = netip.AddrFrom4(net)
	return a, a.Next()
}

// history is what a session's consumer is told.
type history struct {
	mu     sync.Mutex
	events []bgp.BFDEvent
}

func (h *history) note(e bgp.BFDEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *history) all() []bgp.BFDEvent {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

func (h *history) last() bgp.BFDEvent {
	all := h.all()
	return all[len(all)-1]
}

func (h *history) state() bgp.BFDState { return h.last().State }

func (h *history) failures() int {
	n := 0
	for _, e := range h.all() {
		if e.Failed {
			n++
		}
	}
	return n
}

func watch(t *testing.T, m *bfd.Monitor, p bgp.BFD, local, remote netip.Addr) (*bfd.Session, *history) {
	t.Helper()
	h := &history{}
	s := m.Watch(p, local, remote, h.note)
	t.Cleanup(s.Close)
	return s, h
}

func eventuallyUp(t *testing.T, histories ...*history) {
	t.Helper()
	for _, h := range histories {
		NewWithT(t).Eventually(h.state, patience, tick).Should(Equal(bgp.BFDUp), func() string { return fmt.Sprint(h.all()) })
	}
}

func TestTwoMonitorsComeUp(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]bgp.BFD{"single hop": single(), "multihop": multi(255)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := addresses()
			begun := time.Now()
			here, atHere := watch(t, bfd.New(), p, a, b)
			there, atThere := watch(t, bfd.New(), p, b, a)
			eventuallyUp(t, atHere, atThere)
			if took := time.Since(begun); took > 2500*time.Millisecond {
				t.Errorf("it took %s", took)
			}
			g := NewWithT(t)
			g.Eventually(func() uint64 { return min(here.Counters().Received, there.Counters().Received) }, patience, tick).
				Should(BeNumerically(">", 20))
			if c := here.Counters(); c.Dropped != 0 || c.Flaps != 0 || c.Sent < 20 {
				t.Errorf("counters %+v", c)
			}
		})
	}
}

// On IPv6 a host speaks to itself, since it has one address that every host has.
func TestIPv6(t *testing.T) {
	for name, p := range map[string]bgp.BFD{"single hop": single(), "multihop": multi(254)} {
		t.Run(name, func(t *testing.T) {
			s, h := watch(t, bfd.New(), p, netip.IPv6Loopback(), netip.IPv6Loopback())
			eventuallyUp(t, h)
			if c := s.Counters(); c.Dropped != 0 {
				t.Errorf("counters %+v", c)
			}
			s.Close()
		})
	}
}

func TestOneMonitorHoldsManySessions(t *testing.T) {
	t.Parallel()
	a, _ := addresses()
	near, far := bfd.New(), bfd.New()
	var histories []*history
	other := a
	for range 5 {
		other = other.Next()
		_, h := watch(t, near, single(), a, other)
		_, g := watch(t, far, single(), other, a)
		histories = append(histories, h, g)
	}
	_, h := watch(t, near, multi(255), a, other)
	_, g := watch(t, far, multi(255), other, a)
	eventuallyUp(t, append(histories, h, g)...)
}

// A peer that ends without a word is found out within the detection time, and not before.
func TestSilenceIsAFailure(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	peer := newPeer(t, b, a)
	session, h := watch(t, bfd.New(), single(), a, b)
	peer.comeUp(h)
	last := peer.send(bgp.BFDUp)
	g := NewWithT(t)
	g.Eventually(h.state, patience, tick).Should(Equal(bgp.BFDDown))
	// 3 x the 50 ms that both sides said.
	if after := time.Since(last); after < 150*time.Millisecond || after > 150*time.Millisecond+250*time.Millisecond {
		t.Errorf("down after %s", after)
	}
	want := bgp.BFDEvent{State: bgp.BFDDown, Cause: "no packet from the peer within the detection time of 150ms", Failed: true}
	if got := h.last(); got != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
	if c := session.Counters(); c.Flaps != 1 {
		t.Errorf("counters %+v", c)
	}
	peer.comeUp(h)
}

func TestThePeersWordIsAFailure(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	peer := newPeer(t, b, a)
	_, h := watch(t, bfd.New(), single(), a, b)
	peer.comeUp(h)
	peer.send(bgp.BFDDown)
	NewWithT(t).Eventually(h.failures, patience, tick).Should(Equal(1))
	if got := h.all()[len(h.all())-1]; got.Cause != "the peer says that it is down (Control Detection Time Expired)" {
		t.Errorf("told %+v", got)
	}
}

// The peer's operator has shut BFD down: that says nothing about the path.
func TestAPeerThatIsShutDownIsNoFailure(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	peer := newPeer(t, b, a)
	_, h := watch(t, bfd.New(), single(), a, b)
	peer.comeUp(h)
	peer.send(bgp.BFDAdminDown)
	NewWithT(t).Eventually(h.state, patience, tick).Should(Equal(bgp.BFDDown))
	if got := h.last(); got.Failed || got.Cause != "the peer has shut it down (AdminDown)" {
		t.Errorf("told %+v", got)
	}
}

func TestCloseTellsThePeer(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	near := bfd.New()
	session, h := watch(t, near, single(), a, b)
	_, atThere := watch(t, bfd.New(), single(), b, a)
	eventuallyUp(t, h, atThere)
	told := len(h.all())
	session.Close()
	NewWithT(t).Eventually(atThere.state, patience, tick).Should(Equal(bgp.BFDDown))
	if got := atThere.last(); got.Failed || got.Cause != "the peer has shut it down (AdminDown)" {
		t.Errorf("the peer takes it for %+v", got)
	}
	begun := time.Now()
	near.Close(t.Context())
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it waited for %s, and the peer's detection time is 150 ms", took)
	}
	if got := h.all()[told:]; len(got) > 0 {
		t.Errorf("after Close it tells of %+v", got)
	}
	if atThere.failures() > 0 {
		t.Errorf("a failure: %+v", atThere.all())
	}
}

// What a restart of the agent looks like: another process has another discriminator.
func TestAnotherSessionTakesOver(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	near := bfd.New()
	old, h := watch(t, near, single(), a, b)
	_, atThere := watch(t, bfd.New(), single(), b, a)
	eventuallyUp(t, h, atThere)
	old.Close()
	_, h = watch(t, near, single(), a, b) // While the peer is still being told.
	eventuallyUp(t, h)
	eventuallyUp(t, atThere)
	if atThere.failures() > 0 {
		t.Errorf("a failure: %+v", atThere.all())
	}
}

func TestTimersChangeWithoutAFailure(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	session, h := watch(t, bfd.New(), single(), a, b)
	other, atThere := watch(t, bfd.New(), single(), b, a)
	eventuallyUp(t, h, atThere)
	up := len(h.all()) + len(atThere.all())
	slow := single()
	slow.Transmit, slow.Receive = 400*time.Millisecond, 400*time.Millisecond
	rate := func() uint64 {
		before := other.Counters().Received
		<-time.After(time.Second)
		return other.Counters().Received - before
	}
	for _, p := range []bgp.BFD{slow, single()} {
		session.Set(p)
		g := NewWithT(t)
		want := BeNumerically("<=", 6)
		if p == single() {
			want = BeNumerically(">=", 12)
		}
		g.Eventually(rate, patience, tick).Should(want)
	}
	if got := len(h.all()) + len(atThere.all()); got != up {
		t.Errorf("states changed: %+v, %+v", h.all(), atThere.all())
	}
}

func TestPacketsFromAfarAreDropped(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		parameters bgp.BFD
		ttl        int
		comesUp    bool
	}{
		"single hop with 255":         {single(), 255, true},
		"single hop with 254":         {single(), 254, false},
		"multihop at the minimum":     {multi(250), 250, true},
		"multihop below the minimum":  {multi(250), 249, false},
		"multihop with a TTL of 1":    {multi(2), 1, false},
		"single hop with no TTL left": {single(), 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := addresses()
			peer := newPeer(t, b, a)
			peer.multihop(row.parameters.Multihop)
			peer.setTTL(row.ttl)
			m := bfd.New()
			s, h := watch(t, m, row.parameters, a, b)
			if row.comesUp {
				peer.comeUp(h)
				return
			}
			g := NewWithT(t)
			g.Eventually(func() uint64 { peer.send(bgp.BFDDown); return s.Counters().Dropped }, patience, tick).Should(BeNumerically(">=", 3))
			if s.Counters().Received > 0 || m.Dropped()["LowTTL"] < 3 || h.state() != bgp.BFDDown {
				t.Errorf("counters %+v, dropped %v, state %s", s.Counters(), m.Dropped(), h.state())
			}
			want := fmt.Sprintf("packets of the peer come with TTL %d, and count from %d on", row.ttl, row.parameters.MinimumTTL)
			if got := h.last().Cause; got != want {
				t.Errorf("cause %q, want %q", got, want)
			}
		})
	}
}

// Packets that no session wants are counted and do nothing else.
func TestStrangePacketsAreCounted(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	peer, stranger := newPeer(t, b, a), newPeer(t, b.Next(), a)
	m := bfd.New()
	_, h := watch(t, m, single(), a, b)
	peer.comeUp(h)
	healthy := peer.packet(bgp.BFDUp)
	for want, send := range map[string]func(){
		"UnknownSession":  func() { stranger.raw(healthy) },
		"Malformed":       func() { stranger.raw(healthy[:23]) },
		"BadVersion":      func() { stranger.raw(with(healthy, 0, 2<<5)) },
		"BadMultiplier":   func() { stranger.raw(with(healthy, 2, 0)) },
		"BadMultipoint":   func() { stranger.raw(with(healthy, 1, healthy[1]|1)) },
		"NoDiscriminator": func() { stranger.raw(with(healthy, 4, 0, 0, 0, 0)) },
		"Authenticated":   func() { stranger.raw(append(with(with(healthy, 1, healthy[1]|4), 3, 28), 1, 4, 1, 'x')) },
	} {
		before := m.Dropped()[want]
		send()
		NewWithT(t).Eventually(func() uint64 { peer.send(bgp.BFDUp); return m.Dropped()[want] }, patience, tick).Should(Equal(before+1), want)
	}
	if h.failures() > 0 {
		t.Errorf("a failure: %+v", h.all())
	}
}

func with(packet []byte, at int, bytes ...byte) []byte {
	out := slices.Clone(packet)
	copy(out[at:], bytes)
	return out
}

// Packets of Herald are marked as what keeps a network together, come from a port of RFC 5881, and from the same all the time.
func TestHowPacketsAreSent(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	peer := newPeer(t, b, a)
	_, h := watch(t, bfd.New(), single(), a, b)
	peer.comeUp(h)
	first := peer.last()
	if first.ttl != 255 || first.tos != 0xC0 {
		t.Errorf("TTL %d, traffic class %#x", first.ttl, first.tos)
	}
	if first.from.Port() < 49152 || first.from.Addr() != a {
		t.Errorf("from %s", first.from)
	}
	if len(first.bytes) != 24 || first.bytes[1]&0x0F != 0 {
		t.Errorf("sent % x: 24 bytes, and none of C, A, D and M", first.bytes)
	}
	for _, d := range peer.received() {
		if d.from != first.from {
			t.Errorf("from %s, and from %s before", d.from, first.from)
		}
	}
}

// A port that another program holds is told, and had as soon as it is free.
func TestAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	other, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 3784)))
	if err != nil {
		t.Fatal(err)
	}
	_, h := watch(t, bfd.New(), single(), a, b)
	_, atThere := watch(t, bfd.New(), single(), b, a)
	want := fmt.Sprintf("listen for BFD: listen udp4 %s:3784: bind: address already in use", a)
	NewWithT(t).Eventually(func() string { return h.last().Cause }, patience, tick).Should(Equal(want))
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	eventuallyUp(t, h, atThere)
}

// A busy process reads late what came in time. Here the reader is held up for longer than the detection time, by a consumer
// that does not return; the peer's packets wait in the socket, and count.
func TestPacketsThatWaitInTheSocketCount(t *testing.T) {
	t.Parallel()
	a, b := addresses()
	peer := newPeer(t, b, a)
	m := bfd.New()
	_, h := watch(t, m, single(), a, b)
	peer.comeUp(h)
	// Another session at the same door, whose consumer keeps the reader busy.
	busy := newPeer(t, b.Next(), a)
	release, held := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(held); <-release })
	blocked := m.Watch(single(), a, b.Next(), func(e bgp.BFDEvent) {
		if e.State == bgp.BFDInit {
			once()
		}
	})
	t.Cleanup(blocked.Close)
	busy.send(bgp.BFDDown)
	<-held
	for range 10 { // Twice the detection time.
		peer.send(bgp.BFDUp)
		<-time.After(30 * time.Millisecond)
	}
	close(release)
	for range 10 {
		peer.send(bgp.BFDUp)
		<-time.After(30 * time.Millisecond)
	}
	if h.failures() > 0 {
		t.Errorf("false alarm: %+v", h.all())
	}
}
