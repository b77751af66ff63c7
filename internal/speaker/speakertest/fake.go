// Package speakertest has a fake of the node's BGP speaker that is as strict as the real one, and the suite of behaviour
// that both pass.
package speakertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

// Fake is a speaker whose routers are maps. A peer that was added is dialled in vain until the test lets its session come
// up with Establish; from then on the router takes every connection, until Drop. The zero value is ready to use, from any
// goroutine.
//
// It refuses what the real speaker refuses, and what a correct plan never holds: steps out of order, a peer added twice,
// an update whose impact is understated.
type Fake struct {
	mu       sync.Mutex
	changed  chan struct{}
	paths    map[netip.Prefix]bgp.Path
	sessions map[string]*session
	ceased   map[string]bool // peers that were told that their session ends
	plans    [][]plan.Step
	failure  error
	closed   *speaker.CloseMode
}

type session struct {
	observed bgp.Session
	routes   map[netip.Prefix]bgp.Advertisement
	awaiting bool // the cause ends with what a passive session waits for
}

var _ speaker.Speaker = (*Fake)(nil)

// Run carries out the steps as speaker.Speaker says.
func (f *Fake) Run(_ context.Context, steps []plan.Step) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed != nil {
		return errors.New("the speaker is closed")
	}
	if err := f.failure; err != nil {
		f.failure = nil
		return err
	}
	if len(steps) == 0 {
		return nil
	}
	f.plans = append(f.plans, slices.Clone(steps))
	var errs []error
	last := plan.Verb(0)
	for _, step := range steps {
		if step.Verb < last {
			errs = append(errs, fmt.Errorf("%s comes after a step of %s: see plan.Order", step, last))
		}
		last = max(last, step.Verb)
		errs = append(errs, f.run(step))
	}
	f.nudge()
	return errors.Join(errs...)
}

func (f *Fake) run(step plan.Step) error {
	if err := step.Check(); err != nil {
		return err
	}
	switch step.Verb {
	case plan.Advertise:
		f.advertise(step.Path)
	case plan.Withdraw:
		f.withdraw(step.Prefix())
	case plan.RemovePeer:
		f.cease(step.Peer.Name)
		delete(f.sessions, step.Peer.Name)
	case plan.AddPeer:
		return f.addPeer(step.Peer)
	case plan.UpdatePeer:
		return f.updatePeer(step)
	}
	return nil
}

func (f *Fake) advertise(path bgp.Path) {
	if f.paths == nil {
		f.paths = map[netip.Prefix]bgp.Path{}
	}
	f.paths[path.Prefix] = path
	for _, s := range f.sessions {
		s.send(path)
	}
}

func (f *Fake) withdraw(prefix netip.Prefix) {
	delete(f.paths, prefix)
	for _, s := range f.sessions {
		if _, sent := s.routes[prefix]; sent {
			delete(s.routes, prefix)
			s.observed.UpdatesSent++
		}
	}
}

func (f *Fake) addPeer(peer bgp.Peer) error {
	if _, known := f.sessions[peer.Name]; known {
		return fmt.Errorf("add peer %s: it is there already", peer.Name)
	}
	if f.sessions == nil {
		f.sessions = map[string]*session{}
	}
	s := &session{observed: bgp.Session{Peer: peer}}
	s.begin()
	f.sessions[peer.Name] = s
	return nil
}

func (f *Fake) updatePeer(step plan.Step) error {
	s, known := f.sessions[step.Peer.Name]
	if !known {
		return fmt.Errorf("update peer %s: there is no such peer", step.Peer.Name)
	}
	impact := plan.ImpactOf(s.observed.Peer, step.Peer)
	if step.Impact < impact {
		return fmt.Errorf("update peer %s: its impact is %s, the plan says %s", step.Peer.Name, impact, step.Impact)
	}
	s.observed.Peer = step.Peer
	if s.observed.State != bgp.Established {
		return nil
	}
	if impact == plan.SessionDrop {
		s.drop("reset by a change of the peer's configuration")
		s.establish(f.paths)
		return nil
	}
	for _, path := range f.paths {
		s.send(path)
	}
	return nil
}

// Observe returns what the sessions are doing now.
func (f *Fake) Observe() bgp.Speaker {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out bgp.Speaker
	routes := map[netip.Prefix]bool{}
	for _, name := range slices.Sorted(maps.Keys(f.sessions)) {
		s := f.sessions[name]
		s.observed.Advertised = len(s.routes)
		out.Sessions = append(out.Sessions, s.observed)
		for prefix := range s.routes {
			routes[prefix] = true
		}
	}
	for prefix := range routes {
		if prefix.Addr().Is4() {
			out.RoutesIPv4++
		} else {
			out.RoutesIPv6++
		}
	}
	return out
}

