package advertise_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

var (
	nginx = advertise.ServiceKey{Namespace: "default", Name: "nginx"}
	other = advertise.ServiceKey{Namespace: "default", Name: "other"}

	nginxSlice = advertise.SliceKey{Namespace: "default", Name: "nginx-x7x2p"}
	otherSlice = advertise.SliceKey{Namespace: "default", Name: "other-9k2fd"}
)

// hostRoutes allows external IPs in the realm's wide block, without an aggregate.
func hostRoutes(r realm) advertise.Config {
	return advertise.Config{Blocks: []advertise.Block{{Kind: advertise.ExternalIP, CIDR: r.wide}}}
}

func external(addresses ...netip.Addr) advertise.Service {
	service := advertise.Service{Type: advertise.TypeClusterIP}
	for _, a := range addresses {
		service.Addresses = append(service.Addresses, advertise.Address{Addr: a, Kind: advertise.ExternalIP})
	}
	return service
}

func readySlice(r realm, service string) advertise.Slice {
	return advertise.Slice{Service: service, Family: r.family, Endpoints: advertise.Endpoints{Ready: 1}}
}

// newTable returns a table with hostRoutes, in which nginx is advertised and its changes are taken.
func newTable(r realm) *advertise.Table {
	table := advertise.NewTable()
	table.Configure(hostRoutes(r))
	table.SetService(nginx, external(r.address))
	table.SetSlice(nginxSlice, readySlice(r, "nginx"))
	table.TakeChanges()
	return table
}

func advertised(prefixes ...netip.Prefix) advertise.Changes {
	var changes advertise.Changes
	for _, p := range prefixes {
		changes.Advertise = append(changes.Advertise, bgp.Path{Prefix: p, Kinds: advertise.ExternalIP.Set()})
	}
	return changes
}

func anyPrefix(netip.Prefix) bool { return true }

func withdrawn(prefixes ...netip.Prefix) advertise.Changes {
	return advertise.Changes{Withdraw: prefixes}
}

