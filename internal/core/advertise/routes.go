package advertise

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/bgp"
)

// MaxServicesPerRoute is how many Services a Route names at most.
const MaxServicesPerRoute = 5

// Route is one prefix that the table advertises, with what it is advertised for.
type Route struct {
	Prefix netip.Prefix
	Kind   Kind
	// Services are the first MaxServicesPerRoute of those whose address this is, by namespace and name; empty for an
	// aggregate and for a pod CIDR.
	Services []ServiceKey
}

// Len returns how many prefixes the table advertises.
func (t *Table) Len() int { return len(t.claims) }

// Routes returns the first routes of the table whose prefixes match, at most limit of them: aggregates and pod CIDRs
// first, then host routes, each ordered by prefix. It looks at every route once and sorts only those it returns.
func (t *Table) Routes(limit int, match func(netip.Prefix) bool) []Route {
	if limit <= 0 {
		return nil
	}
	first := make([]netip.Prefix, 0, min(limit, len(t.claims)))
	for prefix := range t.claims {
		if len(first) == limit && ComparePrefixes(prefix, first[limit-1]) > 0 {
			continue
		}
		if !match(prefix) {
			continue
		}
		i, _ := slices.BinarySearchFunc(first, prefix, ComparePrefixes)
		first = slices.Insert(first[:min(len(first), limit-1)], i, prefix)
	}
	routes := make([]Route, len(first))
	for i, prefix := range first {
		routes[i] = routeOf(prefix, t.claims[prefix])
	}
	return routes
}

// Paths returns every path of the table, in the order of Routes.
func (t *Table) Paths() []bgp.Path {
	paths := make([]bgp.Path, 0, len(t.claims))
	for prefix, claims := range t.claims {
		paths = append(paths, t.config.PathTo(prefix, kindsOf(claims)))
	}
	slices.SortFunc(paths, func(a, b bgp.Path) int { return ComparePrefixes(a.Prefix, b.Prefix) })
	return paths
}

func routeOf(prefix netip.Prefix, claims []claim) Route {
	route := Route{Prefix: prefix, Kind: claims[0].kind}
	for _, c := range claims {
		route.Kind = min(route.Kind, c.kind)
		if c.service != nil {
			route.Services = append(route.Services, c.service.key)
		}
	}
	slices.SortFunc(route.Services, ServiceKey.Compare)
	route.Services = slices.Compact(route.Services)
	route.Services = route.Services[:min(len(route.Services), MaxServicesPerRoute)]
	return route
}

// ComparePrefixes puts host routes last, IPv4 before IPv6, then goes by address, the shorter prefix first.
func ComparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(rank(a)-rank(b), a.Addr().Compare(b.Addr()), a.Bits()-b.Bits())
}

func rank(p netip.Prefix) int {
	if p.IsSingleIP() {
		return 1
	}
	return 0
}
