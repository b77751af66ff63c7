package drain_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/drain"
)

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// peers are the peers of the stories, by name.
func peer(name string) bgp.Peer {
	host := map[string]string{"a": "192.168.1.1", "b": "192.168.1.2", "a2": "192.168.1.1"}[name]
	return bgp.Peer{Name: name, Address: netip.AddrPortFrom(netip.MustParseAddr(host), 179), HoldTime: 90 * time.Second}
}

func peersOf(names ...string) []bgp.Peer {
	var peers []bgp.Peer
	for _, name := range names {
		peers = append(peers, peer(name))
	}
	return peers
}

// moment is one look: at a time, with the peers that are wanted and those whose session is not established; what runs is what
// the look before had run.
type moment struct {
	at     time.Duration
	wanted []string
	down   []string
	// carried says that another session of a peer that is down carries its routes.
	carried bool
	// time of a graceful shutdown; 5 s where 0, none where negative.
	time time.Duration
	// failed says that the speaker did not carry out what the look before asked for.
	failed bool

	runs  []string // draining ones in brackets
	again time.Duration
}

func TestTakingLeave(t *testing.T) {
	const second = time.Second
	both := []string{"a", "b"}
	for name, story := range map[string][]moment{
		"a node goes out of service": {
			{wanted: both, runs: both},
			{at: 10 * second, runs: []string{"[a]", "[b]"}, again: 15 * second},
			{at: 14 * second, runs: []string{"[a]", "[b]"}, again: 15 * second},
			{at: 15 * second},
			{at: 16 * second},
		},
		"it comes back meanwhile, and goes again": {
			{wanted: both, runs: both},
			{at: 1 * second, runs: []string{"[a]", "[b]"}, again: 6 * second},
			{at: 3 * second, wanted: both, runs: both},
			{at: 4 * second, runs: []string{"[a]", "[b]"}, again: 9 * second},
			{at: 9 * second},
		},
		"one whose routes another session carries while it comes up": {
			{wanted: both, runs: both},
			{at: 10 * second, down: []string{"a"}, carried: true, runs: []string{"[a]", "[b]"}, again: 15 * second},
			{at: 15 * second},
		},
		"one peer is removed": {
			{wanted: both, runs: both},
			{at: 1 * second, wanted: []string{"b"}, runs: []string{"[a]", "b"}, again: 6 * second},
			{at: 6 * second, wanted: []string{"b"}, runs: []string{"b"}},
		},
		"the node follows a peer that was removed": {
			{wanted: both, runs: both},
			{at: 1 * second, wanted: []string{"b"}, runs: []string{"[a]", "b"}, again: 6 * second},
			{at: 4 * second, runs: []string{"[a]", "[b]"}, again: 6 * second},
			{at: 6 * second, runs: []string{"[b]"}, again: 9 * second},
			{at: 9 * second},
		},
		"a session that is not established has nothing to mark": {
			{wanted: both, runs: both},
			{at: 1 * second, down: []string{"a"}, runs: []string{"[b]"}, again: 6 * second},
		},
		"one that is lost meanwhile comes back to take leave": {
			{wanted: both, runs: both},
			{at: 1 * second, runs: []string{"[a]", "[b]"}, again: 6 * second},
			{at: 2 * second, down: both, runs: []string{"[a]", "[b]"}, again: 6 * second},
			{at: 6 * second, down: []string{"b"}},
		},
		"another peer takes the address of one that is removed": {
			{wanted: both, runs: both},
			{at: 1 * second, wanted: []string{"a2", "b"}, runs: []string{"a2", "b"}},
		},
		"it takes the address later": {
			{wanted: both, runs: both},
			{at: 1 * second, wanted: []string{"b"}, runs: []string{"[a]", "b"}, again: 6 * second},
			{at: 2 * second, wanted: []string{"a2", "b"}, runs: []string{"a2", "b"}},
		},
		"without a time everything goes at once": {
			{wanted: both, runs: both},
			{at: 1 * second, time: -1},
		},
		"a shorter time holds at once": {
			{wanted: both, runs: both},
			{at: 1 * second, runs: []string{"[a]", "[b]"}, again: 6 * second},
			{at: 3 * second, time: 2 * second},
		},
		"what the speaker did not remove does not begin to leave again": {
			{wanted: []string{"a"}, runs: []string{"a"}},
			{at: 1 * second, runs: []string{"[a]"}, again: 6 * second},
			{at: 6 * second},
			{at: 7 * second, failed: true},
		},
		"nothing runs": {{}},
	} {
		t.Run(name, func(t *testing.T) {
			var d drain.Drain
			var before, running []bgp.Peer
			for _, m := range story {
				if m.failed {
					running = before
				}
				out := d.Next(m.input(running))
				before, running = running, out.Peers
				if got := names(out.Peers); !slices.Equal(got, m.runs) {
					t.Fatalf("at %s it runs %v, want %v", m.at, got, m.runs)
				}
				if m.again == 0 != out.First().IsZero() || m.again != 0 && !out.First().Equal(start.Add(m.again)) {
					t.Errorf("at %s it wants to look again at %s, want %s", m.at, out.First(), m.again)
				}
			}
		})
	}
}

func (m moment) input(running []bgp.Peer) drain.Input {
	in := drain.Input{Now: start.Add(m.at), Time: 5 * time.Second, Peers: peersOf(m.wanted...)}
	if m.time != 0 {
		in.Time = max(m.time, 0)
	}
	for _, p := range running {
		s := bgp.Session{Peer: p, State: bgp.Established}
		if slices.Contains(m.down, p.Name) {
			s.State = bgp.Active
			if m.carried {
				s.Advertised = 7
			}
		}
		in.Sessions = append(in.Sessions, s)
	}
	return in
}

func names(peers []bgp.Peer) []string {
	var names []string
	for _, p := range peers {
		name := p.Name
		if p.Draining {
			name = "[" + name + "]"
		}
		names = append(names, name)
	}
	return names
}

// A peer that is changed is not one that is removed, whatever changes.
func TestAChangedPeerDoesNotLeave(t *testing.T) {
	var d drain.Drain
	for _, change := range []func(*bgp.Peer){
		func(p *bgp.Peer) { p.HoldTime = time.Minute },
		func(p *bgp.Peer) { p.Address = peer("b").Address },
	} {
		changed := peer("a")
		change(&changed)
		out := d.Next(drain.Input{
			Now: start, Time: 5 * time.Second,
			Sessions: []bgp.Session{{Peer: peer("a"), State: bgp.Established}}, Peers: []bgp.Peer{changed},
		})
		if !slices.Equal(out.Peers, []bgp.Peer{changed}) || len(out.Leaves) != 0 {
			t.Errorf("it runs %+v, leaving %v", out.Peers, out.Leaves)
		}
	}
}

// A peer that leaves runs on as it was but for the mark, and comes back as it is wanted.
func TestNothingButTheMarkChanges(t *testing.T) {
	var d drain.Drain
	in := drain.Input{
		Now: start, Time: 5 * time.Second,
		Sessions: []bgp.Session{{Peer: peer("a"), State: bgp.Established}},
	}
	want := peer("a")
	want.Draining = true
	if out := d.Next(in); !slices.Equal(out.Peers, []bgp.Peer{want}) {
		t.Errorf("it runs %+v, want %+v", out.Peers, want)
	}
	in.Sessions[0].Peer, in.Peers = want, peersOf("a")
	if out := d.Next(in); !slices.Equal(out.Peers, in.Peers) {
		t.Errorf("it runs %+v, want %+v", out.Peers, in.Peers)
	}
}
