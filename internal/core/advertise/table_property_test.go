package advertise_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// endpoint is an endpoint as Kubernetes has it, not yet counted.
type endpoint struct{ ready, serving, terminating, here bool }

// modelSlice is an EndpointSlice with its endpoints one by one.
type modelSlice struct {
	service   string
	family    bgp.Family
	endpoints []endpoint
}

func (s modelSlice) counted() advertise.Slice {
	slice := advertise.Slice{Service: s.service, Family: s.family}
	for _, e := range s.endpoints {
		slice.Endpoints.Add(advertise.Conditions{Ready: &e.ready, Serving: &e.serving, Terminating: &e.terminating}, e.here)
	}
	return slice
}

// model is the cluster as it stands. It answers every question from scratch, as slowly and plainly as the rule is
// written.
type model struct {
	config   advertise.Config
	services map[advertise.ServiceKey]advertise.Service
	slices   map[advertise.SliceKey]modelSlice
}

func (m *model) endpointsOf(key advertise.ServiceKey, family bgp.Family) []endpoint {
	var all []endpoint
	for sliceKey, s := range m.slices {
		if sliceKey.Namespace == key.Namespace && s.service == key.Name && s.family == family {
			all = append(all, s.endpoints...)
		}
	}
	return all
}

// wants reports whether the node must advertise a host route for the address.
func (m *model) wants(key advertise.ServiceKey, address advertise.Address) bool {
	service := m.services[key]
	ofKind := slices.DeleteFunc(slices.Clone(m.config.Blocks), func(b advertise.Block) bool {
		return b.Kind != address.Kind || !b.CIDR.Contains(address.Addr)
	})
	if service.Headless || service.Deleting || service.Type == "ExternalName" || len(ofKind) == 0 || m.config.Excluded {
		return false
	}
	usable := slices.DeleteFunc(m.endpointsOf(key, bgp.FamilyOf(address.Addr)), func(e endpoint) bool { return !e.ready })
	if len(usable) == 0 {
		usable = slices.DeleteFunc(m.endpointsOf(key, bgp.FamilyOf(address.Addr)), func(e endpoint) bool {
			return !e.serving || !e.terminating
		})
	}
	if service.ExternalTrafficPolicy == advertise.Local ||
		address.Kind == advertise.ClusterIP && service.InternalTrafficPolicy == advertise.Local {
		return slices.ContainsFunc(usable, func(e endpoint) bool { return e.here })
	}
	block := slices.MaxFunc(ofKind, func(a, b advertise.Block) int { return a.CIDR.Bits() - b.CIDR.Bits() })
	hasAggregate := block.Aggregated && !block.CIDR.IsSingleIP()
	return !hasAggregate && len(usable) > 0
}

// routes returns every prefix that the node must advertise, with the Services that want it.
func (m *model) routes() map[netip.Prefix][]advertise.ServiceKey {
	routes := map[netip.Prefix][]advertise.ServiceKey{}
	if !m.config.Excluded {
		for _, b := range m.config.Blocks {
			if b.Aggregated && !b.CIDR.IsSingleIP() {
				routes[b.CIDR] = nil
			}
		}
		for _, cidr := range m.config.PodCIDRs {
			routes[cidr] = nil
		}
	}
	for key, service := range m.services {
		for _, address := range service.Addresses {
			prefix := netip.PrefixFrom(address.Addr, address.Addr.BitLen())
			if m.wants(key, address) && !slices.Contains(routes[prefix], key) {
				routes[prefix] = append(routes[prefix], key)
			}
		}
	}
	return routes
}

// kindsOf returns what a prefix is advertised for.
func (m *model) kindsOf(prefix netip.Prefix) bgp.Kinds {
	var kinds bgp.Kinds
	for _, b := range m.config.Blocks {
		if b.Aggregated && !b.CIDR.IsSingleIP() && b.CIDR == prefix {
			kinds |= 1 << (b.Kind - 1)
		}
	}
	if slices.Contains(m.config.PodCIDRs, prefix) {
		kinds |= 1 << 3
	}
	for key, service := range m.services {
		for _, address := range service.Addresses {
			if prefix == netip.PrefixFrom(address.Addr, address.Addr.BitLen()) && m.wants(key, address) {
				kinds |= 1 << (address.Kind - 1)
			}
		}
	}
	return kinds
}

