package advertise

import (
	"net/netip"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Reason is the outcome of a decision, in a word that users see: its text is stable.
type Reason string

// The reasons.
const (
	// Advertised: the node advertises the address's host route.
	Advertised Reason = "Advertised"
	// CoveredByAggregate: the block's own route leads to the address, from every node.
	CoveredByAggregate Reason = "CoveredByAggregate"
	// UnsupportedService: the Service is headless, being deleted, or of a type that has no addresses of its own.
	UnsupportedService Reason = "UnsupportedService"
	// NotAllowlisted: the address is in no block of its kind.
	NotAllowlisted Reason = "NotAllowlisted"
	// NodeExcluded: the node takes no part in advertisement.
	NodeExcluded Reason = "NodeExcluded"
	// NoLocalEndpoint: the policy is Local, and the node has no usable endpoint of the address's family.
	NoLocalEndpoint Reason = "NoLocalEndpoint"
	// NoEndpoint: the policy is Cluster, and no node has a usable endpoint of the address's family.
	NoEndpoint Reason = "NoEndpoint"
)

// Decision says whether this node advertises a host route for an address of a Service, and why.
type Decision struct {
	Address Address
	// Policy that steers the address's route.
	Policy Policy
	// Block of the address; the zero Block where it has none, or where the Service is not supported.
	Block Block
	// Reason of the outcome: the first rule that decided.
	Reason Reason
}

// HostRoute returns the prefix that the node advertises for the address; false where it advertises none.
func (d Decision) HostRoute() (netip.Prefix, bool) {
	if d.Reason != Advertised {
		return netip.Prefix{}, false
	}
	return d.Address.hostPrefix(), true
}

// HasRoute reports whether a route of the node leads to the address: its own host route, or its block's.
func (d Decision) HasRoute() bool { return d.Reason == Advertised || d.Reason == CoveredByAggregate }

// Decide returns a decision for each address of a Service, in their order.
func Decide(config Config, service Service, endpoints EndpointsByFamily) []Decision {
	decisions := make([]Decision, len(service.Addresses))
	for i, address := range service.Addresses {
		decisions[i] = decide(config, service, endpoints, address)
	}
	return decisions
}

func decide(config Config, service Service, endpoints EndpointsByFamily, address Address) Decision {
	d := Decision{Address: address, Policy: service.policyFor(address.Kind)}
	if !service.isSupported() {
		d.Reason = UnsupportedService
		return d
	}
	block, allowed := config.BlockOf(address)
	if !allowed {
		d.Reason = NotAllowlisted
		return d
	}
	d.Block = block
	usable := endpoints.Of(bgp.FamilyOf(address.Addr))
	switch {
	case config.Excluded:
		d.Reason = NodeExcluded
	case d.Policy == Local && usable.usableHere():
		d.Reason = Advertised
	case d.Policy == Local:
		d.Reason = NoLocalEndpoint
	case block.HasAggregate():
		d.Reason = CoveredByAggregate
	case usable.usableAnywhere():
		d.Reason = Advertised
	default:
		d.Reason = NoEndpoint
	}
	return d
}
