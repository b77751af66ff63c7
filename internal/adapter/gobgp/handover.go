package gobgp

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// handover lets one session take over from another without a gap ("make before break"). The next one is opened while the
// former is up, so that the router takes it for a restart of this side (RFC 4724, section 4.2) and keeps the routes. The
// former goes when the next is established: without a word, or where the router knows the next as another neighbor, with
// its routes withdrawn once those of the next are out. If the next does not come up, the former stays.
//
// Only the next one is dialled: where the router lets the former go, it is over.
type handover struct {
	peering      *peering
	former, next *session
	from         ends // of the former's connection

	// What only watch touches until done is closed.
	released bool      // the former has been ended
	up       time.Time // since when the next has been established; zero while it is not
	out      time.Time // since when the router's host has had all of the next one's routes; zero while it has not
	lost     time.Time // since when the former has been over; zero while it is not
	complete bool      // there is nothing left to hand over

	cancel context.CancelFunc
	done   chan struct{}
}

const (
	// lookAgain is how often a handover looks for what nobody tells it.
	lookAgain = 20 * time.Millisecond
	// routesTime is how long the next session's first routes are waited for before the former withdraws its own.
	routesTime = 10 * time.Second
	// readTime is how long a router may take to read what its host has received.
	readTime = 2 * time.Second
	// settleTime is how long another change waits for a handover that is nearly complete. Routes of other peers wait too.
	settleTime = readTime + time.Second
	// openTime is how long a next session may take to speak on a connection for which the router has let the former go.
	openTime = time.Second
)

// handOver begins the handover from a session that has yielded to one with another configuration.
func (p *peering) handOver(ctx context.Context, former *session, to bgp.Peer) error {
	from := former.peer()
	next, err := p.newSession(ctx, to)
	if err != nil {
		if !former.resume() {
			former.column.clear() // It was lost just now.
			err = errors.Join(err, former.replace(ctx, to))
		}
		return err
	}
	next.preserved = true
	next.observed.LastError = errReconfigured.Error()
	if from.ASN != to.ASN && isSameNeighbor(from, to) {
		// A router with an established session has the AS that it has. Another connection would end that for nothing.
		next.gate = former.stopped
		next.observed.LastError = asMismatch(to.ASN, from.ASN).Error()
	}
	h := &handover{peering: p, former: former, next: next, from: former.lastEnds(), done: make(chan struct{})}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h.cancel = cancel
	p.mu.Lock()
	p.session, p.handover = next, h
	p.mu.Unlock()
	err = former.adjust(ctx, withRoutesOf(from, to))
	next.start(ctx)
	go h.watch(watching)
	return err
}

// isSameNeighbor reports whether a router that knows one peer's session takes the other's for the same.
func isSameNeighbor(a, b bgp.Peer) bool {
	return a.Address.Addr() == b.Address.Addr() && a.SourceAddress == b.SourceAddress
}

// withRoutesOf returns the configuration of a session that another one is to take over from, as far as that says which
// routes go out and how: what must not be advertised any more does not wait for the handover.
func withRoutesOf(former, to bgp.Peer) bgp.Peer {
	former.Export, former.Draining = to.Export, to.Draining
	moved := former
	moved.NextHopIPv4, moved.NextHopIPv6 = to.NextHopIPv4, to.NextHopIPv6
	if bgp.FamilyOf(former.Address.Addr()) != bgp.FamilyOf(to.Address.Addr()) ||
		moved.NeedsExtendedNextHop() != former.NeedsExtendedNextHop() { // The former's OPEN said otherwise.
		return former
	}
	return moved
}

// halt ends the handover where it stands, and reports whether it is complete.
func (h *handover) halt() (complete bool) {
	h.cancel()
	<-h.done
	return h.complete
}

// settle is halt for a handover that another change comes upon: where the next session is established, the little that is
// left is done first.
func (h *handover) settle() (complete bool) {
	if h.next.observe().State == bgp.Established {
		select {
		case <-h.done:
		case <-time.After(settleTime):
		}
	}
	return h.halt()
}

// dismiss is how a next session ends that was not to be: one that is another neighbor's may have left routes.
func (h *handover) dismiss() farewell {
	if h.next.observe().State == bgp.Established && h.next.lastEnds() != h.from {
		return withdrawal
	}
	return silence
}

func (h *handover) watch(ctx context.Context) {
	defer close(h.done)
	for !h.proceed(context.WithoutCancel(ctx)) {
		poked := h.peering.poked
		var soon <-chan time.Time
		switch {
		case !h.up.IsZero(): // There may be a nudge for each UPDATE.
			poked, soon = nil, time.After(lookAgain)
		case !h.lost.IsZero():
			soon = time.After(lookAgain)
		}
		select {
		case <-poked:
		case <-soon:
		case <-ctx.Done():
			return
		}
	}
}

