package intent

import (
	"net/netip"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Node is what of a Node bears on its speaker.
type Node struct {
	Name   string
	Labels map[string]string
	// InternalIPs in the order of the Node's status, without zones, never IPv4-mapped.
	InternalIPs []netip.Addr
	// PodCIDRs of the Node's spec, without host bits.
	PodCIDRs []netip.Prefix
	// Deleting says that the Node is being deleted, or is gone.
	Deleting bool
	// ShuttingDown says that the kubelet reports the shutdown of its host.
	ShuttingDown bool
	// RouterID is what DefaultRouterID returned when the agent started, so that it stays although addresses change; the
	// zero Addr where it has not been asked yet.
	RouterID netip.Addr
}

// DefaultRouterID returns the node's BGP identifier, where no overlay names another: the first IPv4 InternalIP, else one
// that is derived from the node's name.
func (n Node) DefaultRouterID() netip.Addr {
	if n.RouterID.IsValid() {
		return n.RouterID
	}
	if ip := n.internalIP(bgp.IPv4); ip.IsValid() {
		return ip
	}
	return bgp.RouterIDFromName(n.Name)
}

// internalIP returns the first InternalIP of a family; the zero Addr where the node has none.
func (n Node) internalIP(family bgp.Family) netip.Addr {
	for _, a := range n.InternalIPs {
		if bgp.FamilyOf(a) == family {
			return a
		}
	}
	return netip.Addr{}
}
