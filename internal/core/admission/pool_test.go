package admission_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/admission"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
)

// withAssigned adds Services, each as "namespace/name ADDRESS…", which Herald assigned the addresses to.
func withAssigned(services ...string) stateChange {
	return func(tb testing.TB, s cluster.State) cluster.State {
		tb.Helper()
		for _, text := range services {
			fields := strings.Fields(text)
			namespace, name, _ := strings.Cut(fields[0], "/")
			service := cluster.Service{
				Key:  advertise.ServiceKey{Namespace: namespace, Name: name},
				Spec: advertise.Service{Type: advertise.TypeClusterIP},
			}
			for _, address := range fields[1:] {
				a := netip.MustParseAddr(address)
				service.Assigned = append(service.Assigned, a)
				service.Spec.Addresses = append(service.Spec.Addresses, advertise.Address{Addr: a, Kind: advertise.ExternalIP})
			}
			s.Services = append(s.Services, service)
		}
		return s
	}
}

// What is said of Services that have addresses from the pool one, which is made another or deleted.
func TestAPoolInUse(t *testing.T) {
	const (
		another   = ", which gets another address where a pool has one for it, else none"
		others    = "Services, each of which gets another where a pool has one for it, else none: "
		howToMove = "to move a Service to another pool, annotate it with herald.network/pool: NAME of that pool; the condition Released says who is left"
	)
	base := withConfiguration("default", 9, `{serviceExternalIPs: [{cidr: 192.168.3.0/24}, {cidr: "2001:db8:3::/64"}]}`)
	three := withAssigned("shop/api 192.168.3.7", "default/web 192.168.3.6", "default/nginx 192.168.3.5")
	for name, row := range map[string]struct {
		old, wanted string
		state       []stateChange
		warnings    []string
	}{
		"shrunk, and one loses its address": {
			old: "{addresses: [192.168.3.0/24]}", wanted: "{addresses: [192.168.3.6-192.168.3.20]}", state: []stateChange{three},
			warnings: []string{"this change takes 192.168.3.5 from Service default/nginx" + another},
		},
		"shrunk, and several lose theirs": {
			old: "{addresses: [192.168.3.0/24]}", wanted: "{addresses: [192.168.3.64/26]}", state: []stateChange{three},
			warnings: []string{"this change takes addresses from 3 " + others + "default/nginx (192.168.3.5), default/web (192.168.3.6), shop/api (192.168.3.7)"},
		},
		"all avoided": {
			old: "{addresses: [192.168.3.0/24]}", wanted: "{addresses: [192.168.3.0/24], avoid: [192.168.3.0/24]}", state: []stateChange{withAssigned("default/nginx 192.168.3.5")},
			warnings: []string{"this change takes 192.168.3.5 from Service default/nginx" + another},
		},
		"one family is taken away": {
			old: `{addresses: [192.168.3.0/24, "2001:db8:3::/64"]}`, wanted: "{addresses: [192.168.3.0/24]}",
			state:    []stateChange{withAssigned("default/nginx 192.168.3.5 2001:db8:3::5")},
			warnings: []string{"this change takes 2001:db8:3::5 from Service default/nginx" + another},
		},
		"both families are taken away": {
			old: `{addresses: [192.168.3.0/24, "2001:db8:3::/64"]}`, wanted: "{addresses: [192.168.3.200]}",
			state:    []stateChange{withAssigned("default/nginx 192.168.3.5 2001:db8:3::5")},
			warnings: []string{"this change takes 192.168.3.5 and 2001:db8:3::5 from Service default/nginx" + another},
		},
		"what another pool holds stays": {
			old: "{addresses: [192.168.3.0/24]}", wanted: "{addresses: [192.168.3.64/26]}",
			state: []stateChange{three, withPool("two", 1, "{addresses: [192.168.3.5-192.168.3.6]}")},
			warnings: []string{
				"this change takes 192.168.3.7 from Service shop/api" + another,
			},
		},
		"written otherwise": {old: "{addresses: [192.168.3.0/24]}", wanted: "{addresses: [192.168.3.0-192.168.3.127, 192.168.3.128/25]}", state: []stateChange{three}},
		"widened":           {old: "{addresses: [192.168.3.0/25]}", wanted: "{addresses: [192.168.3.0/24]}", state: []stateChange{three}},
		"shrunk where nobody has addresses": {
			old: "{addresses: [192.168.3.0/24]}", wanted: "{addresses: [192.168.3.0/25]}", state: []stateChange{three},
		},
		"closed to the Services that have addresses": {
			old:    "{addresses: [192.168.3.0/24]}",
			wanted: "{addresses: [192.168.3.0/24], assignment: OnRequest, priority: -5, serviceSelector: {matchLabels: {a: b}}, namespaceSelector: {matchLabels: {a: b}}}",
			state:  []stateChange{three},
		},
		"created where its addresses are assigned": {wanted: "{addresses: [192.168.3.0/24]}", state: []stateChange{three}},
		"shrunk, with addresses that Herald did not assign": {
			old: "{addresses: [192.168.3.0/24]}", wanted: "{addresses: [192.168.3.64/26]}",
			state: []stateChange{three, func(_ testing.TB, s cluster.State) cluster.State {
				for i := range s.Services {
					s.Services[i].Assigned = nil
				}
				return s
			}},
		},
		"deleted unused": {old: "{addresses: [192.168.3.64/26]}", state: []stateChange{three}},
		"deleted with one holder": {
			old: "{addresses: [192.168.3.0-192.168.3.5]}", state: []stateChange{three},
			warnings: []string{"the pool stays, and assigns nothing more, while 1 Service has addresses from it: default/nginx", howToMove},
		},
		"deleted with several": {
			old: "{addresses: [192.168.3.0/24]}", state: []stateChange{three},
			warnings: []string{"the pool stays, and assigns nothing more, while 3 Services have addresses from it: default/nginx, default/web, shop/api", howToMove},
		},
	} {
		t.Run(name, func(t *testing.T) {
			old, wanted := version(t, row.old, clustertest.Pool, "one"), version(t, row.wanted, clustertest.Pool, "one")
			state := stateOf(t, append(row.state, base)...)
			expect(t, nil, row.warnings, admission.Pool(old, wanted, state))
			if old != nil {
				expect(t, nil, row.warnings, admission.Pool(old, wanted, state.WithPool(old)))
			}
		})
	}
}

