package forecast

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
)

// group is the nodes that go from one view to another.
type group struct {
	before, after view
	// moved says that the nodes' routes are counted: because their view changes or their pod CIDRs do, or because of export
	// rules, which heed all that a prefix is advertised for.
	moved bool
	nodes nodeBits
}

// routes is what the nodes send before and after the change.
type routes struct {
	nodes  []node
	places map[string]int
	groups []*group
	// groupOf has the group of each node, by its place.
	groupOf []*group
	// filtered says that there are export rules, before or after the change, and changed that any node's routes may change.
	filtered, changed bool
	// refiltered are the names of the peers whose export rules the change is about.
	refiltered map[string]bool
	// before and after are complete for the nodes that moved, and know nothing of the others.
	before, after side
}

func newRoutes(nodes []node, before, after []v1alpha1.BGPPeer) *routes {
	filtered := hasExportRules(before) || hasExportRules(after)
	r := &routes{
		refiltered: refiltered(before, after),
		nodes:      nodes,
		places:     make(map[string]int, len(nodes)),
		groupOf:    make([]*group, len(nodes)),
		filtered:   filtered,
		before:     newSide(len(nodes), filtered),
		after:      newSide(len(nodes), filtered),
	}
	for i, n := range nodes {
		r.places[n.before.Name] = i
	}
	return r
}

// compare puts a node into its group, and counts its pod CIDRs.
func (r *routes) compare(i int, before, after intent.Intent) {
	from, to := r.viewOf(before), r.viewOf(after)
	podsBefore, podsAfter := before.Advertise.PodCIDRs, after.Advertise.PodCIDRs
	changed := !from.equal(to) || !slices.Equal(podsBefore, podsAfter)
	r.changed = r.changed || changed
	moved := changed || r.filtered
	g := r.group(from, to, moved)
	g.nodes.set(i)
	r.groupOf[i] = g
	if moved {
		r.before.addPodCIDRs(i, from, podsBefore)
		r.after.addPodCIDRs(i, to, podsAfter)
	}
}

func (r *routes) group(before, after view, moved bool) *group {
	for _, g := range r.groups {
		if g.moved == moved && g.before.equal(before) && g.after.equal(after) {
			return g
		}
	}
	g := &group{before: before, after: after, moved: moved, nodes: newNodeBits(len(r.nodes))}
	r.groups = append(r.groups, g)
	return g
}

// decide counts the routes of all Services and the aggregates, and returns the Services of which an address loses its last
// route.
func (r *routes) decide(services []cluster.Service) []advertise.ServiceKey {
	if !r.changed {
		return nil
	}
	moved := slices.DeleteFunc(slices.Clone(r.groups), func(g *group) bool { return !g.moved })
	for _, g := range moved {
		r.before.addAggregates(g.nodes, g.before)
		r.after.addAggregates(g.nodes, g.after)
	}
	var lost []advertise.ServiceKey
	for i := range services {
		s := &services[i]
		r.visitService(s, moved, (*side).add)
		if !r.filtered && r.losesAny(s) {
			lost = append(lost, s.Key)
		}
	}
	if r.filtered {
		lost = r.filter(services, moved)
	}
	slices.SortFunc(lost, advertise.ServiceKey.Compare)
	return lost
}

// filter applies the export rules to what was counted, which must be all, and returns the Services of which an address
// loses its last route.
func (r *routes) filter(services []cluster.Service, moved []*group) []advertise.ServiceKey {
	r.before.filter(moved, func(g *group) view { return g.before })
	r.after.filter(moved, func(g *group) view { return g.after })
	var lost []advertise.ServiceKey
	for i := range services {
		s := &services[i]
		r.visitService(s, moved, (*side).lead)
		if r.losesAny(s) {
			lost = append(lost, s.Key)
		}
	}
	return lost
}

// visitService visits the routes that the nodes that move have to a Service, on both sides.
func (r *routes) visitService(s *cluster.Service, moved []*group, visit func(sd *side, to route, from nodes)) {
	r.before.reset(s)
	r.after.reset(s)
	elsewhere := s.Endpoints.SeenFrom("") // A node without an endpoint, as all are to the policy Cluster.
	for _, g := range moved {
		r.visit(g, s, elsewhere, nodes{group: g.nodes}, visit)
	}
	for i, g := range r.local(s) {
		if g.moved {
			r.visit(g, s, s.Endpoints.SeenFrom(r.nodes[i].before.Name), nodes{one: i}, visit)
		}
	}
}

// visit visits the routes to a Service that nodes of a group have, which see its endpoints alike.
func (r *routes) visit(
	g *group, s *cluster.Service, seen advertise.EndpointsByFamily, from nodes, visit func(sd *side, to route, from nodes),
) {
	for to := range g.before.routes(s, seen) {
		visit(&r.before, to, from)
	}
	for to := range g.after.routes(s, seen) {
		visit(&r.after, to, from)
	}
}

// local yields the nodes that decide by themselves about a Service, with their groups: none where its policies say that all
// decide alike.
func (r *routes) local(s *cluster.Service) iter.Seq2[int, *group] {
	return func(yield func(int, *group) bool) {
		if s.Spec.ExternalTrafficPolicy != advertise.Local && s.Spec.InternalTrafficPolicy != advertise.Local {
			return
		}
		for name := range s.Endpoints.Nodes() {
			if i, known := r.places[name]; known && !yield(i, r.groupOf[i]) {
				return
			}
		}
	}
}

// losesAny reports whether the last route to an address of the Service goes, once visitService has counted those of the
// nodes that move.
func (r *routes) losesAny(s *cluster.Service) bool {
	for i, address := range s.Spec.Addresses {
		if r.before.led[i] && !r.isLed(s, address.Addr) {
			return true
		}
	}
	return false
}

// isLed reports whether a node has a route to an address after the change. It asks the nodes that don't move only where
// none that moves has one.
func (r *routes) isLed(s *cluster.Service, address netip.Addr) bool {
	if r.after.leads(s, address) {
		return true
	}
	elsewhere := s.Endpoints.SeenFrom("")
	for _, g := range r.groups {
		if !g.moved && leads(g.after, s, elsewhere, address) {
			return true
		}
	}
	for i, g := range r.local(s) {
		if !g.moved && leads(g.after, s, s.Endpoints.SeenFrom(r.nodes[i].before.Name), address) {
			return true
		}
	}
	return false
}

// leads reports whether a node has a route to an address of a Service.
func leads(v view, s *cluster.Service, seen advertise.EndpointsByFamily, address netip.Addr) bool {
	return v.carries(address) && slices.ContainsFunc(advertise.Decide(v.config, s.Spec, seen), func(d advertise.Decision) bool {
		return d.Address.Addr == address && d.HasRoute()
	})
}

func (r *routes) withdrawals() []Withdrawal {
	all := map[netip.Prefix]nodeBits{}
	for sent, before := range r.before.claims {
		if gone := before.nodes.without(r.after.claims[sent].nodes); gone != nil {
			all[sent.prefix] = gone
		}
	}
	return r.inOrder(all)
}

func (r *routes) inOrder(gone map[netip.Prefix]nodeBits) []Withdrawal {
	var all []Withdrawal
	for prefix, nodes := range gone {
		all = append(all, Withdrawal{Prefix: prefix, Nodes: NodeSet{bits: nodes, nodes: r.nodes}})
	}
	slices.SortFunc(all, func(a, b Withdrawal) int { return advertise.ComparePrefixes(a.Prefix, b.Prefix) })
	return all
}
