package gobgp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"
	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/herald-network/herald/internal/core/bgp"
)

// engine is the GoBGP server of one peer. It listens on an address of 127.0.0.0/8 and takes one connection at a time,
// each from another address of that network that nobody is told.
type engine struct {
	loop   *loop
	freed  <-chan struct{} // receives when a neighbor that was removed is gone
	listen netip.AddrPort
	held   map[netip.Prefix]struct{} // what is in the RIB
}

// connectTimeout bounds what an engine has to do to take a connection, all of it on this host.
const connectTimeout = 5 * time.Second

// start starts the engine with the AS number and the router ID of the peer's sessions, and with an empty RIB.
func (e *engine) start(ctx context.Context, peer bgp.Peer) error {
	var err error
	e.held = map[netip.Prefix]struct{}{}
	if e.listen, err = freePort(ctx); err != nil {
		return fmt.Errorf("find a port for the engine: %w", err)
	}
	err = e.loop.start(ctx, &api.Global{
		Asn:             uint32(peer.LocalASN),
		RouterId:        peer.RouterID.String(),
		ListenAddresses: []string{e.listen.Addr().String()},
		ListenPort:      int32(e.listen.Port()),
		Families:        []uint32{unicastIPv4, unicastIPv6},
	})
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	return nil
}

// GoBGP's numbers for families in its global configuration.
const (
	unicastIPv4 = 0
	unicastIPv6 = 1
)

// stop stops the engine and empties its RIB, so that it can be started for another peer.
func (e *engine) stop(ctx context.Context) error {
	return errors.Join(e.withdrawAll(ctx), e.loop.stop(ctx))
}

// advertise puts a path into the RIB, in place of what was there for its prefix.
func (e *engine) advertise(ctx context.Context, a bgp.Advertisement) error {
	path, err := pathOf(a)
	if err == nil {
		_, err = e.loop.AddPath(ctx, &api.AddPathRequest{Path: path})
	}
	if err != nil {
		return fmt.Errorf("advertise %s: %w", a.Prefix, err)
	}
	e.held[a.Prefix] = struct{}{}
	return nil
}

// withdraw takes the path of a prefix out of the RIB, if there is one.
func (e *engine) withdraw(ctx context.Context, prefix netip.Prefix) error {
	if _, there := e.held[prefix]; !there {
		return nil
	}
	path, err := withdrawalOf(prefix)
	if err == nil {
		err = e.loop.DeletePath(ctx, &api.DeletePathRequest{Path: path})
	}
	if err != nil {
		return fmt.Errorf("withdraw %s: %w", prefix, err)
	}
	delete(e.held, prefix)
	return nil
}

// withdrawAll empties the RIB: that is what GoBGP takes a request without a path for.
func (e *engine) withdrawAll(ctx context.Context) error {
	err := e.loop.DeletePath(ctx, &api.DeletePathRequest{})
	if err == nil {
		clear(e.held)
	}
	return err
}