// The API server cuts what is longer than 256 characters.
func TestWarningsOfAPoolInUseAreShort(t *testing.T) {
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("%s-%03d/%s 192.168.3.%d", strings.Repeat("n", 59), i, strings.Repeat("s", 63), i+1))
	}
	few := []string{"default/a 192.168.3.1", "default/b 192.168.3.2", "default/c 192.168.3.3", "default/d 192.168.3.4", "default/e 192.168.3.5", "default/f 192.168.3.6"}
	old, wanted := clustertest.Pool(t, "one", 1, "{addresses: [192.168.3.0/24]}"), clustertest.Pool(t, "one", 1, "{addresses: [192.168.3.255]}")
	base := withConfiguration("default", 9, "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}")
	for name, row := range map[string]struct {
		services []string
		counts   string
	}{
		"long names": {many, "200 Services"},
		"short ones": {few, "6 Services"},
		"one":        {many[:1], strings.Repeat("n", 59) + "-000/"},
	} {
		t.Run(name, func(t *testing.T) {
			state := stateOf(t, base, withAssigned(row.services...))
			edited, deleted := admission.Pool(&old, &wanted, state).Warnings, admission.Pool(&old, nil, state).Warnings
			if len(edited) != 1 || len(deleted) != 2 {
				t.Fatalf("warnings are %q and %q", edited, deleted)
			}
			for _, text := range append(edited, deleted...) {
				if len(text) > 250 {
					t.Errorf("%d bytes: %s", len(text), text)
				}
			}
			if !strings.Contains(edited[0], row.counts) || name != "one" && !strings.Contains(deleted[0], row.counts) {
				t.Errorf("no %q in %q and %q", row.counts, edited, deleted)
			}
			if name == "short ones" && (!strings.HasSuffix(deleted[0], "default/e and 1 other") || !strings.Contains(edited[0], "default/c (192.168.3.3)")) {
				t.Errorf("they are named neither first nor counted: %q, %q", deleted[0], edited[0])
			}
		})
	}
}

// A block that is taken from under assigned addresses is said once, in the words of what is withdrawn.
func TestABlockThatHoldsAssignedAddressesIsTakenAway(t *testing.T) {
	state := stateOf(t, withPeer("tor", 1, sound), withPool("one", 1, "{addresses: [192.168.3.0/24]}"), withAssigned("default/nginx 192.168.3.5"))
	old := clustertest.Configuration(t, "default", 9, "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}")
	wanted := clustertest.Configuration(t, "default", 9, "{serviceExternalIPs: [{cidr: 192.168.9.0/24}]}")
	expect(t, nil, []string{
		"this change withdraws 192.168.3.0/24 from 3 nodes",
		"this change withdraws the last routes to addresses of Service default/nginx",
		`ExternalIPPool "one": spec.addresses: no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds 192.168.3.0/24, and what is in no block is never assigned: add a block, or avoid the addresses`,
	}, admission.Configuration(&old, &wanted, state))
}
