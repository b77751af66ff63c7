package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// caller is where the connections of a peer arrive that is the one to connect. It holds one, the latest: a peer that
// connects again has given up what it had before.
type caller struct {
	ports *ports

	mu       sync.Mutex
	expected bool
	seat     *seat // nil until the peer can connect
	waiting  net.Conn
	arrived  chan struct{} // receives when there is something waiting
}

func newCaller(ports *ports) *caller { return &caller{ports: ports, arrived: make(chan struct{}, 1)} }

// expect lets the peer connect, if it may not yet.
func (c *caller) expect(ctx context.Context, peer bgp.Peer, take func(net.Conn)) error {
	c.mu.Lock()
	seated := c.seat != nil
	c.expected = true
	c.mu.Unlock()
	if seated {
		return nil
	}
	seat, err := c.ports.join(ctx, peer, take)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seat = seat
	return nil
}

// leave lets the peer connect no more.
func (c *caller) leave() {
	c.mu.Lock()
	seat, waiting := c.seat, c.waiting
	c.expected, c.seat, c.waiting = false, nil, nil
	c.mu.Unlock()
	if waiting != nil {
		_ = waiting.Close() // Nothing was said on it.
	}
	if seat != nil {
		c.ports.leave(seat)
	}
}

// update notes another configuration of the peer that changes nothing of where it connects to.
func (c *caller) update(to bgp.Peer) {
	c.mu.Lock()
	seat := c.seat
	c.mu.Unlock()
	if seat != nil {
		c.ports.update(seat, to)
	}
}

// put takes a connection of the peer, in place of one that still waits.
func (c *caller) put(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.expected {
		_ = conn.Close() // Nothing was said on it.
		return
	}
	if c.waiting != nil {
		_ = c.waiting.Close()
	}
	c.waiting = conn
	select {
	case c.arrived <- struct{}{}:
	default:
	}
}

// take returns the connection that waits, nil if none does.
func (c *caller) take() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := c.waiting
	c.waiting = nil
	return conn
}

// hasCalled reports whether a connection waits.
func (c *caller) hasCalled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting != nil
}

// await waits for the peer to connect.
func (s *session) await(ctx context.Context, peer bgp.Peer) (net.Conn, error) {
	if err := s.caller.expect(ctx, peer, s.offered); err != nil {
		return nil, err
	}
	s.enter(bgp.Active, func(o *bgp.Session) { o.LimitExceeded, s.awaiting = false, true })
	defer s.edit(func(*bgp.Session) { s.awaiting = false })
	for {
		if conn := s.caller.take(); conn != nil {
			if err := secure(conn, peer); err != nil {
				_ = conn.Close() // Nothing was said on it.
				return nil, err
			}
			return conn, nil
		}
		select {
		case <-s.caller.arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// withWaiting adds to the last cause that the peer is to come back.
func withWaiting(last string, peer bgp.Peer) string {
	at := fmt.Sprintf("port %d of this node", peer.ListenPort)
	if peer.SourceAddress.IsValid() {
		at = netip.AddrPortFrom(peer.SourceAddress, peer.ListenPort).String()
	}
	waiting := "waiting for the peer to connect to " + at
	if last == "" {
		return waiting
	}
	return last + "; " + waiting
}

// secure sets on an accepted connection what holds for the peer. Its password counts once more: the connection may have
// come about just before the listener had it.
func secure(conn net.Conn, peer bgp.Peer) error {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err == nil {
		err = control(raw, func(fd int) error { return prepareSocket(fd, peer) })
	}
	if err != nil {
		return fmt.Errorf("prepare the peer's connection: %w", err)
	}
	return nil
}

// offered takes a connection that the peer has made while the session has one, or has none.
func (s *session) offered(conn net.Conn) {
	s.mu.Lock()
	now, link := s.observed, s.link
	refuse := now.LimitExceeded || s.succeeded || s.challenged
	challenge := link != nil && now.State == bgp.Established && !now.GracefulRestart
	s.challenged = s.challenged || challenge && !refuse
	s.mu.Unlock()
	switch {
	case refuse:
		_ = conn.Close()
	case challenge:
		go s.challenge(link, conn)
	default:
		// With graceful restart it is a peer that has restarted (RFC 4724, section 4.2). Without a session, it has given up
		// the connection before.
		s.caller.put(conn)
		if link != nil {
			link.fail(errCalledAgain)
			link.close()
		}
	}
}

// challengeTime is how long a peer that is gone may take to say so: its host answers what belongs to no connection.
const challengeTime = 2 * time.Second

// challenge decides between an established session and another connection of its peer. The session stays (RFC 4271,
// section 6.8), unless it proves dead: a host that was restarted resets it when it hears of it.
func (s *session) challenge(link *link, conn net.Conn) {
	defer func() {
		s.mu.Lock()
		s.challenged = false
		s.mu.Unlock()
	}()
	if link.router.send(keepalive(), false) == nil {
		select {
		case <-link.ended:
		case <-time.After(challengeTime):
			_ = conn.Close()
			return
		}
	}
	s.caller.put(conn)
	link.close()
}

var errCalledAgain = errors.New("the peer opened another connection in place of this one")
