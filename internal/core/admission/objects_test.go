package admission_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/admission"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
)

func expect(t *testing.T, wantErrors, wantWarnings []string, got admission.Verdict) {
	t.Helper()
	var errors []string
	for _, err := range got.Errors {
		errors = append(errors, err.Error())
	}
	if diff := cmp.Diff(wantErrors, errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantWarnings, got.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// What the forecast says of the BGPPeer tor.
const (
	resets = `this change resets the sessions of 3 nodes with BGPPeer "tor"`
	closes = `this change closes the sessions of 3 nodes with BGPPeer "tor"`
)

const (
	sound        = "{peerIP: 192.168.1.1, asNumber: 64512}"
	aNode        = "{peerIP: 192.168.1.12, asNumber: 64512}"
	isANode      = `spec.peerIP: Invalid value: "192.168.1.12": peerIP must be the address of a router, but it is the InternalIP of the node "node-2"`
	rivalOnAll   = `spec.peerIP: Invalid value: "192.168.1.1": BGPPeers "old" and "tor" have the same address and port 192.168.1.1:179 on the same node, and the older one, "old", holds there: delete one of the two, or let them select different nodes (on node-1, node-2 and node-3)`
	rivalOnRackA = `spec.peerIP: Invalid value: "192.168.1.1": BGPPeers "old" and "tor" have the same address and port 192.168.1.1:179 on the same node, and the older one, "old", holds there: delete one of the two, or let them select different nodes (on node-1 and node-2)`
)

// peerRows each judge a request for the BGPPeer tor.
var peerRows = map[string]struct {
	// old and wanted are specs; "" where there is none.
	old, wanted      string
	state            func(testing.TB, cluster.State) cluster.State
	errors, warnings []string
}{
	"nothing at all":                {},
	"created sound":                 {wanted: sound},
	"created wrong":                 {wanted: aNode, errors: []string{isANode}},
	"created with a doubt":          {wanted: "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: c}}}", warnings: []string{"spec.nodeSelector: it selects no node, so there is no session until one has the labels"}},
	"made wrong":                    {old: sound, wanted: aNode, errors: []string{isANode}},
	"left wrong":                    {old: aNode, wanted: aNode},
	"edited while wrong":            {old: aNode, wanted: "{peerIP: 192.168.1.12, asNumber: 64512, holdTimeSeconds: 9}", warnings: []string{resets, isANode}},
	"made wrong in another way too": {old: aNode, wanted: "{peerIP: 192.168.1.12, asNumber: 23456}", errors: []string{"spec.asNumber: Invalid value: 23456: asNumber must not be 23456 (AS_TRANS), which RFC 6793 reserves: use the peer's own AS number"}, warnings: []string{isANode}},
	"wrong with another value": {
		old: aNode, wanted: "{peerIP: 192.168.1.13, asNumber: 64512}",
		errors: []string{`spec.peerIP: Invalid value: "192.168.1.13": peerIP must be the address of a router, but it is the InternalIP of the node "node-3"`},
	},
	"put right":     {old: aNode, wanted: sound, warnings: []string{resets}},
	"deleted":       {old: sound, warnings: []string{closes}},
	"deleted wrong": {old: aNode, warnings: []string{closes}},

	"created with the address of another": {wanted: sound, state: withPeer("old", 9, sound), errors: []string{rivalOnAll}},
	"an older one takes the address of another": {
		old: "{peerIP: 192.168.1.2, asNumber: 64512}", wanted: sound, state: withPeer("new", 0, sound),
		errors: []string{`spec.peerIP: Invalid value: "192.168.1.1": BGPPeers "tor" and "new" have the same address and port 192.168.1.1:179 on the same node, and the older one, "tor", holds there: delete one of the two, or let them select different nodes (on node-1, node-2 and node-3)`},
	},
	"a conflict is left as it is": {
		old: sound, wanted: "{peerIP: 192.168.1.1, asNumber: 64512, holdTimeSeconds: 9}", state: withPeer("old", 9, sound), warnings: []string{rivalOnAll},
	},
	"a conflict on fewer nodes": {
		old: sound, wanted: "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: a}}}", state: withPeer("old", 9, sound), warnings: []string{rivalOnRackA},
	},
	"a conflict on more nodes": {
		old: "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: a}}}", wanted: sound, state: withPeer("old", 9, sound), errors: []string{rivalOnAll},
	},
	"another takes over": {
		old: sound,
		state: func(tb testing.TB, s cluster.State) cluster.State {
			tb.Helper()
			s.Nodes[1].InternalIPs = s.Nodes[1].InternalIPs[:1]
			return withPeer("new", 0, "{peerIP: 192.168.1.1, asNumber: 64512, addressFamilies: [IPv4, IPv6]}")(tb, s)
		},
		warnings: []string{closes, `BGPPeer "new": spec.addressFamilies: the node has no IPv6 InternalIP as the next hop of IPv6 routes, so none is sent: give it one, or leave IPv6 out (on node-2)`},
	},
	"a configuration is brought into doubt": {
		wanted:   sound,
		state:    withConfiguration("default", 9, "{prefixAdvertisements: [{cidr: 192.168.3.0/24, asPathPrepend: 1}]}"),
		warnings: []string{`BGPConfiguration "default": spec.prefixAdvertisements[0].asPathPrepend: asPathPrepend is left out on iBGP sessions, such as the one with BGPPeer "tor", where it would hide the route: use localPreference there (on node-1, node-2 and node-3)`},
	},
	"a block holds the new address": {
		wanted: "{peerIP: 192.168.3.1, asNumber: 64512}", state: withConfiguration("default", 9, "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}"),
		errors: []string{`spec.peerIP: Invalid value: "192.168.3.1": peerIP must be in no block, since the block's route would lead what is for the router itself to the nodes, but it is in 192.168.3.0/24, which spec.serviceExternalIPs of the BGPConfiguration "default" holds: correct the address, or narrow the block`},
	},
}

type stateChange = func(testing.TB, cluster.State) cluster.State

func withPeer(name string, age int, spec string) stateChange {
	return func(tb testing.TB, s cluster.State) cluster.State {
		tb.Helper()
		peer := clustertest.Peer(tb, name, age, spec)
		return s.WithPeer(&peer)
	}
}

func withConfiguration(name string, age int, spec string) stateChange {
	return func(tb testing.TB, s cluster.State) cluster.State {
		tb.Helper()
		configuration := clustertest.Configuration(tb, name, age, spec)
		return s.WithConfiguration(&configuration)
	}
}

func withPool(name string, age int, spec string) stateChange {
	return func(tb testing.TB, s cluster.State) cluster.State {
		tb.Helper()
		pool := clustertest.Pool(tb, name, age, spec)
		return s.WithPool(&pool)
	}
}

// stateOf returns the rack with what the changes add.
func stateOf(t *testing.T, changes ...stateChange) cluster.State {
	t.Helper()
	state := clustertest.Rack()
	for _, change := range changes {
		if change != nil {
			state = change(t, state)
		}
	}
	return state
}

// version returns an object of a spec; nil of none. One that is yet to be created has no age.
func version[T any](t *testing.T, spec string, object func(testing.TB, string, int, string) T, name string) *T {
	t.Helper()
	if spec == "" {
		return nil
	}
	made := object(t, name, 1, spec)
	return &made
}

func TestPeer(t *testing.T) {
	for name, row := range peerRows {
		t.Run(name, func(t *testing.T) {
			state := stateOf(t, row.state)
			old, wanted := version(t, row.old, clustertest.Peer, "tor"), version(t, row.wanted, clustertest.Peer, "tor")
			if old == nil && wanted != nil {
				wanted.CreationTimestamp = metav1.Time{} // As a request may come.
			}
			expect(t, row.errors, row.warnings, admission.Peer(old, wanted, state))
			if old != nil {
				expect(t, row.errors, row.warnings, admission.Peer(old, wanted, state.WithPeer(old)))
			}
		})
	}
}

func TestAnObjectThatIsBeingDeletedPasses(t *testing.T) {
	now := metav1.Now()
	old, wanted := clustertest.Peer(t, "tor", 1, sound), clustertest.Peer(t, "tor", 1, aNode)
	wanted.DeletionTimestamp = &now
	expect(t, nil, nil, admission.Peer(&old, &wanted, clustertest.Rack()))
}

const (
	overlapping       = "{serviceExternalIPs: [{cidr: 192.168.3.0/24}], serviceLoadBalancerIPs: [{cidr: 192.168.3.0/24}]}"
	otherKind         = `spec.serviceLoadBalancerIPs[0].cidr: Invalid value: "192.168.3.0/24": a block must not overlap one of another kind, but 192.168.3.0/24 overlaps 192.168.3.0/24 in spec.serviceExternalIPs: let each address be of one kind, and narrow one of the two`
	otherKindNarrower = `spec.serviceLoadBalancerIPs[1].cidr: Invalid value: "192.168.3.0/25": a block must not overlap one of another kind, but 192.168.3.0/25 overlaps 192.168.3.0/24 in spec.serviceExternalIPs: let each address be of one kind, and narrow one of the two`
)

// configurationRows each judge a request for a BGPConfiguration, the one named default where nothing else is said.
var configurationRows = map[string]struct {
	name string
	// old and wanted are specs; "" where there is none.
	old, wanted      string
	state            func(testing.TB, cluster.State) cluster.State
	errors, warnings []string
}{
	"created sound":                       {wanted: "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}"},
	"created wrong":                       {wanted: overlapping, errors: []string{otherKind}},
	"edited while wrong":                  {old: overlapping, wanted: "{asNumber: 64999, serviceExternalIPs: [{cidr: 192.168.3.0/24}], serviceLoadBalancerIPs: [{cidr: 192.168.3.0/24}]}", warnings: []string{otherKind}},
	"a wrong block is narrowed and moved": {old: overlapping, wanted: "{serviceExternalIPs: [{cidr: 192.168.3.0/24}], serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24}, {cidr: 192.168.3.0/25}]}", warnings: []string{otherKindNarrower}},
	"a wrong block is widened": {
		old: "{serviceExternalIPs: [{cidr: 192.168.3.0/24}], serviceLoadBalancerIPs: [{cidr: 192.168.3.0/25}]}", wanted: overlapping, errors: []string{otherKind},
	},
	"an empty list is a change": {
		name: "rack-a", old: "{nodeSelector: {matchLabels: {rack: c}}}", wanted: "{nodeSelector: {matchLabels: {rack: c}}, serviceExternalIPs: []}",
		warnings: []string{"spec.nodeSelector: it selects no node, so it has no effect until one has the labels"},
	},
	"a block of nodes, which a node has made wrong since": {
		old: "{serviceExternalIPs: [{cidr: 192.168.1.12/32}]}", wanted: "{asNumber: 64999, serviceExternalIPs: [{cidr: 192.168.1.12/32}]}",
		warnings: []string{`spec.serviceExternalIPs[0].cidr: Invalid value: "192.168.1.12/32": a block must not contain the InternalIP of a node, but 192.168.1.12/32 contains 192.168.1.12 of the node "node-2": it would take the cluster's own network away from the router, so name only what Services may have`},
	},
	"a second overlay": {
		name: "rack-a", wanted: "{nodeSelector: {matchLabels: {rack: a}}}", state: withConfiguration("all", 9, "{nodeSelector: {}}"),
		errors: []string{`spec.nodeSelector: Invalid value: overlays "all" and "rack-a" select the same node, and the older one, "all", holds there: let only one of the two select it (on node-1 and node-2)`},
	},
	"an older overlay takes the nodes of another": {
		name: "rack-a", old: "{nodeSelector: {matchLabels: {rack: b}}}", wanted: "{nodeSelector: {}}", state: withConfiguration("new", 0, "{nodeSelector: {matchLabels: {rack: a}}}"),
		errors: []string{`spec.nodeSelector: Invalid value: overlays "rack-a" and "new" select the same node, and the older one, "rack-a", holds there: let only one of the two select it (on node-1 and node-2)`},
	},
	"the base leaves an overlay outside": {
		old: "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}", wanted: "{serviceExternalIPs: [{cidr: 192.168.3.0/25}]}",
		state:    withConfiguration("rack-a", 1, "{nodeSelector: {matchLabels: {rack: a}}, serviceExternalIPs: [{cidr: 192.168.3.0/24}]}"),
		warnings: []string{`BGPConfiguration "rack-a": spec.serviceExternalIPs[0].cidr: Invalid value: "192.168.3.0/24": must lie inside a block of serviceExternalIPs in the BGPConfiguration named default, since an overlay may narrow what is allowed, never widen it`},
	},
	"a peer is brought into contradiction": {
		old: "{}", wanted: "{asNumber: 64999}", state: withPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 64999, ebgpMultihopTTL: 1}"),
		warnings: []string{resets, `BGPPeer "tor": spec.ebgpMultihopTTL: Forbidden: ebgpMultihopTTL must not be set on an iBGP session, which has no such limit, and asNumber 64999, being the nodes' own AS number, makes it one: leave it out, or correct the AS number (on node-1, node-2 and node-3)`},
	},
	"a router ID that another overlay gives": {
		name: "node-3", wanted: "{nodeSelector: {matchLabels: {rack: b}}, routerID: 10.0.0.1}", state: withConfiguration("node-1", 1, "{nodeSelector: {matchLabels: {kubernetes.io/hostname: node-1}}, routerID: 10.0.0.1}"),
		errors: []string{`spec.routerID: Invalid value: "10.0.0.1": routerID must be unique, but it is that of the node "node-1" already: choose another (on node-1 and node-3)`},
	},
	"deleted with a pool that relies on it": {
		old: "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}", state: withPool("one", 1, "{addresses: [192.168.3.1]}"),
		warnings: []string{`ExternalIPPool "one": spec.addresses: there is no BGPConfiguration named default, so no address of the pool may be advertised: create it, with blocks for the pool`},
	},
	"a Service's block is removed": {
		old: "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}", wanted: "{serviceExternalIPs: []}",
		state: func(tb testing.TB, s cluster.State) cluster.State {
			tb.Helper()
			s.Services = []cluster.Service{{
				Key: advertise.ServiceKey{Namespace: "shop", Name: "web"},
				Spec: advertise.Service{Type: advertise.TypeClusterIP, Addresses: []advertise.Address{
					{Addr: netip.MustParseAddr("192.168.3.9"), Kind: advertise.ExternalIP},
				}},
			}}
			return withPeer("tor", 1, sound)(tb, s)
		},
		warnings: []string{"this change withdraws 192.168.3.0/24 from 3 nodes", "this change withdraws the last routes to addresses of Service shop/web"},
	},
	"a pool's block is removed": {
		old: "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}", wanted: "{serviceExternalIPs: []}", state: withPool("one", 1, "{addresses: [192.168.3.1]}"),
		warnings: []string{`ExternalIPPool "one": spec.addresses: no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds 192.168.3.1, and what is in no block is never assigned: add a block, or avoid the addresses`},
	},
}

func TestConfiguration(t *testing.T) {
	for name, row := range configurationRows {
		t.Run(name, func(t *testing.T) {
			if row.name == "" {
				row.name = "default"
			}
			old, wanted := version(t, row.old, clustertest.Configuration, row.name), version(t, row.wanted, clustertest.Configuration, row.name)
			expect(t, row.errors, row.warnings, admission.Configuration(old, wanted, stateOf(t, row.state)))
		})
	}
}

func TestPool(t *testing.T) {
	const both = `and an address must be in one pool only: remove it from one of the two, or let one avoid it`
	base := withConfiguration("default", 9, "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}")
	for name, row := range map[string]struct {
		old, wanted      string
		state            stateChange
		errors, warnings []string
	}{
		"created sound": {wanted: "{addresses: [192.168.3.0/25]}", state: withPool("old", 9, "{addresses: [192.168.3.128/25]}")},
		"created in another's range": {
			wanted: "{addresses: [192.168.3.0/25]}", state: withPool("old", 9, "{addresses: [192.168.3.9]}"),
			errors: []string{`spec.addresses[0]: Invalid value: "192.168.3.0/25": the ExternalIPPools "one" and "old" both hold 192.168.3.9, ` + both},
		},
		"an older pool grows into another's range": {
			old: "{addresses: [192.168.3.0/25]}", wanted: "{addresses: [192.168.3.0/24]}", state: withPool("new", 0, "{addresses: [192.168.3.200]}"),
			errors: []string{`spec.addresses[0]: Invalid value: "192.168.3.0/24": the ExternalIPPools "one" and "new" both hold 192.168.3.200, ` + both},
		},
		"an overlap shrinks": {
			old: "{addresses: [192.168.3.0/24]}", wanted: "{addresses: [192.168.3.0/25], priority: 1}", state: withPool("old", 9, "{addresses: [192.168.3.100-192.168.3.200]}"),
			warnings: []string{`spec.addresses[0]: Invalid value: "192.168.3.0/25": the ExternalIPPools "one" and "old" both hold 192.168.3.100-192.168.3.127, ` + both},
		},
		"an overlap grows": {
			old: "{addresses: [192.168.3.0/25]}", wanted: "{addresses: [192.168.3.0/24]}", state: withPool("old", 9, "{addresses: [192.168.3.100-192.168.3.200]}"),
			errors: []string{`spec.addresses[0]: Invalid value: "192.168.3.0/24": the ExternalIPPools "one" and "old" both hold 192.168.3.100-192.168.3.200, ` + both},
		},
		"outside the blocks": {
			wanted:   "{addresses: [192.168.5.0/24]}",
			warnings: []string{"spec.addresses: no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds 192.168.5.0/24, and what is in no block is never assigned: add a block, or avoid the addresses"},
		},
		"deleted": {old: "{addresses: [192.168.5.0/24]}"},
	} {
		t.Run(name, func(t *testing.T) {
			old, wanted := version(t, row.old, clustertest.Pool, "one"), version(t, row.wanted, clustertest.Pool, "one")
			expect(t, row.errors, row.warnings, admission.Pool(old, wanted, stateOf(t, base, row.state)))
		})
	}
}

func TestWarningsAreBounded(t *testing.T) {
	state := clustertest.Rack()
	for i := range 20 {
		peer := clustertest.Peer(t, fmt.Sprintf("tor-%02d", i), 1, fmt.Sprintf("{peerIP: 192.168.2.%d, asNumber: 64999, ebgpMultihopTTL: 1}", i+1))
		state = state.WithPeer(&peer)
	}
	base := clustertest.Configuration(t, v1alpha1.DefaultConfigurationName, 1, "{asNumber: 64999}")
	got := admission.Configuration(nil, &base, state)
	if len(got.Errors) > 0 || len(got.Warnings) != admission.MaxWarnings+1 || got.Warnings[admission.MaxWarnings] != "and 12 more warnings" {
		t.Errorf("got %v, and %d warnings: %q", got.Errors, len(got.Warnings), got.Warnings)
	}
}
