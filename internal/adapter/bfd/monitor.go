package bfd

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/herald-network/herald/internal/core/bfd"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Monitor holds the BFD sessions of a node. Its methods may be called from any goroutine.
type Monitor struct {
	dropped [256]atomic.Uint64 // by refusal

	mu        sync.Mutex
	table     bfd.Table[*Session]
	receivers map[door]*shared
	sessions  sync.WaitGroup // those that have not ended
}

// shared is a receiver and how many sessions it serves: none while it is being closed.
type shared struct {
	*receiver
	users int
}

// errClosing says that a door is about to be free.
var errClosing = errors.New("the port is being closed")

// New returns a monitor without sessions. It opens a port when the first session needs it.
func New() *Monitor { return &Monitor{receivers: map[door]*shared{}} }

// Watch begins a session between two addresses of the same family, with a zone where they are link-local; one that is there
// already ends. It never fails: where a port can't be had the session is Down, says why, and tries again.
//
// The function is told what becomes of the session. It is called by one goroutine at a time, and must return at once without
// calling any method of the session; it is not called after Close.
func (m *Monitor) Watch(parameters bgp.BFD, local, remote netip.Addr, notify func(bgp.BFDEvent)) *Session {
	s := &Session{
		monitor: m, ends: bfd.Ends{Local: local, Remote: remote, Multihop: parameters.Multihop}, minimumTTL: minimumTTL(parameters),
		notify: notify, cause: unheard, ended: make(chan struct{}),
	}
	for !m.add(s, parameters) {
		if other := m.at(s.ends); other != nil {
			other.end()
		}
	}
	notify(bgp.BFDEvent{State: bgp.BFDDown, Cause: unheard})
	s.timer.Reset(0)
	return s
}

// unheard is why a session is down that has just begun.
const unheard = "no packet from the peer yet: it may not run BFD with this node"

func minimumTTL(parameters bgp.BFD) uint8 {
	if !parameters.Multihop {
		return ttl // RFC 5881, section 5: a packet from another hop is none of the peer's.
	}
	return parameters.MinimumTTL
}

// add enters a session under a discriminator that nobody can guess. It returns false where another session is in the way, or
// has the same discriminator.
func (m *Monitor) add(s *Session, parameters bgp.BFD) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	discriminator := rand.Uint32() //nolint:gosec // ChaCha8, seeded by the system: no attacker sees enough of it.
	if !m.table.Add(discriminator, s.ends, s) {
		return false
	}
	s.discriminator = discriminator
	s.machine = bfd.New(moment(time.Now()), discriminator, parametersOf(parameters))
	s.timer = time.AfterFunc(time.Hour, s.tick)
	m.sessions.Add(1)
	return true
}

func (m *Monitor) at(ends bfd.Ends) *Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, _ := m.table.At(ends)
	return s
}

// remove forgets a session.
func (m *Monitor) remove(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.table.Remove(s.discriminator)
	m.sessions.Done()
}

// Dropped returns how many packets were dropped, by reason.
func (m *Monitor) Dropped() map[string]uint64 {
	counts := map[string]uint64{}
	for _, refusal := range bfd.Refusals() {
		counts[refusal.String()] = m.dropped[refusal].Load()
	}
	return counts
}

// Close waits until the peers of all sessions that were closed have been told, or the context is done.
func (m *Monitor) Close(ctx context.Context) {
	told := make(chan struct{})
	go func() {
		m.sessions.Wait()
		close(told)
	}()
	select {
	case <-told:
	case <-ctx.Done():
	}
}

// take takes in what came. It is called with the lock of the receiver held.
func (m *Monitor) take(d datagram) {
	if refusal := m.deliver(d); refusal != 0 {
		m.dropped[refusal].Add(1)
	}
}

// deliver passes a packet on to its session, or returns why it is dropped.
func (m *Monitor) deliver(d datagram) bfd.Refusal {
	if !d.door.multihop && d.ttl != ttl {
		if s := m.at(bfd.Ends{Local: d.door.local, Remote: d.from}); s != nil {
			s.refuse(d.ttl)
		}
		return bfd.LowTTL
	}
	packet, refusal := decode(d.bytes)
	if refusal != 0 {
		return refusal
	}
	m.mu.Lock()
	s, found := m.table.Find(packet, bfd.Ends{Local: d.door.local, Remote: d.from, Multihop: d.door.multihop})
	m.mu.Unlock()
	if !found {
		return bfd.UnknownSession
	}
	return s.take(packet, d.ttl)
}

// enter returns the receiver at a door, which the caller gives back by leave.
func (m *Monitor) enter(d door) (*receiver, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, found := m.receivers[d]
	switch {
	case !found:
		r, err := open(d, m.take)
		if err != nil {
			return nil, err
		}
		s = &shared{receiver: r}
		m.receivers[d] = s
	case s.users == 0:
		return nil, errClosing
	}
	s.users++
	return s.receiver, nil
}

// leave gives a receiver back. The last one out has it closed, which waits for whoever takes in a packet, and so can't be
// waited for with a lock that this needs.
func (m *Monitor) leave(d door) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.receivers[d]
	if s.users--; s.users > 0 {
		return
	}
	go func() {
		s.close()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.receivers, d)
	}()
}

func parametersOf(parameters bgp.BFD) bfd.Parameters {
	return bfd.Parameters{Transmit: parameters.Transmit, Receive: parameters.Receive, DetectMultiplier: parameters.DetectMultiplier}
}

func moment(now time.Time) bfd.Moment {
	return bfd.Moment{Now: now, Random: rand.Float64()} //nolint:gosec // Jitter is no secret.
}
