package admission_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/admission"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
)

func TestExternalIPPolicy(t *testing.T) {
	if got := admission.ExternalIPPolicy(nil); got != v1alpha1.ExternalIPIgnore {
		t.Errorf("without a configuration: %s, want Ignore", got)
	}
	for spec, want := range map[string]v1alpha1.ExternalIPPolicy{
		"{}":                         v1alpha1.ExternalIPIgnore,
		"{serviceExternalIPs: null}": v1alpha1.ExternalIPIgnore,
		"{serviceExternalIPs: []}":   v1alpha1.ExternalIPEnforce,
		"{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}":                           v1alpha1.ExternalIPEnforce,
		"{serviceExternalIPs: [{cidr: 192.168.3.0/24}], externalIPPolicy: Warn}":   v1alpha1.ExternalIPWarn,
		"{serviceExternalIPs: [{cidr: 192.168.3.0/24}], externalIPPolicy: Ignore}": v1alpha1.ExternalIPIgnore,
		"{externalIPPolicy: Enforce}":                                              v1alpha1.ExternalIPEnforce,
		"{serviceExternalIPs: [], externalIPPolicy: enforce}":                      v1alpha1.ExternalIPEnforce,
	} {
		base := clustertest.Configuration(t, "default", 1, spec)
		if got := admission.ExternalIPPolicy(&base); got != want {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
	}
}

// externalIPRows each judge a request for the Service shop/web, where 192.168.3.9 and 2001:db8:3::9 belong to bank/web
// and 192.168.3.8 to shop/old.
var externalIPRows = map[string]struct {
	// base is the spec of the BGPConfiguration named default; there is none where it is empty.
	base             string
	old, wanted      []string
	errors, warnings []string
}{
	"inside":                          {base: blocks, wanted: []string{"192.168.3.1", "2001:db8:3::1"}},
	"none":                            {base: blocks},
	"no configuration":                {wanted: []string{"8.8.8.8", "192.168.1.11"}},
	"nothing set":                     {base: "{}", wanted: []string{"8.8.8.8"}},
	"ignored":                         {base: "{serviceExternalIPs: [], externalIPPolicy: Ignore}", wanted: []string{"8.8.8.8", "192.168.3.9"}},
	"of its own namespace":            {base: blocks, wanted: []string{"192.168.3.8"}},
	"there before":                    {base: blocks, old: []string{"8.8.8.8", "192.168.3.9"}, wanted: []string{"192.168.3.9", "8.8.8.8"}},
	"there before, in other words":    {base: blocks, old: []string{"2001:db8::8", "8.8.8.8"}, wanted: []string{"2001:DB8:0::8", "8.8.8.08", "::ffff:8.8.8.8"}},
	"what no one can read":            {base: blocks, wanted: []string{"8.8.8", "", "x", "8.8.8.8.8", "300.1.1.1"}},
	"removed":                         {base: blocks, old: []string{"8.8.8.8"}},
	"outside":                         {base: blocks, old: []string{"8.8.8.8"}, wanted: []string{"8.8.8.8", "8.8.4.4"}, errors: []string{`spec.externalIPs[1]: Invalid value: "8.8.4.4": 8.8.4.4 is in no block of serviceExternalIPs in the BGPConfiguration named default (it has 192.168.3.0/24, 2001:db8:3::/64): use an address in one`}},
	"outside, IPv6":                   {base: blocks, wanted: []string{"2001:db8:4::1"}, errors: []string{`spec.externalIPs[0]: Invalid value: "2001:db8:4::1": 2001:db8:4::1 is in no block of serviceExternalIPs in the BGPConfiguration named default (it has 192.168.3.0/24, 2001:db8:3::/64): use an address in one`}},
	"outside, twice":                  {base: "{serviceExternalIPs: []}", wanted: []string{"8.8.4.4", "8.8.4.4"}, errors: []string{`spec.externalIPs[0]: Invalid value: "8.8.4.4": 8.8.4.4 is in no block of serviceExternalIPs in the BGPConfiguration named default (it has none): use an address in one`}},
	"outside, as kube-proxy reads it": {base: "{serviceExternalIPs: []}", wanted: []string{"::ffff:8.8.4.4"}, errors: []string{`spec.externalIPs[0]: Invalid value: "::ffff:8.8.4.4": 8.8.4.4 is in no block of serviceExternalIPs in the BGPConfiguration named default (it has none): use an address in one`}},
	"another namespace's": {
		base: blocks, wanted: []string{"192.168.3.9"},
		errors: []string{`spec.externalIPs[0]: Invalid value: "192.168.3.9": 192.168.3.9 is an address of the Service bank/web, which is in another namespace and would lose its traffic: use another address`},
	},
	"another namespace's, IPv6": {
		base: blocks, wanted: []string{"2001:db8:3::9"},
		errors: []string{`spec.externalIPs[0]: Invalid value: "2001:db8:3::9": 2001:db8:3::9 is an address of the Service bank/web, which is in another namespace and would lose its traffic: use another address`},
	},
	"another namespace's, with leading zeros": {
		base: blocks, wanted: []string{"192.168.003.009"},
		errors: []string{`spec.externalIPs[0]: Invalid value: "192.168.003.009": 192.168.3.9 is an address of the Service bank/web, which is in another namespace and would lose its traffic: use another address`},
	},
	"a node's": {
		base: "{serviceExternalIPs: [{cidr: 192.168.0.0/16}]}", wanted: []string{"192.168.1.12"},
		errors: []string{`spec.externalIPs[0]: Invalid value: "192.168.1.12": 192.168.1.12 is the InternalIP of the node "node-2", which would lose its traffic: use another address`},
	},
	"a pod's, IPv6": {
		base: `{serviceExternalIPs: [{cidr: "2001:db8::/32"}]}`, wanted: []string{"2001:db8:244:1::7"},
		errors: []string{`spec.externalIPs[0]: Invalid value: "2001:db8:244:1::7": 2001:db8:244:1::7 is in the pod CIDR 2001:db8:244:1::/64 of the node "node-2", whose pods would lose their traffic: use another address`},
	},
	"warned of": {
		base: "{externalIPPolicy: Warn, serviceExternalIPs: [{cidr: 10.1.0.0/16}, {cidr: 10.2.0.0/16}, {cidr: 10.3.0.0/16}, {cidr: 10.4.0.0/16}, {cidr: 10.5.0.0/16}, {cidr: 10.6.0.0/16}]}", wanted: []string{"10.1.0.1", "192.168.3.9"},
		warnings: []string{
			`spec.externalIPs[1]: 192.168.3.9 is in no block of serviceExternalIPs in the BGPConfiguration named default (it has 10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16, 10.4.0.0/16, 10.5.0.0/16 and 1 more): use an address in one`,
			`spec.externalIPs[1]: 192.168.3.9 is an address of the Service bank/web, which is in another namespace and would lose its traffic: use another address`,
		},
	},
}

const blocks = `{serviceExternalIPs: [{cidr: 192.168.3.0/24}, {cidr: "2001:db8:3::/64"}], serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24}]}`

func TestExternalIPs(t *testing.T) {
	shop, old, bank := advertise.ServiceKey{Namespace: "shop", Name: "web"}, advertise.ServiceKey{Namespace: "shop", Name: "old"}, advertise.ServiceKey{Namespace: "bank", Name: "web"}
	owners := map[netip.Addr][]advertise.ServiceKey{
		netip.MustParseAddr("192.168.3.9"): {shop, bank}, netip.MustParseAddr("2001:db8:3::9"): {bank}, netip.MustParseAddr("192.168.3.8"): {old},
	}
	for name, row := range externalIPRows {
		t.Run(name, func(t *testing.T) {
			state := clustertest.Rack()
			if row.base != "" {
				state = withConfiguration("default", 1, row.base)(t, state)
			}
			request := admission.ExternalIPRequest{
				Service: shop, Old: row.old, New: row.wanted,
				Owners: func(address netip.Addr) []advertise.ServiceKey { return owners[address] },
			}
			expect(t, row.errors, row.warnings, admission.ExternalIPs(request, state))
		})
	}
}

// Whatever is asked for, the answer is always the same one, and what is there already is never held against the Service.
func FuzzExternalIPs(f *testing.F) {
	f.Add("192.168.3.1", "::ffff:010.0.0.1", "10.0.0.1")
	f.Add("fe80::1%eth0", "1.2.3.4.5", "::")
	f.Add("0x1.2.3.4", "....", "00.00.00.00")
	f.Fuzz(func(t *testing.T, first, second, third string) {
		base := clustertest.Configuration(t, "default", 1, "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}")
		state := cluster.State{Configurations: []v1alpha1.BGPConfiguration{base}}
		request := admission.ExternalIPRequest{New: []string{first, second, third}}
		got := admission.ExternalIPs(request, state)
		if diff := cmp.Diff(got, admission.ExternalIPs(request, state)); diff != "" {
			t.Errorf("one answer and another:\n%s", diff)
		}
		if request.Old = request.New; len(admission.ExternalIPs(request, state).Errors) > 0 {
			t.Errorf("%q are held against the Service that has them", request.Old)
		}
	})
}

// Who is warned of an address outside the blocks already is told the rest only, but refused all the same.
func TestExternalIPsThatSomebodyElseWarnsOf(t *testing.T) {
	for policy, row := range map[string]struct{ errors, warnings []string }{
		"Enforce": {errors: []string{
			`spec.externalIPs[0]: Invalid value: "192.168.1.12": 192.168.1.12 is in no block of serviceExternalIPs in the BGPConfiguration named default (it has none): use an address in one`,
			`spec.externalIPs[0]: Invalid value: "192.168.1.12": 192.168.1.12 is the InternalIP of the node "node-2", which would lose its traffic: use another address`,
		}},
		"Warn": {warnings: []string{`spec.externalIPs[0]: 192.168.1.12 is the InternalIP of the node "node-2", which would lose its traffic: use another address`}},
	} {
		state := withConfiguration("default", 1, "{serviceExternalIPs: [], externalIPPolicy: "+policy+"}")(t, clustertest.Rack())
		request := admission.ExternalIPRequest{New: []string{"192.168.1.12"}, BlocksWarned: true}
		expect(t, row.errors, row.warnings, admission.ExternalIPs(request, state))
	}
}
