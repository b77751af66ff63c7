package plan

import "github.com/herald-network/herald/internal/core/bgp"

// Field is a field of bgp.Peer with what changing it on a live session does.
type Field struct {
	// Name of the field in bgp.Peer.
	Name   string
	Impact Impact

	differs func(a, b bgp.Peer) bool
}

// PeerFields returns every field of bgp.Peer with its impact. A field is SessionDrop where the other side learned it from
// the TCP connection or the OPEN, and neither can be changed on a running session; the engine's own timers count too,
// since a change that waits for the next session would be one that silently does nothing.
func PeerFields() []Field {
	return []Field{
		field("Name", SessionDrop, func(p bgp.Peer) string { return p.Name }), // Another name is another peer.
		field("Address", SessionDrop, func(p bgp.Peer) any { return p.Address }),
		field("ASN", SessionDrop, func(p bgp.Peer) bgp.ASN { return p.ASN }),
		field("LocalASN", SessionDrop, func(p bgp.Peer) bgp.ASN { return p.LocalASN }),
		field("RouterID", SessionDrop, func(p bgp.Peer) any { return p.RouterID }),
		field("SourceAddress", SessionDrop, func(p bgp.Peer) any { return p.SourceAddress }),
		field("HoldTime", SessionDrop, func(p bgp.Peer) any { return p.HoldTime }),
		field("KeepaliveTime", SessionDrop, func(p bgp.Peer) any { return p.KeepaliveTime }),
		field("ConnectRetryTime", None, func(p bgp.Peer) any { return p.ConnectRetryTime }),
		field("Families", SessionDrop, func(p bgp.Peer) bgp.Families { return p.Families }),
		field("GracefulRestart", SessionDrop, func(p bgp.Peer) bgp.GracefulRestart { return p.GracefulRestart }),
		field("MaxReceivedPrefixes", None, func(p bgp.Peer) uint32 { return p.MaxReceivedPrefixes }),
		field("NextHopIPv4", Readvertise, func(p bgp.Peer) any { return p.NextHopIPv4 }),
		field("NextHopIPv6", Readvertise, func(p bgp.Peer) any { return p.NextHopIPv6 }),
		field("Password", SessionDrop, func(p bgp.Peer) bgp.Password { return p.Password }),
		field("TTL", None, func(p bgp.Peer) uint8 { return p.TTL }),
		field("MinimumTTL", None, func(p bgp.Peer) uint8 { return p.MinimumTTL }),
		field("Passive", SessionDrop, func(p bgp.Peer) bool { return p.Passive }),
		field("ListenPort", SessionDrop, func(p bgp.Peer) uint16 { return p.ListenPort }),
		field("BFD", None, func(p bgp.Peer) bgp.BFD { return p.BFD }),
		field("Export", Readvertise, func(p bgp.Peer) bgp.ExportPolicy { return p.Export }),
		field("Draining", Readvertise, func(p bgp.Peer) bool { return p.Draining }),
	}
}

// ImpactOf returns what going from one configuration of a peer to another does to its session: the greatest impact of
// the fields that differ, None where none does.
func ImpactOf(from, to bgp.Peer) Impact {
	impact := None
	for _, f := range PeerFields() {
		if f.differs(from, to) {
			impact = max(impact, f.Impact)
		}
	}
	if from.NeedsExtendedNextHop() != to.NeedsExtendedNextHop() {
		return SessionDrop // The OPEN says so.
	}
	return impact
}

func field[T comparable](name string, impact Impact, value func(bgp.Peer) T) Field {
	return Field{Name: name, Impact: impact, differs: func(a, b bgp.Peer) bool { return value(a) != value(b) }}
}
