package gobgp_test

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

// bfdLab holds the BFD sessions that a speaker asks for, for a test to say what becomes of them.
type bfdLab struct {
	mu       sync.Mutex
	sessions []*bfdSession
}

type bfdSession struct {
	lab           *bfdLab
	local, remote netip.Addr
	notify        func(bgp.BFDEvent)

	parameters bgp.BFD
	closed     bool
}

func (l *bfdLab) watch(parameters bgp.BFD, local, remote netip.Addr, notify func(bgp.BFDEvent)) gobgp.BFDSession {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &bfdSession{lab: l, parameters: parameters, local: local, remote: remote, notify: notify}
	l.sessions = append(l.sessions, s)
	notify(bgp.BFDEvent{State: bgp.BFDDown, Cause: "unheard"})
	return s
}

func (s *bfdSession) Set(parameters bgp.BFD) {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	s.parameters = parameters
}

func (s *bfdSession) Counters() bgp.BFDCounters {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	return bgp.BFDCounters{Sent: 7}
}

func (s *bfdSession) Close() {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	s.closed = true
}

func (l *bfdLab) say(event bgp.BFDEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[len(l.sessions)-1].notify(event)
}

// all returns copies of the sessions that were ever asked for, and open the latest of those that are not closed.
func (l *bfdLab) all() []bfdSession {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []bfdSession
	for _, s := range l.sessions {
		out = append(out, *s)
	}
	return out
}

func (l *bfdLab) open() []bfdSession {
	return slices.DeleteFunc(l.all(), func(s bfdSession) bool { return s.closed })
}

// paths says where the sessions lead that were ever asked for, and which are closed.
func (l *bfdLab) paths() []string {
	var out []string
	for _, s := range l.all() {
		text := s.remote.String()
		if s.closed {
			text += " closed"
		}
		out = append(out, text)
	}
	return out
}

func fast() bgp.BFD {
	return bgp.BFD{Enabled: true, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond, DetectMultiplier: 3, MinimumTTL: 255}
}

// watched returns a speaker with an established session under BFD.
func watched(t *testing.T) (*gobgp.Speaker, *testRouter, *bfdLab, bgp.Peer) {
	t.Helper()
	router, lab := newRouter(t, "127.0.0.2", helper(64512)), &bfdLab{}
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true, WatchBFD: lab.watch})
	peer := peerOf("tor", router, func(p *bgp.Peer) { p.BFD = fast() })
	run(t, s, plan.Routes(hostRoutes(2), nil), addPeers(peer))
	eventuallyConsistent(t, s, router, peer, hostRoutes(2))
	return s, router, lab, peer
}

func TestBFDBeginsWithTheSession(t *testing.T) {
	s, _, lab, peer := watched(t)
	NewWithT(t).Eventually(lab.all, patience, tick).Should(HaveLen(1))
	if got := lab.all()[0]; got.local.String() != "127.0.0.1" || got.remote != peer.Address.Addr() || got.parameters != fast() {
		t.Errorf("watched %+v", got)
	}
	if got := session(s, "tor"); got.BFD != bgp.BFDDown || got.BFDCause != "unheard" || got.State != bgp.Established || got.BFDCounters.Sent != 7 {
		t.Errorf("observed %+v: BFD that is not up keeps no session from being established", got)
	}
	lab.say(bgp.BFDEvent{State: bgp.BFDUp})
	if got := session(s, "tor"); got.BFD != bgp.BFDUp || got.BFDCause != "" {
		t.Errorf("observed %+v", got)
	}
}

func TestAPathThatFailsEndsTheSession(t *testing.T) {
	s, router, lab, _ := watched(t)
	lab.say(bgp.BFDEvent{State: bgp.BFDUp})
	lab.say(bgp.BFDEvent{State: bgp.BFDDown, Failed: true, Cause: "no packet for 900ms"})
	got := eventuallyEstablished(t, s, "tor", 1)
	if got.LastError != "BFD down: no packet for 900ms" {
		t.Errorf("cause: %s", got.LastError)
	}
	if first := router.all()[0]; first.farewell() != "6/10" {
		t.Errorf("NOTIFICATION %q, want Cease/BFD Down", first.farewell())
	}
	if got := lab.all(); len(got) != 1 || got[0].closed {
		t.Errorf("BFD goes on over the reconnection, got %+v", got)
	}
}

