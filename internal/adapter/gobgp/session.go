package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// farewellTime is how long a router may take to be told that a session ends, where the caller's patience is greater.
const farewellTime = 5 * time.Second

// session holds the session with one peer, over any number of connections.
type session struct {
	rib    *rib
	column *column
	tally  *tally
	nudge  func()
	again  chan struct{}   // receives when the wait for the next attempt has lost its reason
	caller *caller         // where the peer's connections arrive, if it is the one to connect
	gate   <-chan struct{} // closed when the session may begin; nil where it may at once
	bfd    *watch

	mu        sync.Mutex
	observed  bgp.Session // without what the book and the tally have to say
	refusals  *received
	link      *link
	preserved bool // whether the peer's next OPEN may claim that the forwarding state was preserved
	// extendedNextHop says that the peer takes IPv4 routes with an IPv6 next hop (RFC 8950).
	extendedNextHop bool
	// awaiting says that nothing but a connection of the peer is missing, challenged that one of two is being asked for life.
	awaiting, challenged bool
	succession

	stopRunning context.CancelFunc
	stopped     chan struct{}
}

// start opens the session and keeps it open until stop; the context gives values only.
func (s *session) start(ctx context.Context) {
	ctx, s.stopRunning = context.WithCancel(context.WithoutCancel(ctx))
	s.stopped = make(chan struct{})
	s.mu.Lock()
	s.succession = succession{}
	s.mu.Unlock()
	go func() {
		defer close(s.stopped)
		s.run(ctx)
	}()
}

// farewell is what a session says at its end.
type farewell uint8

const (
	// silence ends the connection without a NOTIFICATION: a peer with graceful restart keeps the routes.
	silence farewell = iota
	// changeOfConfiguration says Cease/Other Configuration Change: the peer drops the routes until the next session.
	changeOfConfiguration
	// withdrawal withdraws every route, then says Cease/Administrative Shutdown.
	withdrawal
)

// stop ends the session and sets the cause that users see. The context bounds how long the farewell may take.
func (s *session) stop(ctx context.Context, last farewell, cause error) error {
	s.stopRunning()
	s.mu.Lock()
	s.over = true
	link := s.link // There will be no other.
	s.mu.Unlock()
	var err error
	if link != nil && !link.isOver() {
		err = s.leave(ctx, link, last)
	}
	<-s.stopped
	s.down(bgp.Idle, func(o *bgp.Session) { o.LastError = cause.Error() })
	return err
}

// leave ends a connection.
func (s *session) leave(ctx context.Context, link *link, last farewell) error {
	defer link.close()
	ctx, cancel := context.WithTimeout(ctx, farewellTime)
	defer cancel()
	var err error
	switch last {
	case silence:
		return nil
	case changeOfConfiguration:
		link.cease(packet.BGP_ERROR_SUB_OTHER_CONFIGURATION_CHANGE)
	case withdrawal:
		err = s.rib.withdrawAll(ctx)
		s.column.waitEmpty(ctx, link.ended)
		link.cease(packet.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN)
	}
	link.wait(ctx)
	return err
}

// adjust goes over to another configuration of the peer that its session does not have to be dropped for.
func (s *session) adjust(ctx context.Context, to bgp.Peer) error {
	s.edit(func(o *bgp.Session) { o.Peer = to })
	s.tryAgain()
	s.caller.update(to)
	return errors.Join(s.retune(to), s.rib.configure(ctx, to))
}

// retune brings the present connection to the TTLs of a peer.
func (s *session) retune(peer bgp.Peer) error {
	s.mu.Lock()
	link := s.link
	s.mu.Unlock()
	if link == nil || link.isOver() {
		return nil
	}
	if err := retune(link.router.conn, peer); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("set the TTL of the connection: %w", err)
	}
	return nil
}

// replace goes over to another configuration of the peer with a session that ends before the next one begins.
func (s *session) replace(ctx context.Context, to bgp.Peer) error {
	s.mu.Lock()
	now := s.observed
	s.mu.Unlock()
	last := changeOfConfiguration
	switch {
	case now.State != bgp.Established:
		last = silence // The router may still keep the routes of the session before.
	case now.Peer.Address != to.Address:
		last = withdrawal
	case now.GracefulRestart:
		last = silence
	}
	errStop := s.stop(ctx, last, errReconfigured)
	s.edit(func(o *bgp.Session) { o.Peer = to })
	err := errors.Join(errStop, s.rib.begin(ctx, to))
	s.start(ctx)
	return err
}

// run connects, and connects again, until the context is done or the session has a successor.
func (s *session) run(ctx context.Context) {
	defer s.caller.leave()
	if !s.pass(ctx) {
		return
	}
	var retry retry
	var reasons reasons
	for {
		end := s.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		if s.isSucceeded(end.cause) {
			s.nudge()
			return
		}
		wait := retry.next(end, s.peer().ConnectRetryTime)
		s.ended(reasons.of(end.cause, end.lived > 0), wait)
		select {
		case <-ctx.Done():
			return
		case <-s.again:
		case <-time.After(wait):
		}
	}
}

