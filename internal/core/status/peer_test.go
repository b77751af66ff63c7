package status_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/status"
)

func TestEstablished(t *testing.T) {
	t.Parallel()
	dual := func(p *v1alpha1.BGPPeer) {
		p.Spec.AddressFamilies = []v1alpha1.AddressFamily{v1alpha1.IPv4, v1alpha1.IPv6}
	}
	rackB := func(p *v1alpha1.BGPPeer) {
		p.Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"rack": "b"}}
	}
	refused := finding(v1alpha1.ReasonInvalid, "spec.password", "remove it")
	for name, row := range map[string]struct {
		edit     func(*v1alpha1.BGPPeer)
		findings []crosscheck.Finding
		nodes    []status.Node
		ready    string
		want     string
	}{
		"all up": {
			nodes: []status.Node{node(1, up()), node(2, up()), node(3, up())}, ready: "3/3",
			want: "True AllEstablished: 3 of 3 sessions are established",
		},
		"one down, with its cause": {
			nodes: []status.Node{node(1, down("connection refused")), node(2, up()), node(3, up())}, ready: "2/3",
			want: "False SessionsDown: 2 of 3 sessions are established: connection refused (node-1)",
		},
		"the same cause is said once, the most frequent first": {
			nodes: []status.Node{
				node(1, down("hold timer expired")), node(2, down("connection refused")), node(3, down("connection refused")),
				node(4, down("connection refused")), node(5, up()),
			}, ready: "1/5",
			want: "False SessionsDown: 1 of 5 sessions are established: " +
				"connection refused (node-2, node-3 and 1 other node); hold timer expired (node-1)",
		},
		"not tried yet": {
			nodes: []status.Node{node(1, down(""))}, ready: "0/1",
			want: "False SessionsDown: 0 of 1 sessions are established: in state Connect, and no attempt has failed yet (node-1)",
		},
		"a silent agent is neither up nor down": {
			nodes: []status.Node{node(1, up()), silent(node(2, up()))}, ready: "1/2",
			want: "Unknown AgentSilent: 1 of 2 sessions are established: the agent does not report (node-2)",
		},
		"down outweighs silent, and both are said": {
			nodes: []status.Node{silent(node(1, up())), node(2, down("connection refused")), unreported(3)}, ready: "0/3",
			want: "False SessionsDown: 0 of 3 sessions are established: connection refused (node-2); " +
				"the agent does not report (node-1); generation 3 of the peer is not reported yet (node-3)",
		},
		"one that is down is said before many that are silent": {
			nodes: []status.Node{silent(node(1)), silent(node(2)), node(3, down("connection refused"))}, ready: "0/3",
			want: "False SessionsDown: 0 of 3 sessions are established: connection refused (node-3); " +
				"the agent does not report (node-1 and node-2)",
		},
		"an agent that never reported": {
			nodes: []status.Node{node(1, up()), unreported(2)}, ready: "1/2",
			want: "Unknown Pending: 1 of 2 sessions are established: generation 3 of the peer is not reported yet (node-2)",
		},
		"an agent that does not know the peer yet": {
			nodes: []status.Node{node(1)}, ready: "0/1",
			want: "Unknown Pending: 0 of 1 sessions are established: generation 3 of the peer is not reported yet (node-1)",
		},
		"a session of an older generation, up or down": {
			nodes: []status.Node{node(1, ofGeneration(up(), 2)), node(2, ofGeneration(down("refused"), 2)), node(3, up())}, ready: "1/3",
			want: "Unknown Pending: 1 of 3 sessions are established: " +
				"generation 3 of the peer is not reported yet (node-1 and node-2)",
		},
		"another object of the same name": {
			edit:  func(p *v1alpha1.BGPPeer) { p.UID = "another" },
			nodes: []status.Node{node(1, up())}, ready: "0/1",
			want: "Unknown Pending: 0 of 1 sessions are established: generation 3 of the peer is not reported yet (node-1)",
		},
		"a family that was not negotiated": {
			edit:  dual,
			nodes: []status.Node{node(1, up()), node(2, up())}, ready: "2/2",
			want: "True FamilyNotNegotiated: 2 of 2 sessions are established, but IPv6 was not negotiated (node-1 and node-2): " +
				"enable the family on the router, or leave it out of spec.addressFamilies",
		},
		"the family of the peer's address is the default": {
			edit:  func(p *v1alpha1.BGPPeer) { p.Spec.PeerIP = "2001:db8::1" },
			nodes: []status.Node{node(1, up())}, ready: "1/1",
			want: "True FamilyNotNegotiated: 1 of 1 sessions are established, but IPv6 was not negotiated (node-1): " +
				"enable the family on the router, or leave it out of spec.addressFamilies",
		},
		"IPv4 over IPv6": {
			edit: func(p *v1alpha1.BGPPeer) {
				dual(p)
				p.Spec.PeerIP = "2001:db8::1"
			},
			nodes: []status.Node{node(1, withFamilies(up(), v1alpha1.IPv6))}, ready: "1/1",
			want: "True FamilyNotNegotiated: 1 of 1 sessions are established, but IPv4 was not negotiated (node-1): " +
				"enable the family on the router, or leave it out of spec.addressFamilies; " +
				"for IPv4 over IPv6 the node needs an IPv4 InternalIP, or the router an extended next hop (RFC 8950)",
		},
		"a family without a next hop, which was negotiated": {
			findings: []crosscheck.Finding{
				warning(v1alpha1.ReasonFamilyNotNegotiated, "spec.addressFamilies", "no IPv6 route is sent", "node-1"),
			},
			nodes: []status.Node{node(1, up())}, ready: "1/1",
			want: "True FamilyNotNegotiated: 1 of 1 sessions are established, but " +
				"spec.addressFamilies: no IPv6 route is sent (on node-1)",
		},
		"BFD that is up": {
			edit: withBFD, nodes: []status.Node{node(1, watched(up(), v1alpha1.BFDUp, ""))}, ready: "1/1",
			want: "True AllEstablished: 1 of 1 sessions are established",
		},
		"BFD that is not up keeps no session from being established": {
			edit: withBFD, ready: "3/3",
			nodes: []status.Node{
				node(1, watched(up(), v1alpha1.BFDUp, "")), node(2, watched(up(), v1alpha1.BFDDown, "no packet")), node(3, up()),
			},
			want: "True AllEstablished: 3 of 3 sessions are established, but BFD is not up (node-3); BFD is not up: no packet (node-2)",
		},
		"BFD that is not up beside a family that was not negotiated": {
			edit:  func(p *v1alpha1.BGPPeer) { dual(p); withBFD(p) },
			nodes: []status.Node{node(1, watched(up(), v1alpha1.BFDDown, "no packet"))}, ready: "1/1",
			want: "True FamilyNotNegotiated: 1 of 1 sessions are established, but IPv6 was not negotiated (node-1): " +
				"enable the family on the router, or leave it out of spec.addressFamilies; BFD is not up: no packet (node-1)",
		},
		"a part of the export rules is in vain": {
			findings: []crosscheck.Finding{
				warning(v1alpha1.ReasonExportIgnored, "spec.export[0].set.localPreference", "left out on eBGP", "node-1"),
			},
			nodes: []status.Node{node(1, up())}, ready: "1/1",
			want: "True ExportIgnored: 1 of 1 sessions are established, but " +
				"spec.export[0].set.localPreference: left out on eBGP (on node-1)",
		},
		"no node is selected": {
			edit: rackB, nodes: []status.Node{node(1)}, ready: "0/0",
			want: "False NoNodes: the peer is for no node of the cluster: see its nodeSelector and the nodes' labels",
		},
		"a node out of service is not counted": {
			nodes: []status.Node{node(1, up()), excluded(node(2, down("the node is out of service")))}, ready: "1/1",
			want: "True AllEstablished: 1 of 1 sessions are established",
		},
		"all nodes are out of service": {
			nodes: []status.Node{maintained(node(2, up())), excluded(node(1, up()))}, ready: "0/0",
			want: "False NoNodes: the peer is for no node in service: only for " +
				"node-1 (carries the label node.kubernetes.io/exclude-from-external-load-balancers) and " +
				"node-2 (carries the label herald.network/maintenance)",
		},
		"not accepted, so not run": {
			findings: []crosscheck.Finding{refused},
			nodes:    []status.Node{node(1, down("spec.password: remove it")), silent(node(2))}, ready: "0/2",
			want: "False NotAccepted: the peer is not accepted, and 0 of 2 sessions are established: " +
				"spec.password: remove it (node-1); the agent does not report (node-2)",
		},
		"not accepted, and nothing is known": {
			findings: []crosscheck.Finding{refused}, nodes: []status.Node{silent(node(1, up()))}, ready: "0/1",
			want: "Unknown AgentSilent: 0 of 1 sessions are established: the agent does not report (node-1)",
		},
		"not accepted, and no node selected": {
			edit: rackB, findings: []crosscheck.Finding{refused}, nodes: []status.Node{node(1)}, ready: "0/0",
			want: "False NotAccepted: the peer is not accepted, and no node holds a session with it",
		},
		"what another object broke later hides no session that is up": {
			findings: []crosscheck.Finding{finding(v1alpha1.ReasonInvalid, "spec.peerIP", "it is node-2's own address")},
			nodes:    []status.Node{node(1, up()), node(2, down("connection refused"))}, ready: "1/2",
			want: "False SessionsDown: 1 of 2 sessions are established: connection refused (node-2)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := tor()
			if row.edit != nil {
				row.edit(peer)
			}
			got := status.Peer(peer, row.findings, row.nodes, noon)
			g := NewWithT(t)
			g.Expect(say(got.Conditions, v1alpha1.ConditionEstablished)).To(Equal(row.want))
			g.Expect(got.Nodes.Ready).To(Equal(row.ready))
			g.Expect(fmt.Sprintf("%d/%d", got.Nodes.Established, got.Nodes.Desired)).To(Equal(row.ready))
			g.Expect(got.ObservedGeneration).To(Equal(int64(3)))
		})
	}
}

