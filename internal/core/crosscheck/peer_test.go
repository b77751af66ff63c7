package crosscheck_test

import (
	"strings"
	"testing"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
)

// peerRows each have a peer that is a day old, and say what is found about it.
var peerRows = map[string]struct {
	spec string
	// peers and configurations that it lives with.
	peers, configurations others
	change                func(*cluster.State)
	want                  []string
}{
	"sound":                {spec: "{peerIP: 192.168.1.1, asNumber: 64512}"},
	"sound, IPv6":          {spec: `{peerIP: "2001:db8:1::1", asNumber: 64512}`},
	"sound, with the rest": {spec: "{peerIP: 192.168.1.1, asNumber: 64512}", configurations: others{"default": `{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}`}},
	"what the object alone tells": {
		spec: "{peerIP: 192.168.1.1, asNumber: 23456}",
		want: []string{"error Invalid: spec.asNumber: Invalid value: 23456: asNumber must not be 23456 (AS_TRANS), which RFC 6793 reserves: use the peer's own AS number"},
	},
	"what has no effect where the peer dials": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, connectionMode: Passive, peerPort: 1179}",
		want: []string{"warning Valid: spec.peerPort: it has no effect with connectionMode Passive, where the peer dials: leave it out"},
	},

	"the address and port of an older peer": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512}", peers: others{"old/9": "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: a}}}"},
		want: []string{`error Conflict: spec.peerIP: Invalid value: "192.168.1.1": BGPPeers "old" and "tor" have the same address and port 192.168.1.1:179 on the same node, and the older one, "old", holds there: delete one of the two, or let them select different nodes (on node-1 and node-2)`},
	},
	"the address and port of an older peer, IPv6": {
		spec: `{peerIP: "2001:db8:1::1", asNumber: 64512, peerPort: 1179}`, peers: others{"old/9": `{peerIP: "2001:db8:1::1", asNumber: 64512, peerPort: 1179}`},
		want: []string{`error Conflict: spec.peerIP: Invalid value: "2001:db8:1::1": BGPPeers "old" and "tor" have the same address and port [2001:db8:1::1]:1179 on the same node, and the older one, "old", holds there: delete one of the two, or let them select different nodes (on node-1, node-2 and node-3)`},
	},
	"the address and port of a newer peer": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512}", peers: others{"new/0": "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: b}}}"},
		want: []string{`warning Conflict: spec.peerIP: BGPPeers "tor" and "new" have the same address and port 192.168.1.1:179 on the same node, and the older one, "tor", holds there: delete one of the two, or let them select different nodes (on node-3)`},
	},
	"the address and port of an older peer, where an overlay of the same place selects other nodes": {
		spec:           "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: b}}}",
		peers:          others{"old/9": "{peerIP: 192.168.1.1, asNumber: 64512}"},
		configurations: others{"default": "{}", "rack-a": "{" + rackA + "}"},
		want:           []string{`error Conflict: spec.peerIP: Invalid value: "192.168.1.1": BGPPeers "old" and "tor" have the same address and port 192.168.1.1:179 on the same node, and the older one, "old", holds there: delete one of the two, or let them select different nodes (on node-3)`},
	},
	"the address of an older peer that is passive": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512}", peers: others{"old/9": "{peerIP: 192.168.1.1, asNumber: 64512, peerPort: 1179, connectionMode: Passive}"},
		want: []string{`error Conflict: spec.peerIP: Invalid value: "192.168.1.1": BGPPeers "old" and "tor" have the same address 192.168.1.1, by which alone a passive peer is told, on the same node, and the older one, "old", holds there: delete one of the two, or let them select different nodes (on node-1, node-2 and node-3)`},
	},
	"the address of a newer passive peer, being passive": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, connectionMode: Passive}", peers: others{"new/0": "{peerIP: 192.168.1.1, asNumber: 64513, connectionMode: Passive, nodeSelector: {matchLabels: {rack: b}}}"},
		want: []string{`warning Conflict: spec.peerIP: BGPPeers "tor" and "new" have the same address and port 192.168.1.1:179 on the same node, and the older one, "tor", holds there: delete one of the two, or let them select different nodes (on node-3)`},
	},
	"the address of another peer on another link": {spec: `{peerIP: "fe80::1", interface: eth0, asNumber: 64512}`, peers: others{"old/9": `{peerIP: "fe80::1", interface: eth1, asNumber: 64512}`}},
	"the address of a peer that has no password": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512}", peers: others{"old/9": "{peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: spine, key: password}}}"},
		want: []string{`error Conflict: spec.peerIP: Invalid value: "192.168.1.1": BGPPeers "old" and "tor" have the same address and port 192.168.1.1:179 on the same node, and the older one, "old", holds there: delete one of the two, or let them select different nodes (on node-1, node-2 and node-3)`},
	},
	"the address of another peer on another port":  {spec: "{peerIP: 192.168.1.1, asNumber: 64512}", peers: others{"old/9": "{peerIP: 192.168.1.1, asNumber: 64512, peerPort: 1179}"}},
	"the address of another peer on another node":  {spec: "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: a}}}", peers: others{"old/9": "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: b}}}"}},
	"the address of a peer that is not in use now": {spec: "{peerIP: 192.168.1.1, asNumber: 64512}", peers: others{"old/9": "{peerIP: 192.168.1.1, asNumber: 23456}"}},

	"the address of a node": {
		spec: "{peerIP: 192.168.1.12, asNumber: 64512}",
		want: []string{`error Invalid: spec.peerIP: Invalid value: "192.168.1.12": peerIP must be the address of a router, but it is the InternalIP of the node "node-2"`},
	},
	"the address of a node that it does not select, IPv6": {
		spec: `{peerIP: "2001:db8:1::13", asNumber: 64512, nodeSelector: {matchLabels: {rack: a}}}`,
		want: []string{`error Invalid: spec.peerIP: Invalid value: "2001:db8:1::13": peerIP must be the address of a router, but it is the InternalIP of the node "node-3"`},
	},
	"an address in a block": {
		spec: "{peerIP: 192.168.3.1, asNumber: 64512}", configurations: others{"default": "{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}"},
		want: []string{`error Invalid: spec.peerIP: Invalid value: "192.168.3.1": peerIP must be in no block, since the block's route would lead what is for the router itself to the nodes, but it is in 192.168.3.0/24, which spec.serviceExternalIPs of the BGPConfiguration "default" holds: correct the address, or narrow the block`},
	},
	"an address in a block, IPv6": {
		spec: `{peerIP: "2001:db8:4::1", asNumber: 64512}`, configurations: others{"default": `{serviceLoadBalancerIPs: [{cidr: "2001:db8:4::/64"}]}`},
		want: []string{`error Invalid: spec.peerIP: Invalid value: "2001:db8:4::1": peerIP must be in no block, since the block's route would lead what is for the router itself to the nodes, but it is in 2001:db8:4::/64, which spec.serviceLoadBalancerIPs of the BGPConfiguration "default" holds: correct the address, or narrow the block`},
	},

	"a Secret that is not there": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: spine, key: password}}}",
		want: []string{`warning SecretNotFound: spec.password.secretKeyRef.name: there is no Secret "spine" in Herald's own namespace: create it there with the key "password"; until then no session is opened, and one that runs keeps its password`},
	},
	"a Secret that lacks the key": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: tor, key: md5}}}",
		want: []string{`warning SecretNotFound: spec.password.secretKeyRef.key: the Secret "tor" in Herald's own namespace has no key "md5": add it; until then no session is opened, and one that runs keeps its password`},
	},
	"a Secret with the key": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: tor, key: password}}}",
	},
	"a Secret where none is known": {
		spec:   "{peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: spine, key: password}}}",
		change: func(s *cluster.State) { s.Secrets = nil },
	},
	"a Secret in a namespace of another name": {
		spec:   "{peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: spine, key: password}}}",
		change: func(s *cluster.State) { s.Namespace = "bgp" },
		want:   []string{`warning SecretNotFound: spec.password.secretKeyRef.name: there is no Secret "spine" in Herald's namespace "bgp": create it there with the key "password"; until then no session is opened, and one that runs keeps its password`},
	},
	"a Secret of a type for something else": {
		spec: withPassword, change: torHolds("hush", "kubernetes.io/tls"),
		want: []string{`warning SecretNotFound: spec.password.secretKeyRef.name: the Secret "tor" in Herald's own namespace is of type kubernetes.io/tls, but agents read passwords only from Secrets of type Opaque or kubernetes.io/basic-auth: put the password into such a Secret; until then no session is opened, and one that runs keeps its password`},
	},
	"a Secret with a user": {spec: withPassword, change: torHolds("hush", "kubernetes.io/basic-auth")},
	"an empty password": {
		spec: withPassword, change: torHolds("", ""),
		want: []string{`warning SecretNotFound: spec.password.secretKeyRef.key: the value of the key "password" in the Secret "tor" in Herald's own namespace is empty: a password has 1 to 80 bytes; until then no session is opened, and one that runs keeps its password`},
	},
	"the longest password": {spec: withPassword, change: torHolds(strings.Repeat("x", 80), "Opaque")},
	"a password that is too long": {
		spec: withPassword, change: torHolds(strings.Repeat("x", 81), "Opaque"),
		want: []string{`warning SecretNotFound: spec.password.secretKeyRef.key: the value of the key "password" in the Secret "tor" in Herald's own namespace is longer than the 80 bytes that a password may have: choose a shorter one, here and on the router; until then no session is opened, and one that runs keeps its password`},
	},
	"a password that ends in a line break": {
		spec: withPassword, change: torHolds("hush\n", "Opaque"),
		want: []string{`warning Valid: spec.password.secretKeyRef.key: the value of the key "password" in the Secret "tor" in Herald's own namespace ends in a line break, which is part of the password: unless the router's has it too, write the value without it, as kubectl create secret --from-literal does`},
	},
	"the webhooks' own Secret": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: herald-webhook-server, key: tls.key}}}",
		want: []string{`error Invalid: spec.password.secretKeyRef.name: Invalid value: "herald-webhook-server": name must not be the Secret with the key of Herald's own webhooks, which no agent may read: create another Secret for the password`},
	},

	"no node": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchLabels: {rack: c}}}",
		want: []string{"warning NoNodes: spec.nodeSelector: it selects no node, so there is no session until one has the labels"},
	},
	"no node in the whole cluster": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512}", change: func(s *cluster.State) { s.Nodes = nil },
		want: []string{"warning NoNodes: spec.nodeSelector: there is no node in the cluster, so there is no session until one joins"},
	},
	"a selector that can't be read": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchExpressions: [{key: rack, operator: Like, values: [a]}]}}",
		want: []string{`error Invalid: spec.nodeSelector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator`},
	},
	"nodes by an expression": {spec: "{peerIP: 192.168.1.1, asNumber: 64512, nodeSelector: {matchExpressions: [{key: rack, operator: In, values: [b]}]}}"},

	"a multihop limit on iBGP by the nodes' AS": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64999, ebgpMultihopTTL: 1}", configurations: others{"default": "{asNumber: 64999}", "rack-b": "{asNumber: 64998, nodeSelector: {matchLabels: {rack: b}}}"},
		want: []string{"error Invalid: spec.ebgpMultihopTTL: Forbidden: ebgpMultihopTTL must not be set on an iBGP session, which has no such limit, and asNumber 64999, being the nodes' own AS number, makes it one: leave it out, or correct the AS number (on node-1 and node-2)"},
	},
	"a multihop limit on iBGP by the peer's own local AS": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64999, localASNumber: 64999, ebgpMultihopTTL: 1}",
		want: []string{"error Invalid: spec.ebgpMultihopTTL: Forbidden: ebgpMultihopTTL must not be set on an iBGP session, which has no such limit, and asNumber 64999, being localASNumber too, makes it one: leave it out, or correct the AS number (on node-1, node-2 and node-3)"},
	},
	"a multihop limit on iBGP by default": {
		spec: `{peerIP: "2001:db8:1::1", asNumber: 64512, ebgpMultihopTTL: 1}`,
		want: []string{"error Invalid: spec.ebgpMultihopTTL: Forbidden: ebgpMultihopTTL must not be set on an iBGP session, which has no such limit, and asNumber 64512, being the nodes' own AS number, makes it one: leave it out, or correct the AS number (on node-1, node-2 and node-3)"},
	},
	"a multihop limit on eBGP":                      {spec: "{peerIP: 192.168.1.1, asNumber: 64999, ebgpMultihopTTL: 1}"},
	"a multihop limit that a local AS makes one of": {spec: "{peerIP: 192.168.1.1, asNumber: 64512, localASNumber: 64999, ebgpMultihopTTL: 1}"},
	"a local AS that is the nodes'": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, localASNumber: 64999}", configurations: others{"rack-b": "{asNumber: 64999, nodeSelector: {matchLabels: {rack: b}}}"},
		want: []string{"warning Valid: spec.localASNumber: 64999 is the nodes' own AS number, so it has no effect: leave it out if the session shall follow the nodes' number (on node-3)"},
	},
	"a restart time where the nodes' configuration turns restarts off": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, gracefulRestart: {restartTimeSeconds: 60}}", configurations: others{"default": "{gracefulRestart: {mode: Disabled}}"},
		want: []string{"warning Valid: spec.gracefulRestart.restartTimeSeconds: it has no effect, since the nodes' BGPConfiguration has gracefulRestart.mode Disabled: leave it out, or set mode to Enabled (on node-1, node-2 and node-3)"},
	},
	"a restart time where the peer turns restarts off": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, gracefulRestart: {mode: Disabled, restartTimeSeconds: 60}}",
		want: []string{"warning Valid: spec.gracefulRestart.restartTimeSeconds: it has no effect, since the peer itself has gracefulRestart.mode Disabled: leave it out, or set mode to Enabled (on node-1, node-2 and node-3)"},
	},
	"a restart time where the peer turns restarts on": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, gracefulRestart: {mode: Enabled, restartTimeSeconds: 60}}", configurations: others{"default": "{gracefulRestart: {mode: Disabled}}"},
	},

	"a family that a node has no address of": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, addressFamilies: [IPv4, IPv6]}", change: singleStack,
		want: []string{"warning FamilyNotNegotiated: spec.addressFamilies: the node has no IPv6 InternalIP as the next hop of IPv6 routes, so none is sent: give it one, or leave IPv6 out (on node-2)"},
	},
	"export rules that decide about nothing": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, export: [{action: Accept}, {action: Reject}]}",
		want: []string{"warning Valid: spec.export[1]: it decides about no route, since spec.export[0] matches all that it does: remove it, or move it before that one"},
	},
	"export rules that reject everything": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64512, export: [{action: Reject}]}",
		want: []string{"warning Valid: spec.export[0]: no route is sent to the peer, since every one is rejected: accept those that it shall have in rules before this one, or delete the peer if it shall have none"},
	},
	"a community in export rules that one rack does not know": {
		spec:           "{peerIP: 192.168.1.1, asNumber: 64512, export: [{action: Reject, communities: [blackhole]}]}",
		configurations: others{"default": `{communities: [{name: blackhole, value: "1:666"}]}`, "rack-b": "{nodeSelector: {matchLabels: {rack: b}}, communities: []}"},
		want:           []string{`warning ExportIgnored: spec.export[0].communities[0]: "blackhole" is no community of the node's BGPConfiguration (known: none), and no route carries it, so it matches none: add it to spec.communities there, or use a value aa:nn or aa:nn:mm (on node-3)`},
	},
	"a local preference where one rack has another AS number": {
		spec:           "{peerIP: 192.168.1.1, asNumber: 64512, export: [{action: Accept, set: {localPreference: 200}}]}",
		configurations: others{"default": "{}", "rack-b": "{nodeSelector: {matchLabels: {rack: b}}, asNumber: 65001}"},
		want:           []string{"warning ExportIgnored: spec.export[0].set.localPreference: localPreference is left out on eBGP sessions, which never carry it: use med or asPathPrepend there (on node-3)"},
	},
	"a source address that a node does not have": {
		spec: `{peerIP: "2001:db8:1::1", asNumber: 64512}`, change: singleStack,
		want: []string{"warning SessionsDown: spec.sourceAddress: the node has no IPv6 InternalIP to connect from: give it one, or set sourceAddress to Any (on node-2)"},
	},
}

