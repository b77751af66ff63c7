package crosscheck_test

import (
	"testing"

	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/crosscheck"
)

func TestPool(t *testing.T) {
	const blocks = `{serviceClusterIPs: [{cidr: 10.49.0.0/16}], serviceExternalIPs: [{cidr: 192.168.3.0/24}], serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24}, {cidr: "2001:db8:4::/64"}]}`
	for name, row := range map[string]struct {
		spec string
		// base is the spec of the BGPConfiguration named default, blocks where it is empty; pools are what the pool lives with.
		base  string
		pools others
		want  []string
	}{
		"sound":           {spec: `{addresses: [192.168.3.0/24, 192.168.4.7, "2001:db8:4::1-2001:db8:4::ffff"]}`},
		"across blocks":   {spec: `{addresses: [192.168.3.250-192.168.4.5]}`},
		"an empty pool":   {spec: `{addresses: [192.168.5.1], avoid: [192.168.5.0/24]}`},
		"beside a pool":   {spec: `{addresses: [192.168.3.0/25]}`, pools: others{"old/9": "{addresses: [192.168.3.128/25]}"}},
		"what is avoided": {spec: `{addresses: [192.168.3.0/25]}`, pools: others{"old/9": "{addresses: [192.168.3.0/24], avoid: [192.168.3.0-192.168.3.127]}"}},
		"what the pool itself avoids": {
			spec: `{addresses: [192.168.3.0/24], avoid: [192.168.3.9]}`, pools: others{"old/9": "{addresses: [192.168.3.9]}"},
		},
		"what the object alone tells": {
			spec: `{addresses: [192.168.3.9-192.168.3.1], avoid: [192.168.3.2]}`,
			want: []string{
				`error Invalid: spec.addresses[0]: Invalid value: "192.168.3.9-192.168.3.1": the first address of a range must not be above the last: write 192.168.3.1-192.168.3.9`,
				`warning Valid: spec.avoid[0]: holds no address of the pool, so it has no effect`,
			},
		},
		"what an older pool holds": {
			spec: `{addresses: [192.168.4.1, 192.168.3.0/24], avoid: [192.168.3.12]}`, pools: others{"old/9": "{addresses: [192.168.3.10-192.168.3.20]}"},
			want: []string{`error Conflict: spec.addresses[1]: Invalid value: "192.168.3.0/24": the ExternalIPPools "tenant" and "old" both hold 192.168.3.10/31 and 192.168.3.13-192.168.3.20, and an address must be in one pool only: remove it from one of the two, or let one avoid it`},
		},
		"what an older pool holds, IPv6": {
			spec: `{addresses: ["2001:db8:4::/120"]}`, pools: others{"old/9": `{addresses: ["2001:db8:4::ff"]}`},
			want: []string{`error Conflict: spec.addresses[0]: Invalid value: "2001:db8:4::/120": the ExternalIPPools "tenant" and "old" both hold 2001:db8:4::ff, and an address must be in one pool only: remove it from one of the two, or let one avoid it`},
		},
		"what a newer pool holds": {
			spec: `{addresses: [192.168.3.0/24]}`, pools: others{"new/0": "{addresses: [192.168.3.9]}"},
			want: []string{`warning Conflict: spec.addresses[0]: the ExternalIPPools "tenant" and "new" both hold 192.168.3.9, and an address must be in one pool only: remove it from one of the two, or let one avoid it`},
		},
		"addresses in no block": {
			spec: `{addresses: [192.168.2.255-192.168.3.9, 192.168.5.0/24, 10.49.0.1, "2001:db8::/64", 192.168.6.1], avoid: [192.168.5.0-192.168.5.9]}`,
			want: []string{"warning OutsideBlocks: spec.addresses: no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds 10.49.0.1, 192.168.2.255, 192.168.5.10-192.168.5.255 and 2 more, and what is in no block is never assigned: add a block, or avoid the addresses"},
		},
		"an address in no block": {
			spec: `{addresses: [192.168.5.1]}`,
			want: []string{"warning OutsideBlocks: spec.addresses: no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds 192.168.5.1, and what is in no block is never assigned: add a block, or avoid the addresses"},
		},
		"no configuration": {
			spec: `{addresses: [192.168.3.1]}`, base: "none",
			want: []string{"warning NoConfiguration: spec.addresses: there is no BGPConfiguration named default, so no address of the pool may be advertised: create it, with blocks for the pool"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := clustertest.Rack()
			if row.base == "" {
				base := clustertest.Configuration(t, "default", 9, blocks)
				state = state.WithConfiguration(&base)
			}
			row.pools.each(t, func(name string, age int, text string) {
				state.Pools = append(state.Pools, clustertest.Pool(t, name, age, text))
			})
			checked := clustertest.Pool(t, "tenant", 1, row.spec)
			expect(t, row.want, crosscheck.In(state).Pool(&checked))
		})
	}
}