// Advertised returns on how many sessions the prefix is.
func (f *Fake) Advertised(prefix netip.Prefix) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	sessions := 0
	for _, s := range f.sessions {
		if _, sent := s.routes[prefix]; sent {
			sessions++
		}
	}
	return sessions
}

// Changed receives a nudge after what Observe returns has changed.
func (f *Fake) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nudges()
}

// Close ends all sessions.
func (f *Fake) Close(_ context.Context, mode speaker.CloseMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed != nil {
		return nil
	}
	f.closed = &mode
	for name, s := range f.sessions {
		if mode == speaker.WithdrawRoutes {
			f.cease(name)
		}
		s.drop("the speaker was shut down")
		s.enter(bgp.Idle)
	}
	f.nudge()
	return nil
}

// cease notes that a peer's router was told of the end of its session, if there is one.
func (f *Fake) cease(name string) {
	if f.ceased == nil {
		f.ceased = map[string]bool{}
	}
	if s, known := f.sessions[name]; known {
		f.ceased[name] = s.observed.State == bgp.Established
	}
}

func (f *Fake) nudges() chan struct{} {
	if f.changed == nil {
		f.changed = make(chan struct{}, 1)
	}
	return f.changed
}

func (f *Fake) nudge() {
	select {
	case f.nudges() <- struct{}{}:
	default:
	}
}

func (s *session) enter(state bgp.SessionState) {
	if s.observed.State != state {
		s.observed.State, s.observed.Since = state, time.Now()
	}
}

// begin lets the session try to come up.
func (s *session) begin() {
	if s.observed.Peer.Passive {
		s.enter(bgp.Active)
		s.await()
		return
	}
	s.enter(bgp.Connect)
}

// await notes that a peer which connects itself has yet to do so.
func (s *session) await() {
	peer := s.observed.Peer
	if !peer.Passive {
		return
	}
	if s.observed.LastError != "" {
		s.observed.LastError += "; "
	}
	s.observed.LastError += fmt.Sprintf("waiting for the peer to connect to port %d", peer.ListenPort)
	s.awaiting = true
}

func (s *session) establish(paths map[netip.Prefix]bgp.Path) {
	peer := s.observed.Peer
	s.enter(bgp.Established)
	s.observed.LimitExceeded = false
	if s.awaiting {
		s.awaiting = false
		s.observed.LastError, _, _ = strings.Cut(s.observed.LastError, "waiting for ")
		s.observed.LastError = strings.TrimSuffix(s.observed.LastError, "; ")
	}
	s.observed.LocalAddress = localAddress(peer)
	s.observed.HoldTime = peer.HoldTime
	s.observed.Families = peer.Families
	s.observed.GracefulRestart = peer.GracefulRestart.Enabled
	s.routes = map[netip.Prefix]bgp.Advertisement{}
	for _, path := range paths {
		s.send(path)
	}
}

func (s *session) drop(cause string) {
	was := s.observed
	s.observed = bgp.Session{Peer: was.Peer, State: was.State, Since: was.Since, UpdatesSent: was.UpdatesSent, Flaps: was.Flaps, LastError: cause}
	if was.State == bgp.Established {
		s.observed.Flaps++
	}
	s.routes = nil
	s.enter(bgp.Active)
	s.await()
}

// send sends what the session's peer gets for a path, if it gets anything new.
func (s *session) send(path bgp.Path) {
	if s.observed.State != bgp.Established {
		return
	}
	out, ok := bgp.Export(s.observed.Peer, path)
	if !ok {
		delete(s.routes, path.Prefix)
		return
	}
	if out.NextHop.IsUnspecified() {
		out.NextHop = s.observed.LocalAddress
	}
	if s.routes[path.Prefix] != out {
		s.routes[path.Prefix] = out
		s.observed.UpdatesSent++
	}
}

// localAddress is the session's own address: 127.0.0.1 or ::1 where the kernel would choose.
func localAddress(peer bgp.Peer) netip.Addr {
	switch {
	case peer.SourceAddress.IsValid():
		return peer.SourceAddress
	case bgp.FamilyOf(peer.Address.Addr()) == bgp.IPv4:
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		return netip.IPv6Loopback()
	}
}

// unknown lists the peers for the panic of a test that names another one.
func (f *Fake) unknown(name string) string {
	return fmt.Sprintf("speakertest: no peer %q, there are: %s", name, strings.Join(slices.Sorted(maps.Keys(f.sessions)), ", "))
}