func TestBFDThatIsNotUpEndsNothing(t *testing.T) {
	s, router, lab, _ := watched(t)
	for _, event := range []bgp.BFDEvent{
		{State: bgp.BFDInit},
		{State: bgp.BFDDown, Cause: "no packet"},
		{State: bgp.BFDUp},
		{State: bgp.BFDDown, Cause: "the peer has shut it down (AdminDown)"},
	} {
		lab.say(event)
	}
	NewWithT(t).Consistently(func() int { return session(s, "tor").Flaps }, 500*time.Millisecond, tick).Should(BeZero())
	if len(router.all()) != 1 {
		t.Error("the session was dropped")
	}
}

// Nothing of BFD costs a session anything.
func TestBFDIsChangedInPlace(t *testing.T) {
	s, router, lab, before := watched(t)
	slower, multihop, without := before, before, before
	slower.BFD.Transmit = time.Second
	multihop.BFD = bgp.BFD{Enabled: true, Multihop: true, Transmit: time.Second, Receive: time.Second, DetectMultiplier: 3, MinimumTTL: 254}
	without.BFD = bgp.BFD{}
	change := func(to bgp.Peer) {
		t.Helper()
		run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{to}))
		before = to
	}
	change(slower)
	if all := lab.all(); len(all) != 1 || all[0].parameters != slower.BFD {
		t.Errorf("other timers: %+v", all)
	}
	change(multihop)
	if open := lab.open(); len(open) != 1 || len(lab.all()) != 2 || open[0].parameters != multihop.BFD {
		t.Errorf("multihop takes another session: %+v", lab.all())
	}
	change(without)
	if open := lab.open(); len(open) != 0 || session(s, "tor").BFD != bgp.BFDUnknown || session(s, "tor").BFDCause != "" {
		t.Errorf("without BFD: %+v, %+v", open, session(s, "tor"))
	}
	change(slower)
	if open := lab.open(); len(open) != 1 || open[0].local.String() != "127.0.0.1" {
		t.Errorf("enabled on a running session: %+v", open)
	}
	if n := len(router.all()); n != 1 || session(s, "tor").Flaps != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestBFDFollowsThePeersAddress(t *testing.T) {
	s, router, lab, before := watched(t)
	other, after := newRouter(t, "127.0.0.3", helper(64512)), before
	after.Address = other.address()
	run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{after}))
	eventuallyConsistent(t, s, other, after, hostRoutes(2))
	NewWithT(t).Eventually(lab.all, patience, tick).Should(HaveLen(2))
	NewWithT(t).Eventually(lab.paths, patience, tick).Should(Equal([]string{"127.0.0.2 closed", "127.0.0.3"}))
	_ = router
}

// Routers take the end of BFD for that of the path: it must not come before the end of the session that carries the routes.
func TestBFDStaysWithTheSessionThatCarriesTheRoutes(t *testing.T) {
	g := NewWithT(t)
	s, router, lab, before := watched(t)
	g.Eventually(lab.open, patience, tick).Should(HaveLen(1))
	lab.say(bgp.BFDEvent{State: bgp.BFDUp})
	silent := helper(64512)
	silent.Mute = true
	mistyped := before
	mistyped.Address = newRouter(t, "127.0.0.3", silent).address()
	run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{mistyped}))
	g.Eventually(func() string { return session(s, "tor").LastError }, patience, tick).Should(ContainSubstring("still up and carries the routes"))
	only := Equal([]string{"127.0.0.2"})
	g.Expect(lab.paths()).To(only)

	run(t, s, plan.Peers([]bgp.Peer{mistyped}, []bgp.Peer{before}))
	eventuallyConsistent(t, s, router, before, hostRoutes(2))
	g.Expect(lab.paths()).To(only, "it is taken back")
	lab.say(bgp.BFDEvent{State: bgp.BFDDown, Failed: true, Cause: "no packet for 900ms"})
	eventuallyEstablished(t, s, "tor", 1)
}

