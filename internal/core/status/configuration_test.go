package status_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/status"
)

// base is the configuration named default.
func base() *v1alpha1.BGPConfiguration {
	return &v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: 5}}
}

// overlay is a configuration for the nodes of a rack.
func overlay(name, rack string, age int64) *v1alpha1.BGPConfiguration {
	return &v1alpha1.BGPConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 5, CreationTimestamp: metav1.Unix(age, 0)},
		Spec:       v1alpha1.BGPConfigurationSpec{NodeSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"rack": rack}}},
	}
}

// withPeers is a cluster with the peers.
func withPeers(peers ...*v1alpha1.BGPPeer) cluster.State {
	var state cluster.State
	for _, p := range peers {
		state = state.WithPeer(p)
	}
	return state
}

// advertising is a node that advertises host routes of external addresses.
func advertising(number int, prefixes ...string) status.Node {
	n := node(number, up())
	for _, p := range prefixes {
		n.Report.Advertisements = append(n.Report.Advertisements, v1alpha1.NodeAdvertisement{Prefix: p, Kind: v1alpha1.KindExternalIP})
		if strings.Contains(p, ":") {
			n.Report.Routes.IPv6++
		} else {
			n.Report.Routes.IPv4++
		}
	}
	return n
}

func truncated(n status.Node) status.Node {
	n.Report.Truncated = true
	return n
}

func inRack(rack string, n status.Node) status.Node {
	n.Node.Labels = map[string]string{"rack": rack}
	return n
}

func TestAdvertised(t *testing.T) {
	t.Parallel()
	const prefix = "192.168.3.180/32"
	prepend := warning(v1alpha1.ReasonPrependIgnored, "spec.prefixAdvertisements", "left out on iBGP")
	wrong := finding(v1alpha1.ReasonInvalid, "spec.communities", "wrong")
	filteringTor := tor()
	filteringTor.Spec.Export = []v1alpha1.ExportRule{{Action: v1alpha1.ExportReject}}
	onlyRackB := tor()
	onlyRackB.Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"rack": "b"}}
	for name, row := range map[string]struct {
		configuration *v1alpha1.BGPConfiguration
		findings      []crosscheck.Finding
		nodes         []status.Node
		peers         []*v1alpha1.BGPPeer
		want          string
	}{
		"advertised": {
			nodes: []status.Node{advertising(1, prefix), node(2, up())},
			want:  "True Advertised: 1 of 2 nodes advertise prefixes",
		},
		"a prepend is ignored": {
			findings: []crosscheck.Finding{prepend}, nodes: []status.Node{advertising(1, prefix)},
			want: "True PrependIgnored: 1 of 1 nodes advertise prefixes, but spec.prefixAdvertisements: left out on iBGP",
		},
		"a part is wrong, and the rest is advertised": {
			findings: []crosscheck.Finding{wrong}, nodes: []status.Node{advertising(1, prefix)},
			want: "True Advertised: 1 of 1 nodes advertise prefixes",
		},
		"nothing, where peers have export rules": {
			nodes: []status.Node{node(1, up())}, peers: []*v1alpha1.BGPPeer{filteringTor},
			want: "False NothingToAdvertise: no block is aggregated, and no Service has an address in a block that a node can serve; " +
				"or spec.export of the BGPPeers rejects what there is",
		},
		"what is wrong leaves nothing": {
			findings: []crosscheck.Finding{wrong}, nodes: []status.Node{node(1, up())},
			want: "False NotAccepted: the configuration is not accepted, and nothing of it is left to advertise",
		},
		"an older overlay holds everywhere": {
			configuration: overlay("newer", "a", 2), findings: []crosscheck.Finding{finding(v1alpha1.ReasonConflict, "spec.nodeSelector", "taken")},
			nodes: []status.Node{advertising(1, prefix)},
			want:  "False NotAccepted: the configuration is not accepted, and holds on no node",
		},
		"an overlay for no node": {
			configuration: overlay("overlay", "b", 1), nodes: []status.Node{advertising(1, prefix)},
			want: "False NoNodes: the configuration is for no node of the cluster: see its nodeSelector and the nodes' labels",
		},
		"all nodes are out of service": {
			nodes: []status.Node{excluded(node(1))},
			want: "False NoNodes: the configuration is for no node in service: only for node-1 (carries the label " +
				"node.kubernetes.io/exclude-from-external-load-balancers)",
		},
		"no peer": {
			peers: []*v1alpha1.BGPPeer{onlyRackB}, nodes: []status.Node{node(1)},
			want: "False NoPeers: no BGPPeer selects the nodes that the configuration is for",
		},
		"a node without a peer beside one that has": {
			peers: []*v1alpha1.BGPPeer{onlyRackB}, nodes: []status.Node{node(1), inRack("b", advertising(2, prefix))},
			want: "True Advertised: 1 of 2 nodes advertise prefixes",
		},
		"a node without a session that is up": {
			nodes: []status.Node{advertising(1, prefix), node(2, down("refused")), silent(node(3))},
			want:  "False SessionsDown: 1 of 3 nodes advertise prefixes: no session is established on node-2, see the BGPPeers",
		},
		"a silent agent": {
			nodes: []status.Node{advertising(1, prefix), silent(advertising(2, prefix)), unreported(3)},
			want:  "Unknown AgentSilent: 1 of 3 nodes advertise prefixes: the agents of node-2 do not report, see that their pods run",
		},
		"not reported yet": {
			nodes: []status.Node{advertising(1, prefix), unreported(2), node(3)},
			want:  "Unknown Pending: 1 of 3 nodes advertise prefixes: not reported yet by node-2 and node-3",
		},
		"nothing to advertise": {
			nodes: []status.Node{node(1, up())},
			want:  "False NothingToAdvertise: no block is aggregated, and no Service has an address in a block that a node can serve",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configuration, peers := row.configuration, row.peers
			if configuration == nil {
				configuration = base()
			}
			if peers == nil {
				peers = []*v1alpha1.BGPPeer{tor()}
			}
			state := withPeers(peers...).WithConfiguration(base()).WithConfiguration(overlay("older", "a", 1))
			got := status.Configuration(configuration, row.findings, row.nodes, state, noon)
			NewWithT(t).Expect(say(got.Conditions, v1alpha1.ConditionAdvertised)).To(Equal(row.want))
		})
	}
}