// TestTheFirstNodesAreNamed: of many nodes with one cause, those are named that come first.
func TestTheFirstNodesAreNamed(t *testing.T) {
	t.Parallel()
	var nodes []status.Node
	for i := range 90 {
		nodes = append(nodes, node(99-i, down([]string{"filtered", "refused"}[i%2])))
	}
	NewWithT(t).Expect(say(status.Peer(tor(), nil, nodes, noon).Conditions, v1alpha1.ConditionEstablished)).To(Equal(
		"False SessionsDown: 0 of 90 sessions are established: filtered (node-11, node-13 and 43 other nodes); " +
			"refused (node-10, node-12 and 43 other nodes)"))
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		findings []crosscheck.Finding
		want     string
	}{
		"nothing was found": {want: "True Valid: the spec is sound"},
		"a remark": {
			findings: []crosscheck.Finding{warning(v1alpha1.ReasonNoNodes, "spec.nodeSelector", "it selects no node")},
			want:     "True Valid: accepted, but spec.nodeSelector: it selects no node",
		},
		"what admission lets through, since it may come right": {
			findings: []crosscheck.Finding{warning(v1alpha1.ReasonSecretNotFound, "spec.password", "create it")},
			want:     "False SecretNotFound: spec.password: create it",
		},
		"what belongs in another condition refuses nothing": {
			findings: []crosscheck.Finding{finding(v1alpha1.ReasonSessionsDown, "spec.sourceAddress", "there is none", "node-1")},
			want:     "True Valid: accepted, but spec.sourceAddress: Forbidden: there is none (on node-1)",
		},
		"the most important reason, and every message": {
			findings: []crosscheck.Finding{
				warning(v1alpha1.ReasonInvalid, "spec.a", "warned"),
				warning(v1alpha1.ReasonSecretNotFound, "spec.b", "missing"),
				finding(v1alpha1.ReasonRouterIDConflict, "spec.d", "shared"),
				finding(v1alpha1.ReasonOutsideBase, "spec.e", "too wide"),
				finding(v1alpha1.ReasonConflict, "spec.f", "taken", "node-3", "node-1", "node-2"),
				finding(v1alpha1.ReasonInvalid, "spec.g", "wrong"),
			},
			want: "False Invalid: spec.g: Forbidden: wrong; spec.f: Forbidden: taken (on node-1, node-2 and 1 other node); " +
				"spec.e: Forbidden: too wide; spec.d: Forbidden: shared; " +
				"spec.b: missing; spec.a: warned",
		},
		"a conflict": {
			findings: []crosscheck.Finding{
				warning(v1alpha1.ReasonSecretNotFound, "spec.c", "missing"),
				finding(v1alpha1.ReasonConflict, "spec.f", "taken"),
			},
			want: "False Conflict: spec.f: Forbidden: taken; spec.c: missing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := status.Peer(tor(), row.findings, []status.Node{node(1, up())}, noon)
			g := NewWithT(t)
			g.Expect(say(got.Conditions, v1alpha1.ConditionAccepted)).To(Equal(row.want))
			g.Expect(got.Nodes.Ready).To(Equal("1/1"), "what is up is shown all the same")
		})
	}
}

