package forecast

import (
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
)

// side is what nodes send in one of the two states.
type side struct {
	// nodes is how many there are.
	nodes int
	sent  map[netip.Prefix]senders
	// led says for each address of the Service at hand whether any node has a route to it.
	led []bool
}

// senders are the nodes that send a prefix. Most prefixes are sent by a whole group, whose set they share until another
// node comes to it.
type senders struct {
	nodes nodeBits
	owned bool
}

func (sd *side) addPodCIDRs(node int, v view, cidrs []netip.Prefix) {
	for _, cidr := range cidrs {
		if v.sends(cidr.Addr()) {
			sd.addNode(cidr, node)
		}
	}
}

func (sd *side) addAggregates(nodes nodeBits, v view) {
	for prefix := range v.config.OwnPrefixes() {
		if v.sends(prefix.Addr()) {
			sd.addNodes(prefix, nodes)
		}
	}
}

// reset begins with another Service.
func (sd *side) reset(s *cluster.Service) {
	sd.led = slices.Grow(sd.led[:0], len(s.Spec.Addresses))[:len(s.Spec.Addresses)]
	clear(sd.led)
}

// addOfGroup adds the routes that a whole group has to a Service.
func (sd *side) addOfGroup(nodes nodeBits, v view, s *cluster.Service, seen advertise.EndpointsByFamily) {
	sd.add(v, s, seen, func(prefix netip.Prefix) { sd.addNodes(prefix, nodes) })
}

// addOfNode adds the routes that one node has to a Service, by what it sees of its endpoints.
func (sd *side) addOfNode(node int, v view, s *cluster.Service, seen advertise.EndpointsByFamily) {
	sd.add(v, s, seen, func(prefix netip.Prefix) { sd.addNode(prefix, node) })
}

func (sd *side) add(v view, s *cluster.Service, seen advertise.EndpointsByFamily, send func(netip.Prefix)) {
	for i, d := range advertise.Decide(v.config, s.Spec, seen) {
		if !v.sends(d.Address.Addr) || !d.HasRoute() {
			continue
		}
		sd.led[i] = true
		if prefix, ok := d.HostRoute(); ok {
			send(prefix)
		}
	}
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

func (sd *side) addNode(prefix netip.Prefix, node int) { sd.own(prefix).set(node) }

func (sd *side) addNodes(prefix netip.Prefix, nodes nodeBits) {
	if _, known := sd.sent[prefix]; known {
		sd.own(prefix).add(nodes)
		return
	}
	sd.sent[prefix] = senders{nodes: nodes}
}

// own returns the set of a prefix's senders for changing it.
func (sd *side) own(prefix netip.Prefix) nodeBits {
	s := sd.sent[prefix]
	if !s.owned {
		shared := s.nodes
		s = senders{nodes: newNodeBits(sd.nodes), owned: true}
		s.nodes.add(shared)
		sd.sent[prefix] = s
	}
	return s.nodes
}