func TestConfigurationCounts(t *testing.T) {
	t.Parallel()
	nodes := []status.Node{
		advertising(3, "10.49.0.0/16", "192.168.3.180/32"),
		advertising(1, "10.49.0.0/16", "192.168.3.9/32", "192.168.3.180/32"),
		advertising(2, "10.49.0.0/16", "2001:db8::/64", "2001:db8::1/128"),
		silent(advertising(4, "10.49.0.0/16", "10.50.0.0/16", "10.51.0.0/16", "10.52.0.0/16")),
		unreported(5),
		excluded(advertising(6, "10.49.0.0/16")),
	}
	nodes[0].Report.Advertisements = append(nodes[0].Report.Advertisements,
		v1alpha1.NodeAdvertisement{Prefix: "192.168.3.180/32", Kind: v1alpha1.KindLoadBalancerIP},
		v1alpha1.NodeAdvertisement{Prefix: "nonsense", Kind: v1alpha1.KindLoadBalancerIP})
	state := withPeers(tor())
	g := NewWithT(t)
	got := status.Configuration(base(), nil, nodes, state, noon)
	g.Expect(got.ObservedGeneration).To(Equal(int64(5)))
	g.Expect(got.Nodes).To(Equal(v1alpha1.ConfigurationNodes{Desired: 5, Reporting: 3}))
	g.Expect(got.Routes).To(Equal(v1alpha1.RouteCounts{IPv4: 3, IPv6: 2}), "of a silent agent nothing counts")
	external := func(prefix string, nodes int32) v1alpha1.Advertisement {
		return v1alpha1.Advertisement{Prefix: prefix, Kind: v1alpha1.KindExternalIP, Nodes: nodes}
	}
	g.Expect(got.Advertisements).To(Equal([]v1alpha1.Advertisement{
		external("10.49.0.0/16", 3), external("2001:db8::/64", 1), external("192.168.3.9/32", 1), external("192.168.3.180/32", 2),
		{Prefix: "192.168.3.180/32", Kind: v1alpha1.KindLoadBalancerIP, Nodes: 1},
		external("2001:db8::1/128", 1),
	}))
	g.Expect(got.Truncated).To(BeTrue(), "what a silent agent's node advertises is not known")
	g.Expect(status.Configuration(base(), nil, nodes[:3], state, noon).Truncated).To(BeFalse())

	nodes[1] = truncated(nodes[1])
	got = status.Configuration(base(), nil, nodes, state, noon)
	g.Expect(got.Truncated).To(BeTrue(), "the counts are lower bounds")
	g.Expect(got.Advertisements[0]).To(Equal(external("10.49.0.0/16", 2)))
	g.Expect(got.Routes.IPv4).To(Equal(int32(3)), "a cut list is counted whole")
}

