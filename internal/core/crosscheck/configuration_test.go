package crosscheck_test

import (
	"net/netip"
	"testing"

	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/intent"
)

const (
	rackA = "nodeSelector: {matchLabels: {rack: a}}"
	node3 = "nodeSelector: {matchLabels: {kubernetes.io/hostname: node-3}}"
)

// configurationRows each have a configuration that is a day old, and say what is found about it.
var configurationRows = map[string]struct {
	// name is default where it is empty.
	name, spec string
	// peers and configurations that it lives with.
	peers, configurations others
	change                func(*cluster.State)
	want                  []string
}{
	"sound": {
		spec: `{serviceClusterIPs: [{cidr: 10.49.0.0/16}, {cidr: "2001:db8:49::/112"}], serviceExternalIPs: [{cidr: 192.168.3.0/24}],
			serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24}, {cidr: 192.168.4.0/25, aggregation: Disabled}]}`,
		peers: others{"tor": "{peerIP: 192.168.1.1, asNumber: 64512}"},
	},
	"a sound overlay": {
		name: "rack-a", spec: "{" + rackA + ", serviceExternalIPs: [{cidr: 192.168.3.0/25}]}", configurations: others{"default": "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}"},
	},
	"what the object alone tells": {
		spec: "{asNumber: 23456, serviceExternalIPs: [{cidr: 192.168.3.0/24}, {cidr: 192.168.3.0/25}]}",
		want: []string{
			"error Invalid: spec.asNumber: Invalid value: 23456: asNumber must not be 23456 (AS_TRANS), which RFC 6793 reserves: use the node's own AS number",
			"warning Valid: spec.serviceExternalIPs[1].cidr: 192.168.3.0/25 lies inside 192.168.3.0/24, which has the same aggregation: one of the two is enough",
		},
	},

	"an older overlay for its nodes": {
		name: "rack-a", spec: "{" + rackA + "}", configurations: others{"default": "{}", "old/9": "{nodeSelector: {}}"},
		want: []string{`error Conflict: spec.nodeSelector: Invalid value: overlays "old" and "rack-a" select the same node, and the older one, "old", holds there: let only one of the two select it (on node-1 and node-2)`},
	},
	"a newer overlay for its nodes": {
		name: "rack-a", spec: "{" + rackA + "}", configurations: others{"default": "{}", "new/0": "{" + node3 + "}", "newer/0": "{nodeSelector: {}}"},
		want: []string{`warning Conflict: spec.nodeSelector: overlays "rack-a" and "newer" select the same node, and the older one, "rack-a", holds there: let only one of the two select it (on node-1 and node-2)`},
	},
	"another overlay for other nodes": {
		name: "rack-a", spec: "{" + rackA + "}", configurations: others{"default": "{}", "old/9": "{" + node3 + "}"},
	},
	"an overlay for no node": {
		name: "rack-c", spec: "{nodeSelector: {matchLabels: {rack: c}}}",
		want: []string{"warning NoNodes: spec.nodeSelector: it selects no node, so it has no effect until one has the labels"},
	},
	"an overlay where there is no node": {
		name: "rack-a", spec: "{" + rackA + "}", change: func(s *cluster.State) { s.Nodes = nil },
		want: []string{"warning NoNodes: spec.nodeSelector: there is no node in the cluster, so it has no effect until one joins"},
	},
	"an overlay without a selector": {
		name: "rack-a", spec: "{}",
		want: []string{"error Invalid: spec.nodeSelector: Required value: nodeSelector is required in an overlay, which every BGPConfiguration is but the one named default: select the nodes that it is for"},
	},
	"an overlay outside the base": {
		name: "rack-c", spec: "{nodeSelector: {matchLabels: {rack: c}}, serviceExternalIPs: [{cidr: 192.168.2.0/24}]}", configurations: others{"default": "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}"},
		want: []string{
			`error OutsideBase: spec.serviceExternalIPs[0].cidr: Invalid value: "192.168.2.0/24": must lie inside a block of serviceExternalIPs in the BGPConfiguration named default, since an overlay may narrow what is allowed, never widen it`,
			"warning NoNodes: spec.nodeSelector: it selects no node, so it has no effect until one has the labels",
		},
	},
	"an overlay without a base": {
		name: "rack-a", spec: "{" + rackA + `, serviceExternalIPs: [{cidr: "2001:db8:3::/64"}]}`,
		want: []string{`error OutsideBase: spec.serviceExternalIPs[0].cidr: Invalid value: "2001:db8:3::/64": must lie inside a block of serviceExternalIPs in the BGPConfiguration named default, since an overlay may narrow what is allowed, never widen it`},
	},

	"a block of another kind": {
		spec: "{serviceClusterIPs: [{cidr: 10.49.0.0/16}], serviceExternalIPs: [{cidr: 192.168.3.0/24}], serviceLoadBalancerIPs: [{cidr: 192.168.3.128/25}, {cidr: 10.49.9.0/24}]}",
		want: []string{
			`error Invalid: spec.serviceLoadBalancerIPs[0].cidr: Invalid value: "192.168.3.128/25": a block must not overlap one of another kind, but 192.168.3.128/25 overlaps 192.168.3.0/24 in spec.serviceExternalIPs: let each address be of one kind, and narrow one of the two`,
			`error Invalid: spec.serviceLoadBalancerIPs[1].cidr: Invalid value: "10.49.9.0/24": a block must not overlap one of another kind, but 10.49.9.0/24 overlaps 10.49.0.0/16 in spec.serviceClusterIPs: let each address be of one kind, and narrow one of the two`,
		},
	},
	"a block of another kind, IPv6": {
		spec: `{serviceExternalIPs: [{cidr: "2001:db8:3::/64"}], serviceLoadBalancerIPs: [{cidr: "2001:db8::/32", aggregation: Disabled}]}`,
		change: func(s *cluster.State) {
			s.Nodes = nil
		},
		want: []string{`error Invalid: spec.serviceLoadBalancerIPs[0].cidr: Invalid value: "2001:db8::/32": a block must not overlap one of another kind, but 2001:db8::/32 overlaps 2001:db8:3::/64 in spec.serviceExternalIPs: let each address be of one kind, and narrow one of the two`},
	},
	"a block of pods": {
		spec: "{serviceExternalIPs: [{cidr: 10.244.1.0/25}]}",
		want: []string{`error Invalid: spec.serviceExternalIPs[0].cidr: Invalid value: "10.244.1.0/25": a block must not overlap the pod CIDR of a node, but 10.244.1.0/25 overlaps 10.244.1.0/24 of the node "node-2": it would take the cluster's own network away from the router, so name only what Services may have`},
	},
	"a block of pods, IPv6": {
		spec: `{serviceExternalIPs: [{cidr: "2001:db8:244::/48"}]}`,
		want: []string{`error Invalid: spec.serviceExternalIPs[0].cidr: Invalid value: "2001:db8:244::/48": a block must not overlap the pod CIDR of a node, but 2001:db8:244::/48 overlaps 2001:db8:244::/64 of the node "node-1": it would take the cluster's own network away from the router, so name only what Services may have`},
	},
	"a block of nodes and a router": {
		spec: "{serviceLoadBalancerIPs: [{cidr: 192.168.1.0/24}]}", peers: others{"tor": "{peerIP: 192.168.1.1, asNumber: 64512}"},
		want: []string{
			`error Invalid: spec.serviceLoadBalancerIPs[0].cidr: Invalid value: "192.168.1.0/24": a block must not contain the InternalIP of a node, but 192.168.1.0/24 contains 192.168.1.11 of the node "node-1": it would take the cluster's own network away from the router, so name only what Services may have`,
			`error Invalid: spec.serviceLoadBalancerIPs[0].cidr: Invalid value: "192.168.1.0/24": a block must not contain the address of a peer, but 192.168.1.0/24 contains 192.168.1.1 of the BGPPeer "tor": it would take the cluster's own network away from the router, so name only what Services may have`,
		},
	},
	"an overlay's block of a node, IPv6": {
		name: "rack-a", spec: "{" + rackA + `, serviceExternalIPs: [{cidr: "2001:db8:1::d/128"}]}`, configurations: others{"default": `{serviceExternalIPs: [{cidr: "2001:db8:1::/64"}]}`},
		want: []string{`error Invalid: spec.serviceExternalIPs[0].cidr: Invalid value: "2001:db8:1::d/128": a block must not contain the InternalIP of a node, but 2001:db8:1::d/128 contains 2001:db8:1::d of the node "node-3": it would take the cluster's own network away from the router, so name only what Services may have`},
		change: func(s *cluster.State) {
			s.Nodes[2].InternalIPs = []netip.Addr{netip.MustParseAddr("2001:db8:1::d")}
		},
	},
	"cluster IPs outside the ServiceCIDRs": {
		spec: `{serviceClusterIPs: [{cidr: 10.48.0.0/15}, {cidr: 10.50.0.0/16}, {cidr: 10.49.3.0/24, aggregation: Disabled}, {cidr: "2001:db8:50::/112"}]}`,
		want: []string{
			"warning Valid: spec.serviceClusterIPs[0].cidr: 10.48.0.0/15 is partly outside the cluster's ServiceCIDRs (10.49.0.0/16 and 2001:db8:49::/112), which cluster IPs are assigned from: no Service gets an address there",
			"warning Valid: spec.serviceClusterIPs[1].cidr: 10.50.0.0/16 is outside the cluster's ServiceCIDRs (10.49.0.0/16 and 2001:db8:49::/112), which cluster IPs are assigned from: no Service gets an address there",
			"warning Valid: spec.serviceClusterIPs[3].cidr: 2001:db8:50::/112 is outside the cluster's ServiceCIDRs (10.49.0.0/16 and 2001:db8:49::/112), which cluster IPs are assigned from: no Service gets an address there",
		},
	},
	"cluster IPs where the ServiceCIDRs are not known": {
		spec: "{serviceClusterIPs: [{cidr: 10.50.0.0/16}]}", change: func(s *cluster.State) { s.ServiceCIDRs = nil },
	},

	"a community without a value": {
		spec: "{prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [blackhole]}]}",
		want: []string{`error Invalid: spec.prefixAdvertisements[0].communities[0]: Invalid value: "blackhole": must be a name from spec.communities (known: none), or a value aa:nn or aa:nn:mm`},
	},
	"a community without a value anywhere": {
		spec:           "{prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [blackhole]}]}",
		configurations: others{"rack-a": "{" + rackA + ", communities: []}"},
		want:           []string{`error Invalid: spec.prefixAdvertisements[0].communities[0]: Invalid value: "blackhole": must be a name from spec.communities (known: none), or a value aa:nn or aa:nn:mm`},
	},
	"a community that an overlay takes the value of": {
		spec: `{communities: [{name: blackhole, value: "1:666"}], prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [blackhole]}]}`,
		configurations: others{
			"rack-a": "{" + rackA + `, communities: [{name: other, value: "1:1"}]}`,
			"rack-b": "{" + node3 + `, communities: [{name: blackhole, value: "2:666"}]}`,
			"rack-c": `{nodeSelector: {matchLabels: {rack: c}}, communities: []}`,
		},
		want: []string{`error Invalid: spec.prefixAdvertisements[0].communities[0]: Invalid value: "blackhole": must be a name from spec.communities (known: other), or a value aa:nn or aa:nn:mm (on node-1 and node-2)`},
	},
	"an overlay's community without a value": {
		name: "rack-c", spec: "{nodeSelector: {matchLabels: {rack: c}}, prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [blackhole, known]}]}",
		configurations: others{"default": `{communities: [{name: known, value: "1:1"}]}`},
		want: []string{
			`error Invalid: spec.prefixAdvertisements[0].communities[0]: Invalid value: "blackhole": must be a name from spec.communities (known: known), or a value aa:nn or aa:nn:mm`,
			"warning NoNodes: spec.nodeSelector: it selects no node, so it has no effect until one has the labels",
		},
	},
	"prepending on iBGP": {
		spec:  "{prefixAdvertisements: [{cidr: 192.168.3.0/24, asPathPrepend: 2}]}",
		peers: others{"spine": "{peerIP: 192.168.1.2, asNumber: 64512}", "tor": "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: a}}}", "exit": "{peerIP: 192.168.1.3, asNumber: 1}"},
		want:  []string{`warning PrependIgnored: spec.prefixAdvertisements[0].asPathPrepend: asPathPrepend is left out on iBGP sessions, such as the one with BGPPeer "spine", where it would hide the route: use localPreference there (on node-1, node-2 and node-3)`},
	},
	"prepending on eBGP": {
		spec: "{prefixAdvertisements: [{cidr: 192.168.3.0/24, asPathPrepend: 2}]}", peers: others{"exit": "{peerIP: 192.168.1.3, asNumber: 1}"},
	},

	"a router ID for one node":  {name: "node-3", spec: "{" + node3 + ", routerID: 10.0.0.3}"},
	"a router ID of the node's": {name: "node-3", spec: "{" + node3 + ", routerID: 192.168.1.13}"},
	"a router ID for two nodes": {
		name: "rack-a", spec: "{" + rackA + ", routerID: 10.0.0.1}",
		want: []string{`error RouterIDConflict: spec.routerID: Invalid value: "10.0.0.1": routerID must be unique, but the overlay gives it to each of several nodes: let the overlay select a single node (on node-1 and node-2)`},
	},
	"a router ID that is another node's address": {
		name: "node-3", spec: "{" + node3 + ", routerID: 192.168.1.11}",
		want: []string{`error RouterIDConflict: spec.routerID: Invalid value: "192.168.1.11": routerID must be unique, but it is that of the node "node-1" already: choose another (on node-1 and node-3)`},
	},
	"a router ID that another node has, for a node that is yet to come": {
		name: "node-4", spec: "{nodeSelector: {matchLabels: {kubernetes.io/hostname: node-4}}, routerID: 192.168.1.11}",
		want: []string{
			"warning NoNodes: spec.nodeSelector: it selects no node, so it has no effect until one has the labels",
			`error RouterIDConflict: spec.routerID: Invalid value: "192.168.1.11": routerID must be unique, but it is that of the node "node-1" already: choose another (on node-1)`,
		},
	},
	"a router ID that another overlay gives": {
		name: "node-3", spec: "{" + node3 + ", routerID: 10.0.0.1}", configurations: others{"node-1": "{nodeSelector: {matchLabels: {kubernetes.io/hostname: node-1}}, routerID: 10.0.0.1}"},
		want: []string{`error RouterIDConflict: spec.routerID: Invalid value: "10.0.0.1": routerID must be unique, but it is that of the node "node-1" already: choose another (on node-1 and node-3)`},
	},
	"a router ID that is derived from another node's name": {
		name: "node-3", spec: "{" + node3 + ", routerID: " + intent.Node{Name: "node-1"}.DefaultRouterID().String() + "}",
		change: func(s *cluster.State) { s.Nodes[0].InternalIPs = s.Nodes[0].InternalIPs[1:] },
		want:   []string{`error RouterIDConflict: spec.routerID: Invalid value: "` + intent.Node{Name: "node-1"}.DefaultRouterID().String() + `": routerID must be unique, but it is that of the node "node-1" already: choose another (on node-1 and node-3)`},
	},
}

func TestConfiguration(t *testing.T) {
	for name, row := range configurationRows {
		t.Run(name, func(t *testing.T) {
			state := rackWith(t, row.peers, row.configurations, row.change)
			if row.name == "" {
				row.name = "default"
			}
			checked := clustertest.Configuration(t, row.name, 1, row.spec)
			expect(t, row.want, crosscheck.In(state).Configuration(&checked))
		})
	}
}
