package cluster

import (
	"iter"
	"maps"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Endpoints counts the endpoints of a Service by the nodes that they are on. The zero Endpoints is none.
type Endpoints struct {
	total  advertise.EndpointsByFamily
	byNode map[string]advertise.EndpointsByFamily
}

// Add counts an endpoint on a node; "" is for one that names no node. A family of none counts for nothing.
func (e *Endpoints) Add(node string, family bgp.Family, conditions advertise.Conditions) {
	total := e.total.Of(family)
	if total == nil {
		return
	}
	total.Add(conditions, false)
	if node == "" {
		return
	}
	here := e.byNode[node]
	here.Of(family).Add(conditions, true)
	if here == (advertise.EndpointsByFamily{}) {
		return // It can't serve.
	}
	if e.byNode == nil {
		e.byNode = map[string]advertise.EndpointsByFamily{}
	}
	e.byNode[node] = here
}

// SeenFrom returns the count as a node sees it.
func (e *Endpoints) SeenFrom(node string) advertise.EndpointsByFamily {
	count, here := e.total, e.byNode[node]
	for _, family := range [...]bgp.Family{bgp.IPv4, bgp.IPv6} {
		seen, local := count.Of(family), here.Of(family)
		seen.ReadyHere, seen.DrainingHere = local.ReadyHere, local.DrainingHere
	}
	return count
}

// Nodes yields the nodes with an endpoint that can serve, in any order. All other nodes see the same count.
func (e *Endpoints) Nodes() iter.Seq[string] { return maps.Keys(e.byNode) }