func TestOverlayIsForTheNodesWhereItHolds(t *testing.T) {
	t.Parallel()
	nodes := []status.Node{
		inRack("a", advertising(1, "10.1.0.0/16")), inRack("b", advertising(2, "10.2.0.0/16")), inRack("c", advertising(3, "10.3.0.0/16")),
	}
	older, newer := overlay("older", "a", 1), overlay("newer", "", 2)
	newer.Spec.NodeSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "rack", Operator: metav1.LabelSelectorOpIn, Values: []string{"a", "b"}},
	}}
	state := withPeers(tor()).WithConfiguration(base()).WithConfiguration(older)
	for configuration, want := range map[*v1alpha1.BGPConfiguration][]string{
		base(): {"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"}, older: {"10.1.0.0/16"}, newer: {"10.2.0.0/16"},
	} {
		got := status.Configuration(configuration, nil, nodes, state, noon)
		var prefixes []string
		for _, a := range got.Advertisements {
			prefixes = append(prefixes, a.Prefix)
		}
		g := NewWithT(t)
		g.Expect(prefixes).To(Equal(want), configuration.Name)
		g.Expect(got.Nodes).To(Equal(v1alpha1.ConfigurationNodes{Desired: int32(len(want)), Reporting: int32(len(want))}))
	}
}

func TestSharedRouterIDs(t *testing.T) {
	t.Parallel()
	nodes := []status.Node{inRack("a", node(1, up())), inRack("b", node(2, up())), inRack("c", node(3, up()))}
	nodes[1].Report.RouterID = "192.168.1.11"
	const want = `False RouterIDConflict: spec.routerID: Invalid value: "192.168.1.11": ` +
		"node-1 and node-2 have the same router ID: give each of them its own in an overlay"
	state := withPeers(tor()).WithConfiguration(base())
	accepted := func(c *v1alpha1.BGPConfiguration, findings ...crosscheck.Finding) string {
		return say(status.Configuration(c, findings, nodes, state, noon).Conditions, v1alpha1.ConditionAccepted)
	}

	g := NewWithT(t)
	g.Expect(accepted(base())).To(Equal(want))
	g.Expect(accepted(overlay("overlay", "b", 1))).To(Equal(want), "it holds on one of the two")
	g.Expect(accepted(overlay("overlay", "c", 1))).To(Equal("True Valid: the spec is sound"), "it holds on neither")

	known := finding(v1alpha1.ReasonRouterIDConflict, "spec.routerID", "shared", "node-2", "node-1")
	g.Expect(accepted(base(), known)).To(
		Equal("False RouterIDConflict: spec.routerID: Forbidden: shared (on node-1 and node-2)"), "it is said once")
	known.Nodes = []string{"node-1", "node-3"}
	g.Expect(accepted(base(), known)).To(And(ContainSubstring("on node-1 and node-3"), ContainSubstring("node-1 and node-2 have")))

	nodes[1] = silent(nodes[1])
	g.Expect(accepted(base())).To(Equal("True Valid: the spec is sound"), "what a silent agent had is not known")
}