// A path that fails while another one is gone over to is no concern of the session there.
func TestAFormerPathThatFailsEndsTheFormerSessionAlone(t *testing.T) {
	g := NewWithT(t)
	s, router, lab, before := watched(t)
	g.Eventually(lab.open, patience, tick).Should(HaveLen(1))
	lab.say(bgp.BFDEvent{State: bgp.BFDUp})
	after := before
	other := newRouter(t, "127.0.0.3", helper(64512))
	after.Address = other.address()
	run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{after}))
	g.Eventually(other.all, patience, tick).Should(HaveLen(1))
	g.Eventually(other.last().routeCount, patience, tick).Should(BeNumerically(">=", 2))
	lab.say(bgp.BFDEvent{State: bgp.BFDDown, Failed: true, Cause: "no packet for 900ms"})
	g.Eventually(router.last().farewell, patience, tick).Should(Equal("6/10"))
	eventuallyConsistent(t, s, other, after, hostRoutes(2))
	g.Expect(other.all()).To(HaveLen(1), "connections to the other router")
	g.Eventually(lab.paths, patience, tick).Should(Equal([]string{"127.0.0.2 closed", "127.0.0.3"}))
}

func TestPlannedExitsShutBFDDown(t *testing.T) {
	for name, leave := range map[string]func(*testing.T, *gobgp.Speaker, bgp.Peer){
		"the peer is removed": func(t *testing.T, s *gobgp.Speaker, peer bgp.Peer) {
			t.Helper()
			run(t, s, plan.Peers([]bgp.Peer{peer}, nil))
		},
		"the agent is replaced": func(t *testing.T, s *gobgp.Speaker, _ bgp.Peer) {
			t.Helper()
			if err := s.Close(t.Context(), speaker.KeepRoutes); err != nil {
				t.Error(err)
			}
		},
		"the agent leaves": func(t *testing.T, s *gobgp.Speaker, _ bgp.Peer) {
			t.Helper()
			if err := s.Close(t.Context(), speaker.WithdrawRoutes); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, lab, peer := watched(t)
			NewWithT(t).Eventually(lab.open, patience, tick).Should(HaveLen(1))
			leave(t, s, peer)
			if open := lab.open(); len(open) != 0 {
				t.Errorf("left open: %+v", open)
			}
		})
	}
}

// A router hears of the end of a connection and of that of BFD by different ways. Where it shall keep the routes, the first must
// not come second.
func TestBFDOutlivesASessionThatEndsInSilence(t *testing.T) {
	s, router, lab, _ := watched(t)
	lab.say(bgp.BFDEvent{State: bgp.BFDUp})
	closed := make(chan time.Duration, 1)
	go func() {
		<-router.last().over(t)
		begun := time.Now()
		for len(lab.open()) > 0 && time.Since(begun) < patience {
			<-time.After(tick)
		}
		closed <- time.Since(begun)
	}()
	if err := s.Close(t.Context(), speaker.KeepRoutes); err != nil {
		t.Fatal(err)
	}
	if after := <-closed; after < 400*time.Millisecond || after > 2*time.Second {
		t.Errorf("BFD was shut down %s after the connection", after)
	}
}

// over returns what is closed when the connection has ended.
func (c *connection) over(t *testing.T) <-chan struct{} {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for c.end() == nil && t.Context().Err() == nil {
			<-time.After(tick)
		}
	}()
	return ended
}

// The router still has the BFD session of a process that was killed. There is no session of BGP for it to end when it fails.
func TestASessionAfterAnotherProcessWaitsForItsBFD(t *testing.T) {
	router, lab := newRouter(t, "127.0.0.2", helper(64512)), &bfdLab{}
	for name, row := range map[string]struct {
		preserved bool
		bfd       bgp.BFD
		waits     bool
	}{
		"a new agent on the same boot": {true, fast(), true},
		"the first of the boot":        {false, fast(), false},
		"without BFD":                  {true, bgp.BFD{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpeaker(t, gobgp.Options{ForwardingPreserved: row.preserved, WatchBFD: lab.watch})
			begun := time.Now()
			run(t, s, addPeers(peerOf("tor", router, func(p *bgp.Peer) { p.BFD = row.bfd })))
			eventuallyEstablished(t, s, "tor", 0)
			if took := time.Since(begun); (took >= 1100*time.Millisecond) != row.waits {
				t.Errorf("established after %s", took)
			}
		})
	}
}

func TestTheFailureOfAPathStaysTheCause(t *testing.T) {
	s, router, lab, _ := watched(t)
	lab.say(bgp.BFDEvent{State: bgp.BFDUp})
	if err := router.listener.Close(); err != nil {
		t.Fatal(err)
	}
	lab.say(bgp.BFDEvent{State: bgp.BFDDown, Failed: true, Cause: "no packet for 900ms"})
	eventuallyCause(t, s, "tor", "BFD down: no packet for 900ms; since then connection refused")
}