func (m *model) attributesOf(prefix netip.Prefix) bgp.PathAttributes {
	var found bgp.PathAttributes
	for bits := range prefix.Bits() + 1 {
		for _, a := range m.config.Attributes {
			if a.CIDR == netip.PrefixFrom(prefix.Addr(), bits).Masked() {
				found = a.Attributes
			}
		}
	}
	return found
}

// The generators draw from few names, addresses and prefixes, so that events collide.
var (
	someNames     = rapid.SampledFrom([]string{"a", "b", "c"})
	someFamilies  = rapid.SampledFrom([]bgp.Family{bgp.IPv4, bgp.IPv6})
	someKinds     = rapid.SampledFrom([]advertise.Kind{advertise.ClusterIP, advertise.ExternalIP, advertise.LoadBalancerIP})
	somePolicies  = rapid.SampledFrom([]advertise.Policy{advertise.Cluster, advertise.Local})
	someAddresses = rapid.SampledFrom([]netip.Addr{
		netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.1.1"),
		netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"),
		netip.MustParseAddr("2001:db8:0:1::1"), netip.MustParseAddr("2001:db8:1::1"),
	})
	somePrefixes = rapid.SampledFrom([]netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.0.0.1/32"),
		netip.MustParsePrefix("2001:db8::/48"), netip.MustParsePrefix("2001:db8::/64"), netip.MustParsePrefix("2001:db8::1/128"),
	})
	someServiceKeys = rapid.Custom(func(t *rapid.T) advertise.ServiceKey {
		return advertise.ServiceKey{
			Namespace: rapid.SampledFrom([]string{"default", "shop"}).Draw(t, "namespace"),
			Name:      someNames.Draw(t, "service"),
		}
	})
	someSliceKeys = rapid.Custom(func(t *rapid.T) advertise.SliceKey {
		return advertise.SliceKey(someServiceKeys.Draw(t, "slice"))
	})
	someServices = rapid.Custom(func(t *rapid.T) advertise.Service {
		types := []advertise.ServiceType{advertise.TypeClusterIP, advertise.TypeNodePort, advertise.TypeLoadBalancer, "ExternalName"}
		return advertise.Service{
			Type:                  rapid.SampledFrom(types).Draw(t, "type"),
			Headless:              rapid.IntRange(0, 9).Draw(t, "headless") == 9,
			Deleting:              rapid.IntRange(0, 9).Draw(t, "deleting") == 9,
			ExternalTrafficPolicy: somePolicies.Draw(t, "externalTrafficPolicy"),
			InternalTrafficPolicy: somePolicies.Draw(t, "internalTrafficPolicy"),
			Addresses: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) advertise.Address {
				return advertise.Address{Addr: someAddresses.Draw(t, "address"), Kind: someKinds.Draw(t, "kind")}
			}), 0, 4).Draw(t, "addresses"),
		}
	})
	someSlices = rapid.Custom(func(t *rapid.T) modelSlice {
		return modelSlice{
			service: someNames.Draw(t, "service"),
			family:  someFamilies.Draw(t, "family"),
			endpoints: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) endpoint {
				return endpoint{
					ready:       rapid.Bool().Draw(t, "ready"),
					serving:     rapid.Bool().Draw(t, "serving"),
					terminating: rapid.Bool().Draw(t, "terminating"),
					here:        rapid.Bool().Draw(t, "here"),
				}
			}), 0, 3).Draw(t, "endpoints"),
		}
	})
	someConfigs = rapid.Custom(func(t *rapid.T) advertise.Config {
		return advertise.Config{
			Excluded: rapid.IntRange(0, 9).Draw(t, "excluded") == 9,
			Blocks: rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) advertise.Block {
				return advertise.Block{
					Kind:       someKinds.Draw(t, "kind"),
					CIDR:       somePrefixes.Draw(t, "cidr"),
					Aggregated: rapid.Bool().Draw(t, "aggregated"),
				}
			}), 0, 8, func(b advertise.Block) advertise.Block { return advertise.Block{Kind: b.Kind, CIDR: b.CIDR} }).Draw(t, "blocks"),
			PodCIDRs: rapid.SliceOfN(somePrefixes, 0, 1).Draw(t, "podCIDRs"),
			Attributes: rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) advertise.PrefixAttributes {
				med := rapid.Uint32Range(0, 3).Draw(t, "med")
				return advertise.PrefixAttributes{CIDR: somePrefixes.Draw(t, "cidr"), Attributes: bgp.PathAttributes{MED: bgp.Some(med)}}
			}), 0, 3, func(a advertise.PrefixAttributes) netip.Prefix { return a.CIDR }).Draw(t, "attributes"),
		}
	})
)

