package gobgp

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// subcodeBFDDown is that of a Cease whose sender has lost the path (RFC 9384).
const subcodeBFDDown = 10

// BFDSession is one peer's BFD session.
type BFDSession interface {
	// Set changes the timers of a session that goes on.
	Set(parameters bgp.BFD)
	Counters() bgp.BFDCounters
	// Close tells the peer that BFD is shut down, which says nothing about the path, and returns at once. Nothing is notified
	// afterwards.
	Close()
}

// WatchBFD begins a BFD session between two addresses. The function is told what becomes of it, in order; it returns at once
// and calls no method of the session. A session that can't be held is Down, and says why.
type WatchBFD func(parameters bgp.BFD, local, remote netip.Addr, notify func(bgp.BFDEvent)) BFDSession

// watch is the BFD of what a node has with one peer (RFC 5882, section 10.2). It begins when a session is first established,
// goes on over any number of connections, and ends with the peer's configuration. It ends connections, but never keeps one from
// coming about.
type watch struct {
	peering *peering
	begin   WatchBFD // nil where the speaker was made without

	// mu is taken before any lock of the BFD session.
	mu      sync.Mutex
	running BFDSession // nil where there is none
	between path
	local   netip.Addr // that of the latest connection; the zero Addr before the first
	closed  bool

	// told guards the latest news; it is taken after any lock of the BFD session.
	told sync.Mutex
	news bgp.BFDEvent
}

// path is what a BFD session can't change.
type path struct {
	local, remote netip.Addr
	multihop      bool
}

// areOf reports whether a connection between the ends takes the path.
func (e ends) areOf(p path) bool {
	return e.remote == p.remote && e.local.WithZone(e.remote.Zone()) == p.local
}

func watchedPath(peer bgp.Peer, local netip.Addr) path {
	remote := peer.Address.Addr()
	return path{local.WithZone(remote.Zone()), remote, peer.BFD.Multihop}
}

// connected begins or goes on with what the peer's configuration says, now that the local address is known. While a session on
// another path still carries the routes, BFD stays with that one: routers take the end of BFD for that of the path.
func (w *watch) connected(s *session, local netip.Addr) {
	_, handover := w.peering.present()
	w.mu.Lock()
	defer w.mu.Unlock()
	peer := s.peer()
	if handover != nil && w.running != nil && w.between != watchedPath(peer, local) {
		return // takenOver follows.
	}
	w.local = local
	w.follow(peer)
}

// update goes over to another configuration of the peer, without touching its session. That of a session which is to take over
// from another waits until it has.
func (w *watch) update(peer bgp.Peer) {
	if _, handover := w.peering.present(); handover != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaveAddress(peer)
	w.follow(peer)
}

// takenOver goes over to a session from the one whose place it has.
func (w *watch) takenOver(next *session) {
	now := next.observe()
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.State == bgp.Established {
		w.local = now.LocalAddress
	} else {
		w.leaveAddress(now.Peer)
	}
	w.follow(now.Peer)
}

// leaveAddress ends BFD with another address than the peer's. Where no connection was made yet there is no BFD yet either.
func (w *watch) leaveAddress(peer bgp.Peer) {
	if w.running != nil && w.between.remote != peer.Address.Addr() {
		w.stop()
		w.local = netip.Addr{}
	}
}

// noticeTime is how long a router may take to notice that a connection was closed.
const noticeTime = 500 * time.Millisecond

// leave ends BFD for good, after the BGP session. Routers take the end of BFD for a failure as long as there is a session to end,
// and may hear of both by different ways: where they shall keep the routes, they get time to notice the one before the other.
func (w *watch) leave(ctx context.Context, last farewell) {
	if last == silence && w.isUp() {
		select {
		case <-ctx.Done():
		case <-time.After(noticeTime):
		}
	}
	w.close()
}

func (w *watch) isUp() bool {
	w.told.Lock()
	defer w.told.Unlock()
	return w.news.State == bgp.BFDUp
}

func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.stop()
}

// observe enters what BFD is doing now.
func (w *watch) observe(out *bgp.Session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == nil {
		return
	}
	out.BFDCounters = w.running.Counters()
	w.told.Lock()
	defer w.told.Unlock()
	out.BFD, out.BFDCause = w.news.State, w.news.Cause
}

func (w *watch) follow(peer bgp.Peer) {
	if w.begin == nil || w.closed || !peer.BFD.Enabled || !w.local.IsValid() {
		w.stop()
		return
	}
	between := watchedPath(peer, w.local)
	if w.running != nil && w.between == between {
		w.running.Set(peer.BFD)
		return
	}
	w.stop()
	w.between = between
	w.running = w.begin(peer.BFD, between.local, between.remote, func(event bgp.BFDEvent) { w.notify(between, event) })
}

func (w *watch) stop() {
	if w.running == nil {
		return
	}
	w.running.Close()
	w.running = nil
	w.told.Lock()
	w.news = bgp.BFDEvent{}
	w.told.Unlock()
	w.peering.nudge()
}

// notify notes what became of the BFD session on a path, and ends the connections on it at once where it has failed.
func (w *watch) notify(between path, event bgp.BFDEvent) {
	w.told.Lock()
	w.news = event
	w.told.Unlock()
	w.peering.nudge()
	if !event.Failed {
		return
	}
	for _, s := range w.peering.sessions() {
		if s.lastEnds().areOf(between) {
			s.lose(pathFailure{errors.New("BFD down: " + event.Cause)})
		}
	}
}

// pathFailure is a cause that what follows comes of.
type pathFailure struct{ error }

// lose ends an established session whose path has failed. The peer is told (RFC 9384), in case that it can still hear.
func (s *session) lose(cause error) {
	s.mu.Lock()
	link, established := s.link, s.observed.State == bgp.Established
	s.mu.Unlock()
	if link == nil || !established || link.isOver() {
		return
	}
	link.fail(cause)
	go link.cease(subcodeBFDDown) // A router that reads nothing may keep the message waiting.
}

// silenceMargin is what a router's own timers may be late.
const silenceMargin = 200 * time.Millisecond

// silence returns the gate of a peer's first session; nil where it may begin at once. After an earlier process that was killed,
// the router still has its BFD session: were there a BGP session when that one fails, FRR would take the routes away that it
// keeps over a restart. So there is none until then.
func (o Options) silence(peer bgp.Peer) <-chan struct{} {
	if !o.ForwardingPreserved || o.WatchBFD == nil || !peer.BFD.Enabled {
		return nil
	}
	gate := make(chan struct{})
	detection := time.Duration(peer.BFD.DetectMultiplier) * peer.BFD.Transmit
	time.AfterFunc(min(detection, maxSilence)+silenceMargin, func() { close(gate) })
	return gate
}

// maxSilence bounds how long a session waits for the sake of BFD.
const maxSilence = 5 * time.Second