// pass waits until the session may begin, and reports whether it does.
func (s *session) pass(ctx context.Context) bool {
	if s.gate == nil {
		return true
	}
	select {
	case <-s.gate:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt holds one connection from its making to its end.
func (s *session) attempt(ctx context.Context) outcome {
	peer := s.peer()
	router, err := s.connect(ctx, peer)
	if err != nil {
		return outcome{cause: err}
	}
	local := localAddress(router)
	engine, disconnect, err := s.prepare(ctx, peer, local)
	if err != nil {
		_ = router.Close() // Nothing was said on it.
		return outcome{cause: err}
	}
	defer disconnect()
	l := newLink(peer, router, engine, s, s.column.count)
	s.enter(bgp.OpenSent, func(*bgp.Session) {
		s.link, s.refusals = l, newReceived()
		s.ends = ends{local: local, remote: peer.Address.Addr()}
	})
	if ctx.Err() != nil || s.caller.hasCalled() {
		l.close() // stop, or the peer's next connection, may have come too early to see the link.
	}
	if err := s.retune(s.peer()); err != nil { // A change of the TTLs may have come too early as well.
		l.fail(err)
		l.close()
	}
	cause := l.run()
	if !s.isSucceeded(cause) {
		s.column.clear()
	}
	return outcome{cause: cause, lived: s.lived()}
}

// connect makes a connection to the peer, or waits until the peer makes one.
func (s *session) connect(ctx context.Context, peer bgp.Peer) (net.Conn, error) {
	if peer.Passive {
		return s.await(ctx, peer)
	}
	s.enter(bgp.Connect, func(o *bgp.Session) { o.LimitExceeded = false })
	conn, err := dial(ctx, peer)
	if err != nil {
		return nil, dialCause(err)
	}
	return conn, nil
}

// prepare readies the engine for a connection with the given local address.
func (s *session) prepare(ctx context.Context, peer bgp.Peer, local netip.Addr) (net.Conn, func(), error) {
	if err := s.rib.connected(ctx, peer, local); err != nil {
		return nil, nil, err
	}
	return s.rib.engine.connect(ctx, peer)
}

// lived returns how long the session has been established, 0 if it is not.
func (s *session) lived() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.observed.State != bgp.Established {
		return 0
	}
	return time.Since(s.observed.Since)
}

// ended enters why an attempt failed. RFC 4271 calls waiting for the next one Active; a session that must stay down for a
// while is Idle.
func (s *session) ended(cause error, wait time.Duration) {
	s.noteTurnedAway(cause)
	limit := (*prefixLimitError)(nil)
	if !errors.As(cause, &limit) {
		s.down(bgp.Active, func(o *bgp.Session) { o.LastError = cause.Error() })
		return
	}
	s.down(bgp.Idle, func(o *bgp.Session) {
		o.LimitExceeded = true
		o.LastError = fmt.Sprintf("%s; next attempt after %s", cause, wait)
	})
}

// down enters that there is no connection: the loss of a session and its cause become visible together.
func (s *session) down(state bgp.SessionState, why func(*bgp.Session)) {
	s.enter(state, func(o *bgp.Session) {
		if o.State == bgp.Established {
			s.tally.flaps.Add(1)
		}
		s.link, s.refusals = nil, nil
		o.LocalAddress, o.HoldTime, o.Families, o.GracefulRestart, o.Received = netip.Addr{}, 0, 0, false, 0
		why(o)
	})
}

// tryAgain ends the wait for the next attempt: what it waited for may have changed.
func (s *session) tryAgain() {
	select {
	case s.again <- struct{}{}:
	default:
	}
}

func (s *session) peer() bgp.Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.observed.Peer
}

// observe returns what the session is doing now.
func (s *session) observe() bgp.Session {
	s.mu.Lock()
	out, awaiting := s.observed, s.awaiting
	out.Flaps, out.UpdatesSent = int(s.tally.flaps.Load()), s.tally.updates.Load()
	if out.Peer.NeedsExtendedNextHop() && !s.extendedNextHop {
		out.Families &^= bgp.FamiliesOf(bgp.IPv4)
	}
	s.mu.Unlock()
	if out.State == bgp.Established {
		out.Advertised = s.column.len()
	}
	if awaiting {
		out.LastError = withWaiting(out.LastError, out.Peer)
	}
	return out
}

// enter changes the state, and what else edit changes with it.
func (s *session) enter(state bgp.SessionState, edit func(*bgp.Session)) {
	s.edit(func(o *bgp.Session) {
		edit(o)
		if o.State != state {
			o.State, o.Since = state, time.Now()
		}
	})
}

func (s *session) edit(edit func(*bgp.Session)) {
	s.mu.Lock()
	edit(&s.observed)
	s.mu.Unlock()
	s.nudge()
}
