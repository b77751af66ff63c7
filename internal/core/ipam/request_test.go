package ipam_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
)

func addrs(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

func TestParseRequest(t *testing.T) {
	const right = `: write at most one address of each family, joined by commas, such as "192.168.3.180,2001:db8::1"`
	rows := map[string]struct {
		annotations    map[string]string
		loadBalancerIP string
		want           ipam.Request
	}{
		"nothing is asked for": {},
		"other annotations ask for nothing": {
			annotations: map[string]string{"herald.network/assign-external-ip": "true", "metallb.universe.tf/ip-allocated-from-pool": "public"},
		},
		"an address": {
			annotations: map[string]string{"herald.network/addresses": "192.168.3.180"},
			want:        ipam.Request{Addresses: addrs("192.168.3.180")},
		},
		"an address of each family, in any order, with blanks, and twice": {
			annotations: map[string]string{"herald.network/addresses": " 2001:db8::1 , 192.168.3.180,2001:DB8:0::1"},
			want:        ipam.Request{Addresses: addrs("192.168.3.180", "2001:db8::1")},
		},
		"a pool and a sharing key": {
			annotations: map[string]string{"herald.network/pool": "public", "herald.network/shared-address": "web"},
			want:        ipam.Request{Pool: "public", SharingKey: "web"},
		},
		"an empty annotation is absent": {
			annotations: map[string]string{"herald.network/addresses": " ", "herald.network/pool": "", "metallb.io/address-pool": "public"},
			want:        ipam.Request{Pool: "public"},
		},
		"the deprecated field": {
			loadBalancerIP: "192.168.3.180",
			want:           ipam.Request{Addresses: addrs("192.168.3.180")},
		},
		"the deprecated field, which the annotation holds too": {
			annotations:    map[string]string{"herald.network/addresses": "192.168.3.180,2001:db8::1"},
			loadBalancerIP: "2001:db8::1",
			want:           ipam.Request{Addresses: addrs("192.168.3.180", "2001:db8::1")},
		},
		"the deprecated field, which the annotation lacks": {
			annotations:    map[string]string{"herald.network/addresses": "192.168.3.180"},
			loadBalancerIP: "192.168.3.181",
			want: ipam.Request{Problem: `the annotation herald.network/addresses: "192.168.3.180" lacks the address in spec.loadBalancerIP: ` +
				`"192.168.3.181": name it in both, or leave the deprecated field empty`},
		},
		"the deprecated field holds no address": {
			loadBalancerIP: "tor-1",
			want:           ipam.Request{Problem: `spec.loadBalancerIP: "tor-1" can't be read: "tor-1" is no address` + right},
		},
		"no address": {
			annotations: map[string]string{"herald.network/addresses": "192.168.3.180,fe80::1%eth0"},
			want: ipam.Request{Problem: `herald.network/addresses: "192.168.3.180,fe80::1%eth0" can't be read: "fe80::1%eth0" is no address` +
				right},
		},
		"a comma too many": {
			annotations: map[string]string{"herald.network/addresses": "192.168.3.180,"},
			want:        ipam.Request{Problem: `herald.network/addresses: "192.168.3.180," can't be read: "" is no address` + right},
		},
		"two addresses of a family": {
			annotations: map[string]string{"herald.network/addresses": "192.168.3.181,192.168.3.180"},
			want: ipam.Request{Problem: `herald.network/addresses: "192.168.3.181,192.168.3.180" asks for two IPv4 addresses, 192.168.3.180 and ` +
				`192.168.3.181: ask for at most one of each family`},
		},
		"a problem leaves the sharing key": {
			annotations: map[string]string{"herald.network/addresses": "x", "herald.network/pool": "public", "herald.network/shared-address": "web"},
			want:        ipam.Request{SharingKey: "web", Problem: `herald.network/addresses: "x" can't be read: "x" is no address` + right},
		},
		"MetalLB's of old": {
			annotations: map[string]string{
				"metallb.universe.tf/loadBalancerIPs": "192.168.3.180", "metallb.universe.tf/address-pool": "public", "metallb.universe.tf/allow-shared-ip": "web",
			},
			want: ipam.Request{Addresses: addrs("192.168.3.180"), Pool: "public", SharingKey: "web"},
		},
		"MetalLB's": {
			annotations: map[string]string{
				"metallb.io/loadBalancerIPs": "192.168.3.180", "metallb.io/address-pool": "public", "metallb.io/allow-shared-ip": "web",
			},
			want: ipam.Request{Addresses: addrs("192.168.3.180"), Pool: "public", SharingKey: "web"},
		},
		"Cilium's": {
			annotations: map[string]string{"lbipam.cilium.io/ips": "192.168.3.180", "lbipam.cilium.io/sharing-key": "web"},
			want:        ipam.Request{Addresses: addrs("192.168.3.180"), SharingKey: "web"},
		},
		"Cilium's of old": {
			annotations: map[string]string{"io.cilium/lb-ipam-ips": "192.168.3.180", "io.cilium/lb-ipam-sharing-key": "web"},
			want:        ipam.Request{Addresses: addrs("192.168.3.180"), SharingKey: "web"},
		},
		"two projects that say the same": {
			annotations: map[string]string{"metallb.io/loadBalancerIPs": "192.168.3.180,2001:db8::1", "lbipam.cilium.io/ips": "2001:db8::1,192.168.3.180"},
			want:        ipam.Request{Addresses: addrs("192.168.3.180", "2001:db8::1")},
		},
		"Herald's own come first, whatever others say": {
			annotations: map[string]string{
				"herald.network/addresses": "192.168.3.180", "metallb.io/loadBalancerIPs": "192.168.3.1", "lbipam.cilium.io/ips": "x",
				"herald.network/pool": "public", "metallb.io/address-pool": "other",
				"herald.network/shared-address": "web", "metallb.io/allow-shared-ip": "other",
			},
			want: ipam.Request{Addresses: addrs("192.168.3.180"), Pool: "public", SharingKey: "web"},
		},
		"two projects ask for different addresses": {
			annotations: map[string]string{"metallb.io/loadBalancerIPs": "192.168.3.180", "lbipam.cilium.io/ips": "192.168.3.181"},
			want: ipam.Request{Problem: `the annotations metallb.io/loadBalancerIPs: "192.168.3.180" and lbipam.cilium.io/ips: "192.168.3.181" ` +
				`contradict each other: keep one of them, or let both say the same`},
		},
		"two annotations ask for different pools": {
			annotations: map[string]string{"metallb.io/address-pool": "a", "metallb.universe.tf/address-pool": "b"},
			want: ipam.Request{Problem: `the annotations metallb.universe.tf/address-pool: "b" and metallb.io/address-pool: "a" contradict each ` +
				`other: keep one of them, or let both say the same`},
		},
		"two projects ask for different sharing: the first key stays": {
			annotations: map[string]string{"metallb.io/allow-shared-ip": "a", "lbipam.cilium.io/sharing-key": "b"},
			want: ipam.Request{SharingKey: "a", Problem: `the annotations metallb.io/allow-shared-ip: "a" and lbipam.cilium.io/sharing-key: "b" ` +
				`contradict each other: keep one of them, or let both say the same`},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got := ipam.ParseRequest(row.annotations, row.loadBalancerIP)
			if diff := cmp.Diff(row.want, got, sameAddresses, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAProblemStaysShortHoweverLongTheAnnotation(t *testing.T) {
	got := ipam.ParseRequest(map[string]string{"herald.network/addresses": strings.Repeat("x", 100_000)}, "")
	if len(got.Problem) == 0 || len(got.Problem) > 1000 {
		t.Errorf("%d bytes: %s", len(got.Problem), got.Problem)
	}
}

// Whatever the annotations hold, what is asked for makes sense, or there is a problem.
func FuzzParseRequest(f *testing.F) {
	f.Add("192.168.3.180,2001:db8::1", "192.168.3.180", "public", "web", "")
	f.Add("192.168.3.180", "", "a", "b", "192.168.3.181")
	f.Add("::ffff:192.168.3.180", "fe80::1%eth0", " ", ",", ",")
	f.Fuzz(func(t *testing.T, own, foreign, pool, key, field string) {
		for _, annotations := range []map[string]string{
			{"herald.network/addresses": own, "lbipam.cilium.io/ips": foreign, "herald.network/pool": pool, "herald.network/shared-address": key},
			{"metallb.io/loadBalancerIPs": own, "lbipam.cilium.io/ips": foreign, "metallb.io/address-pool": pool, "io.cilium/lb-ipam-sharing-key": key},
		} {
			r := ipam.ParseRequest(annotations, field)
			if r.Problem != "" && (len(r.Addresses) > 0 || r.Pool != "" || len(r.Problem) > 4000) {
				t.Errorf("%+v", r)
			}
			var families bgp.Families
			for _, a := range r.Addresses {
				if family := bgp.FamilyOf(a); families.Has(family) || a.Is4In6() || a.Zone() != "" {
					t.Errorf("%q asks for %v", own, r.Addresses)
				}
				families |= bgp.FamiliesOf(bgp.FamilyOf(a))
			}
		}
	})
}
