package forecast

import (
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
)

// side is what nodes send in one of the two states.
type side struct {
	// nodes is how many there are.
	nodes int
	// claims are the nodes that advertise a prefix, for each kind apart until filter joins them; where nothing is filtered
	// they are joined from the beginning.
	claims   map[claim]senders
	filtered bool
	// byPeer are the claims that are sent to a peer whose export rules the change is about.
	byPeer map[string]map[claim]senders
	// led says for each address of the Service at hand whether any node has a route to it.
	led []bool
}

// claim is a prefix with what it is advertised for; the kind is 0 where that does not matter.
type claim struct {
	prefix netip.Prefix
	kind   advertise.Kind
}

// senders are the nodes that send a prefix. Most prefixes are sent by a whole group, whose set they share until another
// node comes to it.
type senders struct {
	nodes nodeBits
	owned bool
}

// nodes are those of a group, or one by its place where there is no group.
type nodes struct {
	group nodeBits
	one   int
}

func newSide(nodes int, filtered bool) side {
	return side{claims: map[claim]senders{}, nodes: nodes, filtered: filtered, byPeer: map[string]map[claim]senders{}}
}

func (sd *side) addPodCIDRs(node int, v view, cidrs []netip.Prefix) {
	for _, cidr := range cidrs {
		if v.carries(cidr.Addr()) {
			sd.claim(cidr, advertise.PodCIDR, nodes{one: node})
		}
	}
}

func (sd *side) addAggregates(of nodeBits, v view) {
	for prefix, kind := range v.config.OwnPrefixes() {
		if v.carries(prefix.Addr()) {
			sd.claim(prefix, kind, nodes{group: of})
		}
	}
}

// reset begins with another Service.
func (sd *side) reset(s *cluster.Service) {
	sd.led = slices.Grow(sd.led[:0], len(s.Spec.Addresses))[:len(s.Spec.Addresses)]
	clear(sd.led)
}

// add counts a route that nodes have to the Service at hand.
func (sd *side) add(to route, from nodes) {
	sd.led[to.address] = true
	if to.isHost {
		sd.claim(to.prefix, to.kind, from)
	}
}

// lead says that a route leads to the Service at hand, if any of the nodes sends it: what they send is known after filter.
func (sd *side) lead(to route, from nodes) {
	sent := sd.claims[claim{prefix: to.prefix}].nodes
	sd.led[to.address] = sd.led[to.address] || from.group == nil && sent.has(from.one) || sent.intersects(from.group)
}

// leads reports whether any node has a route to an address of the Service at hand.
func (sd *side) leads(s *cluster.Service, address netip.Addr) bool {
	for i, a := range s.Spec.Addresses {
		if a.Addr == address && sd.led[i] {
			return true
		}
	}
	return false
}

func (sd *side) claim(prefix netip.Prefix, kind advertise.Kind, from nodes) {
	of := claim{prefix: prefix}
	if sd.filtered {
		of.kind = kind
	}
	switch _, known := sd.claims[of]; {
	case from.group == nil:
		sd.own(of).set(from.one)
	case known:
		sd.own(of).add(from.group)
	default:
		sd.claims[of] = senders{nodes: from.group}
	}
}

// own returns the set of a claim's senders for changing it.
func (sd *side) own(of claim) nodeBits {
	s := sd.claims[of]
	if !s.owned {
		shared := s.nodes
		s = senders{nodes: newNodeBits(sd.nodes), owned: true}
		s.nodes.add(shared)
		sd.claims[of] = s
	}
	return s.nodes
}

// filter joins the claims on each prefix, and leaves the nodes of which a session sends it. Nodes that are alike but for
// what they advertise a prefix for are asked once.
func (sd *side) filter(groups []*group, viewOf func(*group) view) {
	claims := sd.claims
	sd.claims, sd.filtered = make(map[claim]senders, len(claims)), false
	for of := range claims {
		if of.kind != firstOf(of.prefix, claims) {
			continue
		}
		for _, g := range groups {
			for _, p := range partsOf(g.nodes, of.prefix, claims) {
				sd.send(viewOf(g), of.prefix, p)
			}
		}
	}
}

// send counts the prefix for the nodes of a part, on the sessions that let it out.
func (sd *side) send(v view, prefix netip.Prefix, p part) {
	if v.sends(prefix, p.kinds) {
		sd.claim(prefix, 0, nodes{group: p.nodes})
	}
	for _, session := range v.refiltered {
		if !session.sends(v.config.PathTo(prefix, p.kinds)) {
			continue
		}
		// The peer's own claims are kept as all claims are.
		own := side{nodes: sd.nodes, claims: sd.byPeer[session.peer]}
		if own.claims == nil {
			own.claims = map[claim]senders{}
			sd.byPeer[session.peer] = own.claims
		}
		own.claim(prefix, 0, nodes{group: p.nodes})
	}
}

// firstOf returns the first kind that a prefix is claimed for.
func firstOf(prefix netip.Prefix, claims map[claim]senders) advertise.Kind {
	for _, kind := range advertise.Kinds() {
		if _, claimed := claims[claim{prefix, kind}]; claimed {
			return kind
		}
	}
	return 0
}

// part is nodes that advertise a prefix for the same kinds.
type part struct {
	nodes nodeBits
	kinds bgp.Kinds
}

// partsOf returns the nodes of a group that advertise a prefix, by what they advertise it for.
func partsOf(group nodeBits, prefix netip.Prefix, claims map[claim]senders) []part {
	parts := []part{{nodes: group}}
	for _, kind := range advertise.Kinds() {
		claiming := claims[claim{prefix, kind}].nodes
		for i, p := range slices.Clone(parts) {
			if both := p.nodes.and(claiming); both != nil {
				parts[i].nodes = p.nodes.without(claiming)
				parts = append(parts, part{both, p.kinds | kind.Set()})
			}
		}
	}
	return slices.DeleteFunc(parts, func(p part) bool { return p.kinds == 0 || p.nodes == nil })
}