// tableRows each start from newTable, and say what the events between two calls of TakeChanges come to.
var tableRows = map[string]struct {
	events func(table *advertise.Table, r realm)
	want   func(r realm) advertise.Changes
}{
	"nothing happened": {
		func(*advertise.Table, realm) {},
		func(realm) advertise.Changes { return advertise.Changes{} },
	},
	"the same events again change nothing": {
		func(table *advertise.Table, r realm) {
			table.Configure(hostRoutes(r))
			table.SetService(nginx, external(r.address))
			table.SetSlice(nginxSlice, readySlice(r, "nginx"))
		},
		func(realm) advertise.Changes { return advertise.Changes{} },
	},
	"deleting what never was changes nothing": {
		func(table *advertise.Table, _ realm) { table.DeleteService(other); table.DeleteSlice(otherSlice) },
		func(realm) advertise.Changes { return advertise.Changes{} },
	},
	"a deleted Service is withdrawn": {
		func(table *advertise.Table, _ realm) { table.DeleteService(nginx) },
		func(r realm) advertise.Changes { return withdrawn(r.single) },
	},
	"a Service that is deleted and made anew keeps its route": {
		func(table *advertise.Table, r realm) {
			table.DeleteService(nginx)
			table.SetService(nginx, external(r.address))
		},
		func(realm) advertise.Changes { return advertise.Changes{} },
	},
	"a deleted slice takes its endpoints along": {
		func(table *advertise.Table, _ realm) { table.DeleteSlice(nginxSlice) },
		func(r realm) advertise.Changes { return withdrawn(r.single) },
	},
	"one of two slices deleted leaves the other's endpoints": {
		func(table *advertise.Table, r realm) {
			table.SetSlice(otherSlice, readySlice(r, "nginx"))
			table.DeleteSlice(nginxSlice)
		},
		func(realm) advertise.Changes { return advertise.Changes{} },
	},
	"a slice that lost its endpoints": {
		func(table *advertise.Table, r realm) {
			table.SetSlice(nginxSlice, advertise.Slice{Service: "nginx", Family: r.family})
		},
		func(r realm) advertise.Changes { return withdrawn(r.single) },
	},
	"a slice that changes its Service moves": {
		func(table *advertise.Table, r realm) {
			table.SetService(other, external(r.narrow.Addr()))
			table.SetSlice(nginxSlice, readySlice(r, "other"))
		},
		func(r realm) advertise.Changes {
			return advertise.Changes{
				Advertise: []bgp.Path{{Prefix: netip.PrefixFrom(r.narrow.Addr(), r.single.Bits()), Kinds: advertise.ExternalIP.Set()}},
				Withdraw:  []netip.Prefix{r.single},
			}
		},
	},
	"a slice that loses its label leaves its Service": {
		func(table *advertise.Table, r realm) { table.SetSlice(nginxSlice, readySlice(r, "")) },
		func(r realm) advertise.Changes { return withdrawn(r.single) },
	},
	"a slice that becomes one of host names counts for nothing": {
		func(table *advertise.Table, r realm) {
			slice := readySlice(r, "nginx")
			slice.Family = 0
			table.SetSlice(nginxSlice, slice)
		},
		func(r realm) advertise.Changes { return withdrawn(r.single) },
	},
	"a slice of another namespace counts for nothing": {
		func(table *advertise.Table, r realm) {
			table.DeleteSlice(nginxSlice)
			table.SetSlice(advertise.SliceKey{Namespace: "shop", Name: nginxSlice.Name}, readySlice(r, "nginx"))
		},
		func(r realm) advertise.Changes { return withdrawn(r.single) },
	},
	"a slice may come before its Service": {
		func(table *advertise.Table, r realm) {
			table.SetSlice(otherSlice, readySlice(r, "other"))
			table.SetService(other, external(r.narrow.Addr()))
		},
		func(r realm) advertise.Changes {
			return advertised(netip.PrefixFrom(r.narrow.Addr(), r.single.Bits()))
		},
	},
	"an address that a second Service wants is advertised once": {
		func(table *advertise.Table, r realm) {
			table.SetService(other, external(r.address))
			table.SetSlice(otherSlice, readySlice(r, "other"))
		},
		func(realm) advertise.Changes { return advertise.Changes{} },
	},
	"a shared address outlives the first of its Services": {
		func(table *advertise.Table, r realm) {
			table.SetService(other, external(r.address))
			table.SetSlice(otherSlice, readySlice(r, "other"))
			table.DeleteService(nginx)
		},
		func(realm) advertise.Changes { return advertise.Changes{} },
	},
	"a shared address is withdrawn with the last of its Services": {
		func(table *advertise.Table, r realm) {
			table.SetService(other, external(r.address))
			table.SetSlice(otherSlice, readySlice(r, "other"))
			table.DeleteService(nginx)
			table.DeleteSlice(otherSlice)
		},
		func(r realm) advertise.Changes { return withdrawn(r.single) },
	},
	"an address named twice in one Service is one route": {
		func(table *advertise.Table, r realm) {
			table.SetService(nginx, external(r.address, r.address))
			table.SetService(nginx, external(r.address))
		},
		func(realm) advertise.Changes { return advertise.Changes{} },
	},
	"aggregation enabled: the aggregate comes, the host route goes": {
		func(table *advertise.Table, r realm) {
			table.Configure(advertise.Config{Blocks: []advertise.Block{{Kind: advertise.ExternalIP, CIDR: r.wide, Aggregated: true}}})
		},
		func(r realm) advertise.Changes {
			return advertise.Changes{Advertise: []bgp.Path{{Prefix: r.wide, Kinds: advertise.ExternalIP.Set()}}, Withdraw: []netip.Prefix{r.single}}
		},
	},
	"an aggregate that two kinds of blocks make is one route": {
		func(table *advertise.Table, r realm) {
			table.DeleteService(nginx)
			table.Configure(advertise.Config{Blocks: []advertise.Block{
				{Kind: advertise.ExternalIP, CIDR: r.wide, Aggregated: true},
				{Kind: advertise.LoadBalancerIP, CIDR: r.wide, Aggregated: true},
			}})
			table.Configure(advertise.Config{Blocks: []advertise.Block{
				{Kind: advertise.LoadBalancerIP, CIDR: r.wide, Aggregated: true},
			}})
		},
		func(r realm) advertise.Changes {
			return advertise.Changes{Advertise: []bgp.Path{{Prefix: r.wide, Kinds: advertise.LoadBalancerIP.Set()}}, Withdraw: []netip.Prefix{r.single}}
		},
	},
	"pod CIDRs are advertised as they are": {
		func(table *advertise.Table, r realm) {
			config := hostRoutes(r)
			config.PodCIDRs = []netip.Prefix{r.narrow}
			table.Configure(config)
		},
		func(r realm) advertise.Changes {
			return advertise.Changes{Advertise: []bgp.Path{{Prefix: r.narrow, Kinds: advertise.PodCIDR.Set()}}}
		},
	},
	"a prefix that comes to be of another kind too is told again": {
		func(table *advertise.Table, r realm) {
			config := hostRoutes(r)
			config.PodCIDRs = []netip.Prefix{r.single}
			table.Configure(config)
		},
		func(r realm) advertise.Changes {
			return advertise.Changes{Advertise: []bgp.Path{{Prefix: r.single, Kinds: advertise.ExternalIP.Set() | advertise.PodCIDR.Set()}}}
		},
	},
	"an excluded node withdraws everything": {
		func(table *advertise.Table, r realm) {
			table.Configure(advertise.Config{
				Excluded: true,
				Blocks: []advertise.Block{
					{Kind: advertise.ExternalIP, CIDR: r.wide},
					{Kind: advertise.ClusterIP, CIDR: r.wide, Aggregated: true},
				},
				PodCIDRs: []netip.Prefix{r.narrow},
			})
		},
		func(r realm) advertise.Changes { return withdrawn(r.single) },
	},
	"no configuration at all withdraws everything": {
		func(table *advertise.Table, _ realm) { table.Configure(advertise.Config{}) },
		func(r realm) advertise.Changes { return withdrawn(r.single) },
	},
	"new attributes are advertised, the longest prefix's": {
		func(table *advertise.Table, r realm) {
			config := hostRoutes(r)
			config.Attributes = []advertise.PrefixAttributes{
				{CIDR: r.narrow, Attributes: bgp.PathAttributes{MED: bgp.Some(2)}},
				{CIDR: r.wide, Attributes: bgp.PathAttributes{MED: bgp.Some(1)}},
			}
			table.Configure(config)
		},
		func(r realm) advertise.Changes {
			return advertise.Changes{Advertise: []bgp.Path{{Prefix: r.single, Kinds: advertise.ExternalIP.Set(), Attributes: bgp.PathAttributes{MED: bgp.Some(2)}}}}
		},
	},
	"attributes of a part of an aggregate are not the aggregate's": {
		func(table *advertise.Table, r realm) {
			table.DeleteService(nginx)
			table.Configure(advertise.Config{
				Blocks: []advertise.Block{{Kind: advertise.ExternalIP, CIDR: r.wide, Aggregated: true}},
				Attributes: []advertise.PrefixAttributes{
					{CIDR: r.wide, Attributes: bgp.PathAttributes{MED: bgp.Some(1)}},
					{CIDR: netip.PrefixFrom(r.wide.Addr(), r.wide.Bits()+1), Attributes: bgp.PathAttributes{MED: bgp.Some(2)}},
				},
			})
		},
		func(r realm) advertise.Changes {
			return advertise.Changes{
				Advertise: []bgp.Path{{Prefix: r.wide, Kinds: advertise.ExternalIP.Set(), Attributes: bgp.PathAttributes{MED: bgp.Some(1)}}},
				Withdraw:  []netip.Prefix{r.single},
			}
		},
	},
}

