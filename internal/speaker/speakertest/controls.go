package speakertest

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

// What a test does to the fake's routers, and sees of them. A name that is no peer's is a mistake of the test: it panics.

// Establish lets the session of a peer come up, and come up again whenever a step drops it.
func (f *Fake) Establish(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.session(name); s.observed.State != bgp.Established {
		s.establish(f.paths)
		f.nudge()
	}
}

// Drop ends the session of a peer for the given cause. It stays down until Establish.
func (f *Fake) Drop(name, cause string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session(name).drop(cause)
	f.nudge()
}

// Offer lets the peer's router send so many prefixes. More than the peer may send close the session.
func (f *Fake) Offer(name string, prefixes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.session(name)
	if s.observed.State != bgp.Established {
		panic(fmt.Sprintf("speakertest: the session with %s is not established", name))
	}
	s.observed.Received = prefixes
	if limit := s.observed.Peer.MaxReceivedPrefixes; prefixes > int(limit) {
		s.drop(fmt.Sprintf("received prefix limit: the peer sent more than %d prefixes", limit))
		s.enter(bgp.Idle)
		s.observed.LimitExceeded = true
	}
	f.nudge()
}

// FailNext lets the next Run fail before it does anything.
func (f *Fake) FailNext(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
}

// Routes returns what the peer's router has from this speaker now; nil while no session is established.
func (f *Fake) Routes(name string) map[netip.Prefix]bgp.Advertisement {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.session(name).routes)
}

// Ceased reports whether the last session with the peer, which may be gone by now, was ended with a Cease.
func (f *Fake) Ceased(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ceased[name]
}

// Paths returns the table that sessions export from, established or not.
func (f *Fake) Paths() map[netip.Prefix]bgp.Path {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.paths)
}

// Plans returns the steps of each Run that had any, in order.
func (f *Fake) Plans() [][]plan.Step {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.plans)
}

// Closed returns how the speaker was closed, and whether it was.
func (f *Fake) Closed() (mode speaker.CloseMode, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed == nil {
		return 0, false
	}
	return *f.closed, true
}

func (f *Fake) session(name string) *session {
	s, known := f.sessions[name]
	if !known {
		panic(f.unknown(name))
	}
	return s
}