const withPassword = "{peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: tor, key: password}}}"

// torHolds makes the Secret tor hold a password.
func torHolds(value, secretType string) func(*cluster.State) {
	return func(s *cluster.State) {
		s.Secrets = map[string]password.Secret{"tor": {Type: secretType, Data: map[string][]byte{"password": []byte(value)}}}
	}
}

// singleStack takes the IPv6 addresses of node-2.
func singleStack(s *cluster.State) {
	node := s.Nodes[1]
	node.InternalIPs = node.InternalIPs[:1]
	s.Nodes = []intent.Node{s.Nodes[0], node, s.Nodes[2]}
}

func TestPeer(t *testing.T) {
	for name, row := range peerRows {
		t.Run(name, func(t *testing.T) {
			state := rackWith(t, row.peers, row.configurations, row.change)
			tor := clustertest.Peer(t, "tor", 1, row.spec)
			expect(t, row.want, crosscheck.In(state).Peer(&tor))
		})
	}
}

func TestAnObjectStandsInForItsFormerVersion(t *testing.T) {
	former := clustertest.Peer(t, "tor", 1, "{peerIP: 192.168.1.12, asNumber: 64512}")
	tor := clustertest.Peer(t, "tor", 1, "{peerIP: 192.168.1.1, asNumber: 64512}")
	check := crosscheck.In(clustertest.Rack().WithPeer(&former))
	expect(t, nil, check.Peer(&tor))
	if got := check.Peer(&former); len(got) != 1 || got[0].Reason != v1alpha1.ReasonInvalid {
		t.Errorf("of the former version: %v", lines(got))
	}
}
