package gobgp

import (
	"context"
	"net/netip"

	"github.com/herald-network/herald/internal/core/bgp"
)

// What a session learns from its link.
var _ linkSession = (*session)(nil)

func (s *session) restarting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.preserved
}

func (s *session) opened(peer offer) error {
	s.enter(bgp.OpenConfirm, func(o *bgp.Session) {
		o.HoldTime = min(o.Peer.HoldTime, peer.holdTime)
		o.Families = o.Peer.Families & peer.families
		s.extendedNextHop = peer.extendedNextHop
		o.GracefulRestart = o.Peer.GracefulRestart.Enabled && peer.gracefulRestart
	})
	return s.rib.negotiated(context.Background(), peer.extendedNextHop) // What is decided about routes is carried out.
}

// established also makes every later OPEN that of a restart: this process has kept the forwarding state since.
func (s *session) established() {
	var local netip.Addr
	s.enter(bgp.Established, func(o *bgp.Session) {
		local = localAddress(s.link.router.conn)
		o.LocalAddress = local
		s.preserved = true
	})
	s.bfd.connected(s, local)
}

func (s *session) sent(update changes) {
	s.column.record(update)
	s.tally.updates.Add(1)
	s.nudge()
}

func (s *session) refused(update changes) error {
	var err error
	s.edit(func(o *bgp.Session) {
		err = s.refusals.record(update, o.Peer.MaxReceivedPrefixes)
		o.Received = s.refusals.len()
	})
	return err
}
