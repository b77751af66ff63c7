package crosscheck

import (
	"fmt"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
)

// routerIDs are the BGP identifiers of the nodes.
type routerIDs struct {
	// nodes that have an identifier, in order.
	nodes map[netip.Addr][]int
}

// identifiers returns the nodes' router IDs, which are worked out once.
func (c *Check) identifiers() *routerIDs {
	if c.routerIDs != nil {
		return c.routerIDs
	}
	c.routerIDs = &routerIDs{map[netip.Addr][]int{}}
	for i := range c.state.Nodes {
		id, given := c.givenRouterID(c.rolled().classOf[i].overlay)
		if !given {
			id = c.state.Nodes[i].DefaultRouterID()
		}
		c.routerIDs.nodes[id] = append(c.routerIDs.nodes[id], i)
	}
	return c.routerIDs
}

// givenRouterID returns the router ID that an overlay gives its nodes.
func (c *Check) givenRouterID(overlay int) (netip.Addr, bool) {
	id, err := netip.ParseAddr(c.effectiveWith(overlay).RouterID)
	return id, err == nil
}

// routerID checks that an overlay gives its router ID to one node, which no other node has.
func (c *Check) routerID(r *report, overlay int) {
	id, given := c.givenRouterID(overlay)
	if !given {
		return
	}
	var own, others []int
	for _, node := range c.identifiers().nodes[id] {
		if c.roll.classOf[node].overlay == overlay {
			own = append(own, node)
			continue
		}
		others = append(others, node)
	}
	at := field.NewPath("spec", "routerID")
	if len(own) > 1 {
		r.add(Finding{
			Error: field.Invalid(at, id.String(), "routerID must be unique, but the overlay gives it to each of several nodes: "+
				"let the overlay select a single node"),
			Reason: v1alpha1.ReasonRouterIDConflict,
			Nodes:  c.names(own),
		})
	}
	if len(others) > 0 { // Also where the overlay's own node is yet to come.
		r.add(Finding{
			Error: field.Invalid(at, id.String(), fmt.Sprintf("routerID must be unique, but it is that of the node %q already: choose another",
				c.state.Nodes[others[0]].Name)),
			Reason: v1alpha1.ReasonRouterIDConflict,
			Nodes:  c.names(slices.Concat(own, others)),
		})
	}
}