// TestConfigurationProperties: whatever nodes report, in whatever order, the list is the first 100 of what a naive count
// gives, and the same input again changes nothing.
func TestConfigurationProperties(t *testing.T) {
	t.Parallel()
	state := withPeers(tor())
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, 60)
		configuration := base()
		configuration.Status = status.Configuration(configuration, nil, nodes, state, noon)
		got := configuration.Status

		naive, cut := map[string]int32{}, false
		for _, n := range nodes {
			if n.Node.IsOutOfService() {
				continue
			}
			if n.Report == nil || n.Silent {
				cut = true
				continue
			}
			cut = cut || n.Report.Truncated
			for _, a := range n.Report.Advertisements {
				if !n.Report.Truncated {
					naive[a.Prefix]++
				}
			}
		}
		if got.Truncated != (cut || len(naive) > 100) || len(got.Advertisements) != min(100, len(naive)) {
			t.Errorf("%d of %d prefixes, truncated: %t, with a node's list cut or missing: %t", len(got.Advertisements), len(naive), got.Truncated, cut)
		}
		for _, a := range got.Advertisements {
			if naive[a.Prefix] != a.Nodes {
				t.Errorf("%s is advertised by %d nodes, not %d", a.Prefix, naive[a.Prefix], a.Nodes)
			}
		}
		if got.Nodes.Reporting > got.Nodes.Desired {
			t.Errorf("%d of %d nodes report", got.Nodes.Reporting, got.Nodes.Desired)
		}
		again := status.Configuration(configuration, nil, rapid.Permutation(nodes).Draw(t, "order"), state, noon.Add(time.Hour))
		if !equality.Semantic.DeepEqual(got, again) {
			t.Errorf("the same again is another status:\n%v\n%v", got, again)
		}
	})
}

func TestTheFirstAdvertisementsSurviveTheCut(t *testing.T) {
	t.Parallel()
	var hosts []string
	for i := range 150 {
		hosts = append(hosts, fmt.Sprintf("192.168.3.%d/32", i))
	}
	for name, row := range map[string]struct {
		nodes []status.Node
		first string
		cut   bool
	}{
		"just as many as there is room for": {[]status.Node{advertising(1, hosts[:100]...), advertising(2, hosts[:100]...)}, hosts[0], false},
		"one more, at the end":              {[]status.Node{advertising(1, hosts[:101]...)}, hosts[0], true},
		"one more, in front: an aggregate":  {[]status.Node{advertising(1, hosts[:100]...), advertising(2, "10.49.0.0/16")}, "10.49.0.0/16", true},
		"many more, in any order": {[]status.Node{
			advertising(1, hosts[75:]...), advertising(2, hosts[:75]...), advertising(3, hosts...), advertising(4, "10.49.0.0/16"),
		}, "10.49.0.0/16", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := status.Configuration(base(), nil, row.nodes, withPeers(tor()), noon)
			g := NewWithT(t)
			g.Expect(got.Truncated).To(Equal(row.cut))
			g.Expect(got.Advertisements).To(HaveLen(100))
			g.Expect(got.Advertisements[0].Prefix).To(Equal(row.first))
			g.Expect(got.Advertisements[99].Prefix).To(BeElementOf(hosts[98], hosts[99]), "what comes first stays")
		})
	}
}

// TestAPrefixOfTwoKindsIsTwoAdvertisements: what one node advertises for a ClusterIP another one may for an external address.
func TestAPrefixOfTwoKindsIsTwoAdvertisements(t *testing.T) {
	t.Parallel()
	nodes := []status.Node{advertising(1, "10.49.0.1/32"), advertising(2, "10.49.0.1/32"), advertising(3, "10.49.0.1/32")}
	nodes[1].Report.Advertisements[0].Kind = v1alpha1.KindClusterIP
	got := status.Configuration(base(), nil, nodes, withPeers(tor()), noon)
	NewWithT(t).Expect(got.Advertisements).To(Equal([]v1alpha1.Advertisement{
		{Prefix: "10.49.0.1/32", Kind: v1alpha1.KindClusterIP, Nodes: 1},
		{Prefix: "10.49.0.1/32", Kind: v1alpha1.KindExternalIP, Nodes: 2},
	}))
}
