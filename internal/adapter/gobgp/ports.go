package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-logr/logr"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/logkey"
)

// ports are those that passive peers connect to: each is open while there is a peer for it, and no longer.
type ports struct {
	log     logr.Logger
	refused atomic.Uint64 // connections of whoever is no peer

	mu   sync.Mutex
	open map[portKey]*port
}

// portKey is what a port is opened for: each family has a listener of its own.
type portKey struct {
	family bgp.Family
	number uint16
}

func portOf(peer bgp.Peer) portKey {
	return portKey{family: bgp.FamilyOf(peer.Address.Addr()), number: peer.ListenPort}
}

// network is the listener's, in the words of package net.
func (k portKey) network() string {
	if k.family == bgp.IPv6 {
		return "tcp6"
	}
	return "tcp4"
}

// port is one listener and those whom it is for.
type port struct {
	listener *net.TCPListener
	seats    []*seat // guarded by the lock of the ports
}

// seat is the place of one peer at a port.
type seat struct {
	peer bgp.Peer
	take func(net.Conn) // called with the lock of the ports held
}

// admits reports whether a connection between two addresses is the peer's.
func (s *seat) admits(remote, local netip.Addr) bool {
	return s.peer.Address.Addr() == remote && (!s.peer.SourceAddress.IsValid() || withoutZone(s.peer.SourceAddress) == withoutZone(local))
}

// join lets a peer connect. From then on take gets its connections.
func (p *ports) join(ctx context.Context, peer bgp.Peer, take func(net.Conn)) (*seat, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := portOf(peer)
	at, isOpen := p.open[key]
	joining := &seat{peer: peer, take: take}
	if !isOpen {
		listener, err := listen(ctx, key, peer)
		if err != nil {
			return nil, listenCause(key.number, err)
		}
		at = &port{listener: listener}
		if p.open == nil {
			p.open = map[portKey]*port{}
		}
		p.open[key] = at
		go p.serve(at)
	}
	for _, other := range at.seats {
		if other.peer.Address.Addr() == peer.Address.Addr() && other.peer.Password != peer.Password {
			return nil, fmt.Errorf("peer %s has the same address and another password: a port can take only one of them", other.peer.Name)
		}
	}
	at.seats = append(at.seats, joining)
	if err := at.prepare(peer.Address.Addr(), peer.Password); err != nil {
		p.remove(at, joining)
		return nil, listenCause(key.number, err)
	}
	return joining, nil
}

// leave ends what join began, and closes the port behind the last peer.
func (p *ports) leave(leaving *seat) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, isOpen := p.open[portOf(leaving.peer)]; isOpen {
		p.remove(at, leaving)
	}
}

// update notes another configuration of a peer that keeps its port, address and password.
func (p *ports) update(of *seat, to bgp.Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of.peer = to
	if at, isOpen := p.open[portOf(to)]; isOpen {
		_ = at.prepare(to.Address.Addr(), to.Password) // Each connection gets the TTLs of its own peer too.
	}
}

func (p *ports) remove(at *port, leaving *seat) {
	at.seats = slices.DeleteFunc(at.seats, func(s *seat) bool { return s == leaving })
	if len(at.seats) == 0 {
		_ = at.listener.Close() // Nothing was said on it.
		delete(p.open, portOf(leaving.peer))
		return
	}
	address := leaving.peer.Address.Addr()
	if !slices.ContainsFunc(at.seats, func(s *seat) bool { return s.peer.Address.Addr() == address }) {
		_ = at.prepare(address, bgp.Password{}) // An address that no peer has is turned away in any case.
	}
}

// prepare sets the password of connections from an address, and the TTL that the listener takes packets with: the lowest
// that one of its peers may send.
func (p *port) prepare(from netip.Addr, password bgp.Password) error {
	raw, err := p.listener.SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, func(fd int) error { return p.set(fd, from, password) })
}

func (p *port) set(fd int, from netip.Addr, password bgp.Password) error {
	if from.Zone() == "" { // A link-local peer has no password.
		if err := setKey(fd, from, password); err != nil {
			return err
		}
	}
	lowest := uint8(0)
	for i, s := range p.seats {
		if i == 0 || s.peer.MinimumTTL < lowest {
			lowest = s.peer.MinimumTTL
		}
	}
	return setTTL(fd, bgp.FamilyOf(from), handshakeTTL, lowest)
}

// handshakeTTL is that of a listener's answer to a SYN, which a peer with TTL security takes with no other (RFC 5082,
// section 3). All that follows has the TTL of the connection.
const handshakeTTL = 255

// listen opens a port. What its first peer needs is set before anybody can connect.
func listen(ctx context.Context, key portKey, first bgp.Peer) (*net.TCPListener, error) {
	opening := &port{seats: []*seat{{peer: first}}}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error { return opening.set(fd, first.Address.Addr(), first.Password) })
	}}
	config.SetMultipathTCP(false) // Go's listeners would have it, and it has no TCP MD5 signatures.
	listener, err := config.Listen(ctx, key.network(), net.JoinHostPort("", strconv.Itoa(int(key.number))))
	if err != nil {
		return nil, err
	}
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the listener is a %T", listener), listener.Close())
	}
	return tcp, nil
}

// listenCause says why a port cannot be listened on.
func listenCause(number uint16, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on port %d: another process of the node does", number)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot listen on port %d: ports below 1024 take the capability NET_BIND_SERVICE", number)
	default:
		return fmt.Errorf("cannot listen on port %d: %w", number, err)
	}
}

// serve hands each connection to the peer that has made it, until the port is closed.
func (p *ports) serve(at *port) {
	for {
		conn, err := at.listener.AcceptTCP()
		switch {
		case err == nil:
			p.receive(at, conn)
		case errors.Is(err, net.ErrClosed):
			return
		default: // Out of file descriptors, say.
			p.log.V(1).Info("Waiting to accept connections again", logkey.Reason, err.Error())
			<-time.After(acceptPause)
		}
	}
}

const acceptPause = 100 * time.Millisecond

func (p *ports) receive(at *port, conn net.Conn) {
	remote, local := addressOf(conn.RemoteAddr()), addressOf(conn.LocalAddr())
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range at.seats {
		if s.admits(remote, local) {
			s.take(conn)
			return
		}
	}
	_ = conn.Close() // Nothing was said on it.
	p.refused.Add(1)
	p.log.V(1).Info("Refusing a connection of no peer", logkey.Address, remote.String())
}