func TestSessionsAreShownAsTheyAreReported(t *testing.T) {
	t.Parallel()
	refused := down("connection refused")
	got := status.Peer(tor(), nil, []status.Node{
		node(1, up()), silent(node(2, up())), node(3, ofGeneration(up(), 2)), node(4, refused), node(5, ofGeneration(refused, 2)),
		unreported(6),
		{Node: node(7).Node, Silent: true},
		node(8, v1alpha1.NodeSession{Peer: "another"}),
	}, noon)

	g := NewWithT(t)
	unknown := func(since metav1.Time, cause string) v1alpha1.Session {
		return v1alpha1.Session{State: v1alpha1.SessionUnknown, Since: since, LastError: cause}
	}
	heard := metav1.NewTime(time.Date(2026, 11, 24, 11, 59, 0, 0, time.UTC))
	g.Expect(got.Sessions).To(Equal([]v1alpha1.PeerSession{
		{Node: "node-4", Session: refused.Session},
		{Node: "node-2", Session: unknown(heard, "the node's agent has not reported since 2026-11-24T11:59:00Z: see that its pod runs")},
		{Node: "node-7", Session: unknown(metav1.Time{}, "the node's agent has not been heard: see that its pod runs")},
		{Node: "node-6", Session: unknown(metav1.Time{}, "the node's agent has not reported the session yet")},
		{Node: "node-8", Session: unknown(metav1.Time{}, "the node's agent has not reported the session yet")},
		{Node: "node-5", Session: refused.Session},
		{Node: "node-3", Session: up().Session},
		{Node: "node-1", Session: up().Session},
	}))
	g.Expect(got.Truncated).To(BeFalse())
}