// TestTableEqualsRecomputationFromScratch runs random events, of every kind and in any order, and compares the table with
// the model after each.
func TestTableEqualsRecomputationFromScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{services: map[advertise.ServiceKey]advertise.Service{}, slices: map[advertise.SliceKey]modelSlice{}}
		table := advertise.NewTable()
		mirror := map[netip.Prefix]bgp.Path{}
		take := func(t *rapid.T) { apply(t, table.TakeChanges(), mirror) }

		t.Repeat(map[string]func(*rapid.T){
			"set Service": func(t *rapid.T) {
				key, service := someServiceKeys.Draw(t, "key"), someServices.Draw(t, "service")
				m.services[key] = service
				table.SetService(key, service)
			},
			"delete Service": func(t *rapid.T) {
				key := someServiceKeys.Draw(t, "key")
				delete(m.services, key)
				table.DeleteService(key)
			},
			"set slice": func(t *rapid.T) {
				key, slice := someSliceKeys.Draw(t, "key"), someSlices.Draw(t, "slice")
				m.slices[key] = slice
				table.SetSlice(key, slice.counted())
			},
			"delete slice": func(t *rapid.T) {
				key := someSliceKeys.Draw(t, "key")
				delete(m.slices, key)
				table.DeleteSlice(key)
			},
			"configure": func(t *rapid.T) {
				m.config = someConfigs.Draw(t, "config")
				table.Configure(m.config)
			},
			"take changes": take,
			"": func(t *rapid.T) {
				checkRoutes(t, m, table)
				checkAllowed(t, m.config, table)
			},
		})

		take(t)
		want := map[netip.Prefix]bgp.Path{}
		for _, path := range table.Paths() {
			want[path.Prefix] = path
		}
		if diff := cmp.Diff(want, mirror, netipComparer); diff != "" {
			t.Fatalf("who follows the changes ends elsewhere (-table +mirror):\n%s", diff)
		}
	})
}

// apply does what the changes say to the mirror, and fails where a change says what already is.
func apply(t *rapid.T, changes advertise.Changes, mirror map[netip.Prefix]bgp.Path) {
	for _, path := range changes.Advertise {
		if now, there := mirror[path.Prefix]; there && now == path {
			t.Fatalf("%s is advertised again without a change", path.Prefix)
		}
		mirror[path.Prefix] = path
	}
	for _, prefix := range changes.Withdraw {
		if _, there := mirror[prefix]; !there {
			t.Fatalf("%s is withdrawn but was never advertised", prefix)
		}
		delete(mirror, prefix)
	}
}

func checkRoutes(t *rapid.T, m *model, table *advertise.Table) {
	want := m.routes()
	got := map[netip.Prefix][]advertise.ServiceKey{}
	for _, route := range table.Routes(table.Len(), anyPrefix) {
		got[route.Prefix] = route.Services
	}
	for prefix, services := range want {
		slices.SortFunc(services, advertise.ServiceKey.Compare)
		want[prefix] = services[:min(len(services), advertise.MaxServicesPerRoute)]
	}
	if diff := cmp.Diff(want, got, netipComparer, emptyIsNil); diff != "" {
		t.Fatalf("routes (-from scratch +table):\n%s", diff)
	}
	for _, path := range table.Paths() {
		if attributes := m.attributesOf(path.Prefix); path.Attributes != attributes {
			t.Fatalf("%s has the attributes %+v, want %+v", path.Prefix, path.Attributes, attributes)
		}
		if kinds := m.kindsOf(path.Prefix); path.Kinds != kinds {
			t.Fatalf("%s is of kinds %04b, want %04b", path.Prefix, path.Kinds, kinds)
		}
	}
}

// checkAllowed holds the table to the promise that matters most: no address outside the blocks is ever advertised.
func checkAllowed(t *rapid.T, config advertise.Config, table *advertise.Table) {
	allowed := slices.Clone(config.PodCIDRs)
	for _, b := range config.Blocks {
		allowed = append(allowed, b.CIDR)
	}
	for _, path := range table.Paths() {
		inside := slices.ContainsFunc(allowed, func(cidr netip.Prefix) bool {
			return cidr.Bits() <= path.Prefix.Bits() && cidr.Contains(path.Prefix.Addr())
		})
		if !inside || config.Excluded {
			t.Fatalf("%s is advertised, which the configuration does not allow: %+v", path.Prefix, config)
		}
	}
}
