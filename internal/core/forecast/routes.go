package forecast

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
)

// view is all that nodes which decide alike have in common. The zero view is that of a node that sends nothing.
type view struct {
	// config has neither the node's own pod CIDRs nor attributes, which withdraw nothing.
	config advertise.Config
	// families that at least one session carries.
	families bgp.Families
}

func viewOf(i intent.Intent) view {
	var families bgp.Families
	for _, peer := range i.Peers {
		for _, family := range [...]bgp.Family{bgp.IPv4, bgp.IPv6} {
			if peer.Carries(family) {
				families |= bgp.FamiliesOf(family)
			}
		}
	}
	if families == 0 {
		return view{}
	}
	config := i.Advertise
	config.PodCIDRs, config.Attributes = nil, nil
	return view{config: config, families: families}
}

func (v view) equal(other view) bool {
	return v.families == other.families && v.config.Equal(other.config)
}

// sends reports whether routes to an address go out on any session.
func (v view) sends(a netip.Addr) bool { return v.families.Has(bgp.FamilyOf(a)) }

// group is the nodes that go from one view to another.
type group struct {
	before, after view
	// moved says that the nodes' routes may change: their view does, or their pod CIDRs.
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
	// before and after are complete for the nodes that moved, and know nothing of the others.
	before, after side
}

func newRoutes(nodes []node) *routes {
	r := &routes{
		nodes:   nodes,
		places:  make(map[string]int, len(nodes)),
		groupOf: make([]*group, len(nodes)),
		before:  side{sent: map[netip.Prefix]senders{}, nodes: len(nodes)},
		after:   side{sent: map[netip.Prefix]senders{}, nodes: len(nodes)},
	}
	for i, n := range nodes {
		r.places[n.before.Name] = i
	}
	return r
}

// compare puts a node into its group, and counts its pod CIDRs.
func (r *routes) compare(i int, before, after intent.Intent) {
	from, to := viewOf(before), viewOf(after)
	podsBefore, podsAfter := before.Advertise.PodCIDRs, after.Advertise.PodCIDRs
	moved := !from.equal(to) || !slices.Equal(podsBefore, podsAfter)
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
	moved := slices.DeleteFunc(slices.Clone(r.groups), func(g *group) bool { return !g.moved })
	if len(moved) == 0 {
		return nil
	}
	for _, g := range moved {
		r.before.addAggregates(g.nodes, g.before)
		r.after.addAggregates(g.nodes, g.after)
	}
	var lost []advertise.ServiceKey
	for i := range services {
		s := &services[i]
		r.decideService(s, moved)
		if r.losesAny(s) {
			lost = append(lost, s.Key)
		}
	}
	slices.SortFunc(lost, advertise.ServiceKey.Compare)
	return lost
}

// decideService counts the routes that the nodes that move have to a Service.
func (r *routes) decideService(s *cluster.Service, moved []*group) {
	r.before.reset(s)
	r.after.reset(s)
	elsewhere := s.Endpoints.SeenFrom("") // A node without an endpoint, as all are to the policy Cluster.
	for _, g := range moved {
		r.before.addOfGroup(g.nodes, g.before, s, elsewhere)
		r.after.addOfGroup(g.nodes, g.after, s, elsewhere)
	}
	for i, g := range r.local(s) {
		if g.moved {
			here := s.Endpoints.SeenFrom(r.nodes[i].before.Name)
			r.before.addOfNode(i, g.before, s, here)
			r.after.addOfNode(i, g.after, s, here)
		}
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

// losesAny reports whether the last route to an address of the Service goes, once decideService has counted those of the
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
	return v.sends(address) && slices.ContainsFunc(advertise.Decide(v.config, s.Spec, seen), func(d advertise.Decision) bool {
		return d.Address.Addr == address && d.HasRoute()
	})
}

func (r *routes) withdrawals() []Withdrawal {
	var all []Withdrawal
	for prefix, before := range r.before.sent {
		if gone := before.nodes.without(r.after.sent[prefix].nodes); gone != nil {
			all = append(all, Withdrawal{Prefix: prefix, Nodes: NodeSet{bits: gone, nodes: r.nodes}})
		}
	}
	slices.SortFunc(all, func(a, b Withdrawal) int { return advertise.ComparePrefixes(a.Prefix, b.Prefix) })
	return all
}
