package intent

import (
	"net/netip"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Input is all that an intent is made of.
type Input struct {
	Node Node
	// Configurations and Peers are all objects of their kinds, in any order.
	Configurations []v1alpha1.BGPConfiguration
	Peers          []v1alpha1.BGPPeer
}

// Intent is what one node's BGP speaker should be.
type Intent struct {
	// ASN is the node's AS number and RouterID its BGP identifier; a peer may have its own AS number.
	ASN      bgp.ASN
	RouterID netip.Addr
	// Configured says that there is a BGPConfiguration named default; without one no Service is advertised.
	Configured bool
	// Selected are the BGPPeers that select the node, by name, those that are not run included.
	Selected []Object
	// Peers are the peers to run, by name: none on a node that is out of service.
	Peers []bgp.Peer
	// Advertise is what to advertise; its Excluded says that the node is out of service.
	Advertise advertise.Config
	// Problems are ordered by object, then in the order they were found.
	Problems []Problem
}

// For returns what the node's speaker should be.
func For(input Input) Intent {
	return Intent{Advertise: advertise.Config{Excluded: input.Node.IsOutOfService()}}
}
