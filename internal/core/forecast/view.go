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
	// config has neither the node's own pod CIDRs nor, where nothing asks for them, attributes, which withdraw nothing by
	// themselves.
	config advertise.Config
	// families that at least one session carries, and open those that one carries without export rules.
	families, open bgp.Families
	// filters are what the other sessions send, each once.
	filters []filter
	// refiltered are the sessions whose export rules the change is about, with their rules or without.
	refiltered []peerFilter
}

// peerFilter is what the session with a peer sends.
type peerFilter struct {
	peer string
	filter
}

// filter is what a session with export rules sends.
type filter struct {
	families bgp.Families
	rules    bgp.ExportPolicy
}

func (r *routes) viewOf(i intent.Intent) view {
	var v view
	for _, peer := range i.Peers {
		f := filter{rules: peer.Export}
		for _, family := range [...]bgp.Family{bgp.IPv4, bgp.IPv6} {
			if peer.Carries(family) {
				f.families |= bgp.FamiliesOf(family)
			}
		}
		v.families |= f.families
		if r.refiltered[peer.Name] {
			v.refiltered = append(v.refiltered, peerFilter{peer.Name, f})
		}
		switch {
		case f.rules.IsZero():
			v.open |= f.families
		case f.families != 0 && !slices.Contains(v.filters, f):
			v.filters = append(v.filters, f)
		}
	}
	if v.families == 0 {
		return view{}
	}
	v.config = i.Advertise
	v.config.PodCIDRs = nil
	if !r.filtered {
		v.config.Attributes = nil
	}
	return v
}

func (v view) equal(other view) bool {
	return v.families == other.families && v.open == other.open && slices.Equal(v.filters, other.filters) &&
		slices.Equal(v.refiltered, other.refiltered) && v.config.Equal(other.config)
}

// carries reports whether any session carries routes to an address, whatever its export rules.
func (v view) carries(a netip.Addr) bool { return v.families.Has(bgp.FamilyOf(a)) }

// sends reports whether the route to a prefix goes out on any session, where it is advertised for some kinds.
func (v view) sends(prefix netip.Prefix, kinds bgp.Kinds) bool {
	family := bgp.FamilyOf(prefix.Addr())
	if v.open.Has(family) || !v.families.Has(family) {
		return v.open.Has(family)
	}
	path := v.config.PathTo(prefix, kinds)
	return slices.ContainsFunc(v.filters, func(f filter) bool { return f.sends(path) })
}

func (f filter) sends(path bgp.Path) bool {
	_, accepted := f.rules.Apply(path)
	return accepted && f.families.Has(bgp.FamilyOf(path.Prefix.Addr()))
}

// route is one that a node has to an address of a Service: its host route, or the aggregate over it.
type route struct {
	// address is the place of the address in the Service.
	address int
	prefix  netip.Prefix
	kind    advertise.Kind
	// isHost says that the Service is what it is advertised for.
	isHost bool
}

// routes yields the routes to a Service of which any session carries the family.
func (v view) routes(s *cluster.Service, seen advertise.EndpointsByFamily) iter.Seq[route] {
	return func(yield func(route) bool) {
		for i, d := range advertise.Decide(v.config, s.Spec, seen) {
			if !v.carries(d.Address.Addr) || !d.HasRoute() {
				continue
			}
			to := route{address: i, prefix: d.Block.CIDR, kind: d.Address.Kind}
			if host, ok := d.HostRoute(); ok {
				to.prefix, to.isHost = host, true
			}
			if !yield(to) {
				return
			}
		}
	}
}