// connect gives the engine a fresh neighbor and returns a connection to it, on which the engine speaks to the peer. The
// neighbor is fresh each time because one that has lost its session would sit idle for 5 s. Whoever closes the connection
// calls disconnect afterwards.
func (e *engine) connect(ctx context.Context, peer bgp.Peer) (conn net.Conn, disconnect func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	from := loopbackAddress()
	remove := func() { _ = e.removeNeighbor(context.WithoutCancel(ctx), from) } // The next one has another address.
	if err := e.addNeighbor(ctx, peer, from); err != nil {
		remove()
		return nil, nil, fmt.Errorf("add the peer to the engine: %w", err)
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err = dialer.DialContext(ctx, "tcp4", e.listen.String())
	if err != nil {
		remove()
		return nil, nil, fmt.Errorf("connect to the engine: %w", err)
	}
	return conn, remove, nil
}

// addNeighbor adds the neighbor and waits until it takes connections: one that comes while it is still idle is closed.
func (e *engine) addNeighbor(ctx context.Context, peer bgp.Peer, from netip.Addr) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	active := make(chan struct{})
	once := sync.OnceFunc(func() { close(active) })
	err := e.loop.WatchEvent(ctx, &api.WatchEventRequest{Peer: &api.WatchEventRequest_Peer{}}, func(r *api.WatchEventResponse) {
		if state := r.GetPeer().GetPeer().GetState(); state.GetNeighborAddress() == from.String() &&
			state.GetSessionState() == api.PeerState_ACTIVE {
			once()
		}
	})
	if err != nil {
		return err
	}
	if err := e.loop.AddPeer(ctx, &api.AddPeerRequest{Peer: neighbor(peer, from)}); err != nil {
		return err
	}
	select {
	case <-active:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// removeNeighbor removes the neighbor and waits until nothing of it runs any more: it would still read the configuration
// that the next stop or start of the engine writes.
func (e *engine) removeNeighbor(ctx context.Context, address netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := e.loop.DeletePeer(ctx, &api.DeletePeerRequest{Address: address.String()}); err != nil {
		return err
	}
	select {
	case <-e.freed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// neighbor returns the peer as GoBGP shall see it. It never says that it restarts: the link does, see rewriteOpen.
func neighbor(peer bgp.Peer, from netip.Addr) *api.Peer {
	n := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: from.String(),
			PeerAsn:         uint32(peer.ASN),
			LocalAsn:        uint32(peer.LocalASN),
		},
		Transport: &api.Transport{PassiveMode: true},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime:          uint64(peer.HoldTime / time.Second),
			KeepaliveInterval: uint64(peer.KeepaliveTime / time.Second),
		}},
		GracefulRestart: &api.GracefulRestart{
			Enabled:     peer.GracefulRestart.Enabled,
			RestartTime: uint32(peer.GracefulRestart.RestartTime / time.Second),
		},
	}
	for family := range peer.Families.All() {
		n.AfiSafis = append(n.AfiSafis, &api.AfiSafi{
			Config: &api.AfiSafiConfig{Family: familyNumber(family), Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{
				Config: &api.MpGracefulRestartConfig{Enabled: peer.GracefulRestart.Enabled},
			},
		})
	}
	return n
}

func familyNumber(family bgp.Family) *api.Family {
	afi := api.Family_AFI_IP
	if family == bgp.IPv6 {
		afi = api.Family_AFI_IP6
	}
	return &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST}
}

// freePort returns an address of 127.0.0.0/8 with a port that is free on it.
func freePort(ctx context.Context) (netip.AddrPort, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", netip.AddrPortFrom(loopbackAddress(), 0).String())
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer func() { _ = listener.Close() }() // It only asked which port is free.
	return netip.ParseAddrPort(listener.Addr().String())
}

// loopbackAddress returns an address of 127.0.0.0/8 that nobody can guess, and nothing else uses but by a chance of one
// in 16 million.
func loopbackAddress() netip.Addr {
	address := [4]byte{127}
	_, _ = rand.Read(address[1:]) // It never fails.
	for i, b := range address[1:] {
		address[i+1] = max(1, min(b, 254)) // Neither the network's own address nor its broadcast.
	}
	return netip.AddrFrom4(address)
}

// engines are the engines of a speaker that no peer uses. GoBGP has no way to end a server's loop, so that they are kept
// and started again.
type engines struct {
	log  logr.Logger
	mu   sync.Mutex
	idle []*engine
}

// take returns an engine that is not started.
func (p *engines) take() *engine {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		e := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return e
	}
	brake, freed := newBrake(), make(chan struct{}, 1)
	logger := engineLogger{log: p.log, freed: freed}
	l := &loop{
		BgpServer: server.NewBgpServer(server.LoggerOption(logger), server.TimingHookOption(brake)),
		brake:     brake,
	}
	go l.Serve()
	return &engine{loop: l, freed: freed}
}

// give takes a stopped engine back.
func (p *engines) give(e *engine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, e)
}