func TestSessionsThatNeedALookSurviveTheCut(t *testing.T) {
	t.Parallel()
	var nodes []status.Node
	for i := range 101 {
		nodes = append(nodes, node(i, up()))
	}
	g := NewWithT(t)
	g.Expect(status.Peer(tor(), nil, nodes[:100], noon).Truncated).To(BeFalse())

	nodes[50] = node(50, down("connection refused"))
	nodes[60] = silent(node(60, up()))
	got := status.Peer(tor(), nil, nodes, noon)
	g.Expect(got.Truncated).To(BeTrue())
	g.Expect(got.Sessions).To(HaveLen(100))
	g.Expect(got.Sessions[0].Node).To(Equal("node-50"))
	g.Expect(got.Sessions[1].Node).To(Equal("node-60"))
	g.Expect(got.Nodes.Ready).To(Equal("99/101"), "the cut is no count")
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	peer := tor()
	foreign := metav1.Condition{Type: "example.org/Audited", Status: metav1.ConditionTrue, LastTransitionTime: since, Reason: "ByHand"}
	peer.Status.Conditions = []metav1.Condition{foreign}
	time0 := metav1.NewTime(noon.Truncate(time.Second))

	peer.Status = status.Peer(peer, nil, []status.Node{node(1, down("connection refused")), node(2, up())}, noon)
	g.Expect(peer.Status.Conditions).To(HaveLen(3))
	g.Expect(peer.Status.Conditions[0]).To(Equal(foreign))
	established := peer.Status.Conditions[2]
	g.Expect(established.LastTransitionTime).To(Equal(time0))
	g.Expect(established.ObservedGeneration).To(Equal(int64(3)))

	peer.Generation = 4
	worse := []status.Node{node(1, ofGeneration(down("hold timer expired"), 4)), node(2, ofGeneration(down("refused"), 4))}
	before := peer.Status.DeepCopy()
	later := status.Peer(peer, nil, worse, noon.Add(time.Hour))
	g.Expect(peer.Status).To(Equal(*before), "the object that is asked about stays as it is")
	peer.Status = later
	g.Expect(peer.Status.Conditions[2].LastTransitionTime).To(Equal(time0), "still False, for another cause")
	g.Expect(peer.Status.Conditions[2].Message).To(ContainSubstring("hold timer expired"))
	g.Expect(peer.Status.Conditions[1].ObservedGeneration).To(Equal(int64(4)))

	better := []status.Node{node(1, ofGeneration(up(), 4)), node(2, ofGeneration(up(), 4))}
	peer.Status = status.Peer(peer, nil, better, noon.Add(2*time.Hour))
	g.Expect(peer.Status.Conditions[2].LastTransitionTime).To(Equal(metav1.NewTime(time0.Add(2 * time.Hour))))
	g.Expect(peer.Status.Conditions[1].LastTransitionTime).To(Equal(time0), "accepted all the while")
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	var nodes []status.Node
	var findings []crosscheck.Finding
	for i := range 300 {
		nodes = append(nodes, node(i, down(fmt.Sprintf("cause %d: größer", i))))
		findings = append(findings, finding(v1alpha1.ReasonInvalid, "spec.peerIP", strings.Repeat("ß", i)))
	}
	got := status.Peer(tor(), findings, nodes, noon)
	for _, c := range got.Conditions {
		g := NewWithT(t)
		g.Expect(len(c.Message)).To(BeNumerically("<=", 1024))
		g.Expect(len(c.Message)).To(BeNumerically(">", 1000), "as much as there is room for")
		g.Expect(utf8.ValidString(c.Message)).To(BeTrue())
		g.Expect(c.Message).To(HaveSuffix("…"))
	}
}