func TestTableTellsWhatChanged(t *testing.T) {
	for name, row := range tableRows {
		for _, r := range realms {
			t.Run(r.family.String()+"/"+name, func(t *testing.T) {
				table := newTable(r)
				row.events(table, r)
				if diff := cmp.Diff(row.want(r), table.TakeChanges(), netipComparer); diff != "" {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
				if again := table.TakeChanges(); !again.IsEmpty() {
					t.Errorf("taken a second time, the changes are %+v, want none", again)
				}
			})
		}
	}
}

func TestTableExplainsOneService(t *testing.T) {
	for _, r := range realms {
		t.Run(r.family.String(), func(t *testing.T) {
			table := newTable(r)
			table.SetSlice(otherSlice, readySlice(r, "other"))
			want := []advertise.Decision{{
				Address: advertise.Address{Addr: r.address, Kind: advertise.ExternalIP},
				Block:   advertise.Block{Kind: advertise.ExternalIP, CIDR: r.wide},
				Reason:  advertise.Advertised,
			}}
			got, known := table.Explain(nginx)
			if diff := cmp.Diff(want, got, netipComparer); !known || diff != "" {
				t.Errorf("known %v, decisions (-want +got):\n%s", known, diff)
			}
			if _, known := table.Explain(other); known {
				t.Error("a Service of which only a slice came was explained")
			}
		})
	}
}

func TestRoutesComeInOrderWithTheirServices(t *testing.T) {
	table := advertise.NewTable()
	v4, v6 := realms[0], realms[1]
	table.Configure(advertise.Config{
		Blocks: []advertise.Block{
			{Kind: advertise.ExternalIP, CIDR: v6.wide},
			{Kind: advertise.ExternalIP, CIDR: v4.wide},
			{Kind: advertise.LoadBalancerIP, CIDR: v4.wide},
			{Kind: advertise.ClusterIP, CIDR: netip.MustParsePrefix("fd00:49::/112"), Aggregated: true},
			{Kind: advertise.ClusterIP, CIDR: netip.MustParsePrefix("10.49.0.0/16"), Aggregated: true},
		},
		PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.48.1.0/24")},
	})
	for i := range 7 {
		key := advertise.ServiceKey{Namespace: "default", Name: fmt.Sprintf("shared-%d", 6-i)}
		service := external(v4.address, v6.address)
		service.Addresses = append(service.Addresses, advertise.Address{Addr: v4.address, Kind: advertise.LoadBalancerIP})
		table.SetService(key, service)
		table.SetSlice(advertise.SliceKey{Namespace: "default", Name: key.Name}, readySlice(v4, key.Name))
	}
	table.SetService(nginx, external(v4.wide.Addr(), v6.address))
	table.SetSlice(nginxSlice, readySlice(v4, "nginx"))
	table.SetSlice(otherSlice, readySlice(v6, "nginx"))

	shared := make([]advertise.ServiceKey, advertise.MaxServicesPerRoute)
	for i := range shared {
		shared[i] = advertise.ServiceKey{Namespace: "default", Name: fmt.Sprintf("shared-%d", i)}
	}
	want := []advertise.Route{
		{Prefix: netip.MustParsePrefix("10.48.1.0/24"), Kind: advertise.PodCIDR},
		{Prefix: netip.MustParsePrefix("10.49.0.0/16"), Kind: advertise.ClusterIP},
		{Prefix: netip.MustParsePrefix("fd00:49::/112"), Kind: advertise.ClusterIP},
		{Prefix: netip.MustParsePrefix("192.168.3.0/32"), Kind: advertise.ExternalIP, Services: []advertise.ServiceKey{nginx}},
		{Prefix: v4.single, Kind: advertise.ExternalIP, Services: shared},
		{Prefix: v6.single, Kind: advertise.ExternalIP, Services: []advertise.ServiceKey{nginx}},
	}
	for limit := range len(want) + 2 {
		t.Run(fmt.Sprintf("limit %d", limit), func(t *testing.T) {
			if diff := cmp.Diff(want[:min(limit, len(want))], table.Routes(limit, anyPrefix), netipComparer, emptyIsNil); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
		})
	}
	if table.Len() != len(want) {
		t.Errorf("Len() = %d, want %d", table.Len(), len(want))
	}
	for i, path := range table.Paths() {
		if path.Prefix != want[i].Prefix {
			t.Errorf("Paths()[%d] is %s, want %s", i, path.Prefix, want[i].Prefix)
		}
	}
}
