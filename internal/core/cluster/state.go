package cluster

import (
	"net/netip"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
)

// State is a cluster at one moment. Its lists are in any order, and nobody changes what they hold: states that differ in
// one object share the others.
type State struct {
	Nodes          []intent.Node
	Configurations []v1alpha1.BGPConfiguration
	Peers          []v1alpha1.BGPPeer
	Pools          []v1alpha1.ExternalIPPool
	// ServiceCIDRs are the ranges that cluster IPs come from; none where they are not known.
	ServiceCIDRs []netip.Prefix
	// Namespace is the name of Herald's own; "" where it is not known.
	Namespace string
	// Secrets are those in Herald's own namespace, by name, with stand-ins for their values; nil where they are not known.
	Secrets map[string]password.Secret
	// Services with their endpoints; none where the question at hand is not about them.
	Services []Service
}

// Service is a Service and where it is served.
type Service struct {
	Key       advertise.ServiceKey
	Spec      advertise.Service
	Endpoints Endpoints
	// Assigned are those of its addresses that its marks say Herald assigned.
	Assigned []netip.Addr
}

// Intent returns what the speaker of a node should be, given every password that a peer names.
func (s State) Intent(node intent.Node) intent.Intent { return s.Resolver().For(node) }

// Resolver returns what gives the same as Intent, at less cost where many nodes are asked about.
func (s State) Resolver() *intent.Resolver { return intent.NewResolver(s.Configurations, s.Peers) }

// WithPeer returns the state with a BGPPeer in place of the one of its name, or beside the others.
func (s State) WithPeer(peer *v1alpha1.BGPPeer) State {
	s.Peers = append(s.WithoutPeer(peer.Name).Peers, *peer)
	return s
}

// WithoutPeer returns the state without the BGPPeer of a name.
func (s State) WithoutPeer(name string) State {
	s.Peers = without(s.Peers, func(p *v1alpha1.BGPPeer) bool { return p.Name == name })
	return s
}

// WithConfiguration returns the state with a BGPConfiguration in place of the one of its name, or beside the others.
func (s State) WithConfiguration(configuration *v1alpha1.BGPConfiguration) State {
	s.Configurations = append(s.WithoutConfiguration(configuration.Name).Configurations, *configuration)
	return s
}

// WithoutConfiguration returns the state without the BGPConfiguration of a name.
func (s State) WithoutConfiguration(name string) State {
	s.Configurations = without(s.Configurations, func(c *v1alpha1.BGPConfiguration) bool { return c.Name == name })
	return s
}

// WithPool returns the state with an ExternalIPPool in place of the one of its name, or beside the others.
func (s State) WithPool(pool *v1alpha1.ExternalIPPool) State {
	s.Pools = append(s.WithoutPool(pool.Name).Pools, *pool)
	return s
}

// WithoutPool returns the state without the ExternalIPPool of a name.
func (s State) WithoutPool(name string) State {
	s.Pools = without(s.Pools, func(p *v1alpha1.ExternalIPPool) bool { return p.Name == name })
	return s
}

// Configuration returns the BGPConfiguration of a name; nil where there is none.
func (s State) Configuration(name string) *v1alpha1.BGPConfiguration {
	for i := range s.Configurations {
		if s.Configurations[i].Name == name {
			return &s.Configurations[i]
		}
	}
	return nil
}

// without returns a new list of the objects that don't match.
func without[T any](objects []T, match func(*T) bool) []T {
	rest := make([]T, 0, len(objects)+1)
	for i := range objects {
		if !match(&objects[i]) {
			rest = append(rest, objects[i])
		}
	}
	return rest
}