// TestPeerProperties: for any nodes, the order in which they come is of no account, the same input again changes nothing,
// and no more is established than is desired.
func TestPeerProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, 130)
		peer := tor()
		peer.Status = status.Peer(peer, nil, nodes, noon)
		got := peer.Status
		if got.Nodes.Established > got.Nodes.Desired || int(got.Nodes.Desired) > len(nodes) {
			t.Errorf("%d of %d established, with %d nodes", got.Nodes.Established, got.Nodes.Desired, len(nodes))
		}
		isTrue := strings.HasPrefix(say(got.Conditions, v1alpha1.ConditionEstablished), "True ")
		if isTrue != (got.Nodes.Desired > 0 && got.Nodes.Established == got.Nodes.Desired) {
			t.Errorf("%s is %s", got.Nodes.Ready, say(got.Conditions, v1alpha1.ConditionEstablished))
		}
		notUp := int(got.Nodes.Desired - got.Nodes.Established)
		for i, session := range got.Sessions {
			if i >= notUp && session.State != v1alpha1.SessionEstablished {
				t.Errorf("%s, which is %s, comes after an established session", session.Node, session.State)
			}
		}
		if got.Truncated != (got.Nodes.Desired > 100) || len(got.Sessions) != min(100, int(got.Nodes.Desired)) {
			t.Errorf("%d sessions of %d, truncated: %t", len(got.Sessions), got.Nodes.Desired, got.Truncated)
		}
		again := status.Peer(peer, nil, rapid.Permutation(nodes).Draw(t, "order"), noon.Add(time.Hour))
		if !equality.Semantic.DeepEqual(got, again) {
			t.Errorf("the same again is another status:\n%v\n%v", got, again)
		}
	})
}

// drawNodes draws nodes in every standing.
func drawNodes(t *rapid.T, most int) []status.Node {
	count := rapid.IntRange(0, most).Draw(t, "nodes")
	nodes := make([]status.Node, count)
	for i := range nodes {
		causes := rapid.SampledFrom([]string{"", "connection refused", "hold timer expired"})
		session := rapid.SampledFrom([]v1alpha1.NodeSession{up(), up(), up(), down(causes.Draw(t, "cause"))}).Draw(t, "session")
		session.PeerGeneration = rapid.Int64Range(2, 3).Draw(t, "generation")
		nodes[i] = node(i, session)
		nodes[i].Report.Routes.IPv4 = rapid.Int32Range(0, 3).Draw(t, "routes")
		nodes[i].Report.Truncated = rapid.IntRange(0, 9).Draw(t, "truncated") == 0
		nodes[i].Report.Advertisements = drawAdvertisements(t)
		switch rapid.IntRange(0, 9).Draw(t, "standing") {
		case 0:
			nodes[i] = silent(nodes[i])
		case 1:
			nodes[i].Report = nil
		case 2:
			nodes[i].Report.Sessions = nil
		case 3:
			nodes[i] = excluded(nodes[i])
		}
	}
	return nodes
}

func drawAdvertisements(t *rapid.T) []v1alpha1.NodeAdvertisement {
	var list []v1alpha1.NodeAdvertisement
	for i := range rapid.IntRange(0, 5).Draw(t, "advertisements") {
		list = append(list, v1alpha1.NodeAdvertisement{
			Prefix: fmt.Sprintf("10.49.%d.%d/32", i, rapid.IntRange(0, 200).Draw(t, "prefix")), Kind: v1alpha1.KindClusterIP,
		})
	}
	return list
}
