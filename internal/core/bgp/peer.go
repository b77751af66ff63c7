package bgp

import (
	"net/netip"
	"time"
)

// GracefulRestart is what an OPEN offers of RFC 4724.
type GracefulRestart struct {
	// Enabled says whether the capability is sent at all.
	Enabled bool
	// RestartTime is how long the peer shall keep the routes, 1 to 4095 s (12 bits on the wire).
	RestartTime time.Duration
}

// Peer is everything a session with a BGP neighbour is made of, resolved for one node: no field is left to a default.
// Two equal Peers need no change to go from one to the other; internal/core/plan says what each field's change costs.
type Peer struct {
	// Name identifies the peer on this node: the name of its BGPPeer.
	Name string
	// Address of the neighbour, with a zone where it is link-local, and its TCP port.
	Address netip.AddrPort
	// ASN is the neighbour's AS number.
	ASN ASN
	// LocalASN is this session's own AS number: all that the path shows of this side.
	LocalASN ASN
	// RouterID is the BGP identifier of the node, an IPv4 address (RFC 6286).
	RouterID netip.Addr
	// SourceAddress is what the connection is dialled from; the zero Addr leaves the choice to the kernel.
	SourceAddress netip.Addr
	// HoldTime offered in the OPEN, KeepaliveTime, and the time between attempts to connect.
	HoldTime, KeepaliveTime, ConnectRetryTime time.Duration
	// Families whose routes the session carries.
	Families Families
	// GracefulRestart offered in the OPEN.
	GracefulRestart GracefulRestart
	// MaxReceivedPrefixes closes the session when the peer sends more, counted by family.
	MaxReceivedPrefixes uint32
	// NextHopIPv4 and NextHopIPv6 are the node's own addresses for routes of each family, the zero Addr where there is
	// none: see NextHop.
	NextHopIPv4, NextHopIPv6 netip.Addr
	// Password of the connection; the zero Password is none.
	Password Password
	// TTL of the packets that are sent (IPv6: hop limit), 1 to 255; 0 leaves it to the kernel. Packets with a TTL below
	// MinimumTTL are dropped (GTSM, RFC 5082); 0 takes any.
	TTL, MinimumTTL uint8
	// Passive says that the peer dials and the node listens, on ListenPort; ListenPort is 0 where it is not Passive.
	Passive    bool
	ListenPort uint16
	// BFD watches the path to the peer.
	BFD BFD
	// Export is what of the node's paths the peer gets, and with which attributes.
	Export ExportPolicy
	// Draining marks every path as one that is about to go (GRACEFUL_SHUTDOWN, RFC 8326), so that the peer prefers others.
	Draining bool
}

// IsInternal reports whether the session is iBGP.
func (p Peer) IsInternal() bool { return p.ASN == p.LocalASN }

// Carries reports whether a session with the peer carries routes of a family: it does not where there is no next hop for
// them.
func (p Peer) Carries(f Family) bool { return p.Families.Has(f) && p.NextHop(f).IsValid() }

// NextHop returns the next hop of routes of a family: the unspecified address (0.0.0.0 or ::) where it is the session's
// own local address, which is known once it is connected, and the zero Addr where there is none. A link-local peer reaches
// nothing but the link, so that its next hop for IPv6 is the session's own address in any case (RFC 2545). Without an
// address of its own, IPv4 has on an IPv6 session the next hop of IPv6 (RFC 8950): see NeedsExtendedNextHop.
func (p Peer) NextHop(f Family) netip.Addr {
	session := FamilyOf(p.Address.Addr())
	switch {
	case f == IPv6 && p.Address.Addr().IsLinkLocalUnicast():
		return netip.IPv6Unspecified()
	case f == IPv6 && p.NextHopIPv6.IsValid():
		return p.NextHopIPv6
	case f == IPv6 && session == IPv6:
		return netip.IPv6Unspecified()
	case f == IPv4 && p.NextHopIPv4.IsValid():
		return p.NextHopIPv4
	case f == IPv4 && session == IPv4:
		return netip.IPv4Unspecified()
	case f == IPv4 && session == IPv6:
		return p.NextHop(IPv6)
	}
	return netip.Addr{}
}

// NeedsExtendedNextHop reports whether the session's IPv4 routes have an IPv6 next hop, which the peer must have offered to
// take (RFC 8950); it gets none of them otherwise.
func (p Peer) NeedsExtendedNextHop() bool {
	return p.Families.Has(IPv4) && FamilyOf(p.NextHop(IPv4)) == IPv6
}