// proceed does what can be done now, and reports whether that was all.
func (h *handover) proceed(ctx context.Context) (done bool) {
	next := h.next.observe()
	if next.State != bgp.Established {
		h.up, h.out = time.Time{}, time.Time{}
	}
	switch {
	case next.State == bgp.Established:
		return h.takeOver(ctx, next)
	case h.released || h.former.isOver():
		return h.goOnAlone(ctx, next.State)
	case h.next.isTurnedAway(h.from) && h.former.peer().Address == h.next.peer().Address:
		// A router that takes no second connection takes one that follows the first.
		h.next.edit(func(o *bgp.Session) { o.LastError = errReconfigured.Error() })
		h.release(ctx, silence)
		h.next.tryAgain()
	}
	return false
}

// takeOver lets the former go, for a next session that is established.
func (h *handover) takeOver(ctx context.Context, next bgp.Session) (done bool) {
	if h.up.IsZero() {
		h.up = time.Now()
	}
	if h.next.lastEnds() == h.from {
		h.release(ctx, silence)
	}
	if !h.isRouted(next) && time.Since(h.up) < routesTime {
		return false
	}
	h.release(ctx, withdrawal)
	h.next.edit(func(o *bgp.Session) { o.LastError = errReconfigured.Error() })
	h.finish(ctx)
	return true
}

// isRouted reports whether the router has all routes of the next session: at once where the former is gone, and otherwise
// after it has had time to read them. That a route was taken is nothing that BGP tells.
func (h *handover) isRouted(next bgp.Session) bool {
	switch {
	case h.next.column.len() < h.next.rib.len(next.Families):
		return false
	case h.released:
		return true
	case h.next.isSending():
		h.out = time.Time{}
		return false
	case h.out.IsZero():
		h.out = time.Now()
	}
	return time.Since(h.out) >= readTime
}

// goOnAlone leaves the next session to itself after the former was lost, unless it is about to be established.
func (h *handover) goOnAlone(ctx context.Context, next bgp.SessionState) (done bool) {
	if h.lost.IsZero() {
		h.lost = time.Now()
	}
	switch {
	case next == bgp.OpenSent, next == bgp.OpenConfirm:
		return false
	case next == bgp.Connect && time.Since(h.lost) < openTime:
		return false
	}
	if cause := h.former.lossCause(); cause != nil {
		h.next.edit(func(o *bgp.Session) { o.LastError += "; " + isLost + cause.Error() })
	}
	h.release(ctx, silence)
	h.finish(ctx)
	return true
}

// isLost is what a session's cause is followed by where nothing carries the routes any more.
const isLost = "the session with the former configuration is lost: "

// release ends the former session.
func (h *handover) release(ctx context.Context, last farewell) {
	if h.released {
		return
	}
	h.released = true
	_ = h.former.stop(ctx, last, errReconfigured) // What it could not say, nobody is left to hear.
}

func (h *handover) finish(ctx context.Context) {
	h.complete = true
	_ = h.peering.recycle(ctx, h.former) // The engine is emptied again when it is stopped the next time.
	h.peering.mu.Lock()
	h.peering.handover = nil
	h.peering.mu.Unlock()
	h.peering.bfd.takenOver(h.next)
	h.peering.nudge()
}

// succession is what a session knows of another one that is to take over from it, or from which it is to take over.
type succession struct {
	succeeded  bool  // there will be no other attempt
	over       bool  // and the last one has ended, or is being ended
	loss       error // why, where the session was not ended by this side
	turnedAway bool  // the peer took the last connection and wanted no session on it
	ends       ends  // of the last connection
}

// ends are the addresses that tell a router which neighbor a connection is from.
type ends struct{ local, remote netip.Addr }

// yield lets an established session whose routes the peer keeps through a restart make way for another, and reports
// whether it is one.
func (s *session) yield() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.observed.State != bgp.Established || !s.observed.GracefulRestart {
		return false
	}
	s.succeeded = true
	return true
}

// resume takes back that the session has yielded, and reports whether it lasts.
func (s *session) resume() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.succeeded = false
	return true
}

// isSucceeded reports, when the session's connection has ended with the given cause, whether another session has its place.
func (s *session) isSucceeded(cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.succeeded && !s.over {
		s.over, s.loss = true, cause
	}
	return s.succeeded
}

func (s *session) lossCause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loss
}

func (s *session) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

func (s *session) lastEnds() ends {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends
}

// isSending reports whether something that was sent has not reached the router's host.
func (s *session) isSending() bool {
	s.mu.Lock()
	link := s.link
	s.mu.Unlock()
	return link != nil && hasUnacknowledged(link.router.conn)
}

// noteTurnedAway keeps whether the peer ended an attempt in a way that a connection which it has already is a reason for. One that
// has refused the session may hang up for that.
func (s *session) noteTurnedAway(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turnedAway = (errors.As(cause, &hangUp{}) || errors.As(cause, &rejection{})) && !errors.As(cause, &refusal{})
}

// isTurnedAway reports whether the last attempt was one from the given ends and was turned away.
func (s *session) isTurnedAway(from ends) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turnedAway && s.ends == from
}
