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
	"github.com/herald-network/herald/internal/core/plan"
)

const (
	// dialTimeout is how long a router may take to answer the TCP handshake.
	dialTimeout = 6 * time.Second
	// farewellTime is how long a router may take to be told that a session ends, where the caller's patience is greater.
	farewellTime = 5 * time.Second
)

// session holds the session with one peer, over any number of connections.
type session struct {
	rib   *rib
	page  *page
	nudge func()
	again chan struct{} // receives when the wait for the next attempt has lost its reason

	mu        sync.Mutex
	observed  bgp.Session // Advertised is the page's to say
	refusals  *received
	link      *link
	preserved bool // whether the peer's next OPEN may claim that the forwarding state was preserved

	stopRunning context.CancelFunc
	stopped     chan struct{}
}

// start opens the session and keeps it open until stop; the context gives values only.
func (s *session) start(ctx context.Context) {
	ctx, s.stopRunning = context.WithCancel(context.WithoutCancel(ctx))
	s.stopped = make(chan struct{})
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
	link := s.link // There will be no other.
	s.mu.Unlock()
	var err error
	if link != nil {
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
		s.page.waitEmpty(ctx)
		link.cease(packet.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN)
	}
	link.wait(ctx)
	return err
}

// update goes over to another configuration of the peer, with the least that its change costs.
func (s *session) update(ctx context.Context, to bgp.Peer) error {
	s.mu.Lock()
	from, graceful := s.observed.Peer, s.observed.GracefulRestart
	s.mu.Unlock()
	if plan.ImpactOf(from, to) < plan.SessionDrop {
		s.edit(func(o *bgp.Session) { o.Peer = to })
		s.tryAgain()
		return s.rib.configure(ctx, to)
	}
	last := changeOfConfiguration
	switch {
	case from.Address != to.Address:
		last = withdrawal
	case graceful:
		last = silence
	}
	errStop := s.stop(ctx, last, errReconfigured)
	s.edit(func(o *bgp.Session) { o.Peer = to })
	err := errors.Join(errStop, s.rib.configure(ctx, to))
	s.start(ctx)
	return err
}

// run connects, and connects again, until the context is done.
func (s *session) run(ctx context.Context) {
	var retry retry
	var reasons reasons
	for {
		end := s.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := retry.next(end, s.peer().ConnectRetryTime)
		s.ended(reasons.of(end.cause), wait)
		select {
		case <-ctx.Done():
			return
		case <-s.again:
		case <-time.After(wait):
		}
	}
}

// attempt holds one connection from the dialling to its end.
func (s *session) attempt(ctx context.Context) outcome {
	peer := s.peer()
	s.enter(bgp.Connect, func(o *bgp.Session) { o.LimitExceeded = false })
	router, err := dial(ctx, peer)
	if err != nil {
		return outcome{cause: dialCause(err)}
	}
	local := localAddress(router)
	engine, disconnect, err := s.prepare(ctx, peer, local)
	if err != nil {
		_ = router.Close() // Nothing was said on it.
		return outcome{cause: err}
	}
	defer disconnect()
	l := &link{peer: peer, router: newOutlet(router), engine: newOutlet(engine), session: s, ended: make(chan struct{})}
	s.enter(bgp.OpenSent, func(*bgp.Session) { s.link, s.refusals = l, newReceived() })
	if ctx.Err() != nil {
		l.close() // stop may have come too early to see the link.
	}
	cause := l.run()
	s.page.clear()
	return outcome{cause: cause, lived: s.lived()}
}

// prepare readies the engine for a connection with the given local address.
func (s *session) prepare(ctx context.Context, peer bgp.Peer, local netip.Addr) (net.Conn, func(), error) {
	if err := s.rib.connected(ctx, local); err != nil {
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
			o.Flaps++
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
	out := s.observed
	s.mu.Unlock()
	if out.State == bgp.Established {
		out.Advertised = s.page.len()
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

func dial(ctx context.Context, peer bgp.Peer) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	if peer.SourceAddress.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(peer.SourceAddress, 0))
	}
	return dialer.DialContext(ctx, "tcp", peer.Address.String())
}

func localAddress(conn net.Conn) netip.Addr {
	if tcp, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
