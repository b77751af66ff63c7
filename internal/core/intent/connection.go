package intent

import (
	"cmp"
	"net/netip"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
)

// connect fills in who opens the connection, from where, and how far it may go.
func connect(peer *bgp.Peer, spec v1alpha1.BGPPeerSpec, config configuration) {
	if spec.ConnectionMode == v1alpha1.ConnectionPassive {
		peer.Passive = true
		peer.ListenPort = uint16(cmp.Or(config.spec.ListenPort, DefaultListenPort))
	}
	peer.TTL, peer.MinimumTTL = ttls(*peer, spec)
	if !isFromAny(spec) {
		return
	}
	peer.SourceAddress = netip.Addr{}
	if bgp.FamilyOf(peer.Address.Addr()) == bgp.IPv4 {
		peer.NextHopIPv4 = netip.Addr{}
	} else {
		peer.NextHopIPv6 = netip.Addr{}
	}
}

// isFromAny reports whether the source address is left to the kernel, and with it the next hop of the session's own family. It
// always is towards a link-local peer, which only the link's own address reaches.
func isFromAny(spec v1alpha1.BGPPeerSpec) bool {
	return spec.SourceAddress == v1alpha1.SourceAny || spec.Interface != ""
}

// ttls returns the TTL of what is sent, and the lowest of what is taken. An eBGP peer is one hop away unless something else is
// said (RFC 4271, section 5.1.3); under TTL security everything leaves with 255, so what arrives tells how far it came.
func ttls(peer bgp.Peer, spec v1alpha1.BGPPeerSpec) (sent, lowest uint8) {
	switch {
	case spec.TTLSecurityHops != 0:
		return 255, uint8(256 - spec.TTLSecurityHops)
	case peer.IsInternal():
		return 0, 0
	default:
		return uint8(cmp.Or(spec.EBGPMultihopTTL, 1)), 0
	}
}
