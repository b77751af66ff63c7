package intent_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
)

// created gives objects their age: number 1 is the oldest.
func created(number int) metav1.ObjectMeta {
	return metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(time.Date(2026, 11, 23, 0, number, 0, 0, time.UTC))}
}

// newNode returns a dual-stack node in rack a.
func newNode() intent.Node {
	return intent.Node{
		Name:        "node-1",
		Labels:      map[string]string{"rack": "a"},
		InternalIPs: []netip.Addr{netip.MustParseAddr("192.168.1.11"), netip.MustParseAddr("2001:db8:1::11")},
		PodCIDRs:    []netip.Prefix{netip.MustParsePrefix("10.48.1.0/24")},
	}
}

// configuration reads a spec as a user writes it.
func configuration(t *testing.T, name string, age int, spec string) v1alpha1.BGPConfiguration {
	t.Helper()
	c := v1alpha1.BGPConfiguration{ObjectMeta: created(age)}
	c.Name, c.UID, c.Generation = name, types.UID("uid-"+name), 1
	unmarshal(t, spec, &c.Spec)
	return c
}

// peer reads a spec as a user writes it.
func peer(t *testing.T, name string, age int, spec string) v1alpha1.BGPPeer {
	t.Helper()
	p := v1alpha1.BGPPeer{ObjectMeta: created(age)}
	p.Name, p.UID, p.Generation = name, types.UID("uid-"+name), 1
	unmarshal(t, spec, &p.Spec)
	return p
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatalf("spec %q: %v", text, err)
	}
}

// problem is what a test says of a problem: the rest of its message may change.
type problem struct {
	object    string
	field     string
	condition v1alpha1.ConditionType
	reason    v1alpha1.ConditionReason
	// mentions is a part of the message.
	mentions string
}

func checkProblems(t *testing.T, want []problem, got []intent.Problem) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			t.Errorf("missing problem %+v", want[i])
		case i >= len(want):
			t.Errorf("unexpected problem: %s (%s=%s)", got[i], got[i].Condition, got[i].Reason)
		default:
			checkProblem(t, want[i], got[i])
		}
	}
}

func checkProblem(t *testing.T, want problem, got intent.Problem) {
	t.Helper()
	found := problem{got.Object.Kind + "/" + got.Object.Name, got.Field, got.Condition, got.Reason, want.mentions}
	if found != want {
		t.Errorf("got problem %+v (%s), want %+v", found, got.Message, want)
	}
	if !strings.Contains(got.Message, want.mentions) {
		t.Errorf("the message %q does not mention %q", got.Message, want.mentions)
	}
	if got.Object.UID != types.UID("uid-"+got.Object.Name) || got.Object.Generation != 1 {
		t.Errorf("the problem is of the object %+v, with another UID or generation", got.Object)
	}
}

func names(peers []bgp.Peer) []string {
	var names []string
	for _, p := range peers {
		names = append(names, p.Name)
	}
	return names
}

var comparers = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b bgp.PathAttributes) bool { return a == b }),
	cmp.Comparer(func(a, b bgp.Password) bool { return a == b }),
	cmp.Comparer(func(a, b bgp.ExportPolicy) bool { return a == b }),
}

func TestWithoutAnyObjectTheDefaultsHold(t *testing.T) {
	got := intent.For(intent.Input{Node: newNode()})
	want := intent.Intent{ASN: 64512, RouterID: netip.MustParseAddr("192.168.1.11"), ShutdownTime: seconds(5)}
	if diff := cmp.Diff(want, got, comparers); diff != "" {
		t.Errorf("intent (-want +got):\n%s", diff)
	}
}

func TestLabelsThatTakeANodeOutOfService(t *testing.T) {
	for label, reason := range map[string]intent.OutOfServiceReason{
		"node.kubernetes.io/exclude-from-external-load-balancers": intent.Excluded,
		"herald.network/maintenance":                              intent.Maintained,
	} {
		for value, want := range map[string]intent.OutOfServiceReason{
			"true": reason, "": reason, "no": reason, "1": reason, "kernel-update": reason,
			"false": "", "False": "", "0": "",
		} {
			t.Run(label+"="+value, func(t *testing.T) {
				node := newNode()
				node.Labels[label] = value
				if got := node.OutOfService(); got != want || node.IsOutOfService() != (want != "") {
					t.Errorf("out of service: %q, %v, want %q", got, node.IsOutOfService(), want)
				}
			})
		}
	}
	if newNode().IsOutOfService() {
		t.Error("a node without a label is out of service")
	}
}

func TestANodeOutOfServiceHoldsNoSession(t *testing.T) {
	rows := map[string]func(node *intent.Node){
		"excluded by label":             func(node *intent.Node) { node.Labels[intent.ExcludeLabel] = "" },
		"under maintenance":             func(node *intent.Node) { node.Labels[intent.MaintenanceLabel] = "true" },
		"being shut down":               func(node *intent.Node) { node.ShuttingDown = true },
		"being deleted":                 func(node *intent.Node) { node.Deleting = true },
		"being deleted, label is false": func(node *intent.Node) { node.Deleting = true; node.Labels[intent.ExcludeLabel] = "false" },
	}
	for name, change := range rows {
		t.Run(name, func(t *testing.T) {
			node := newNode()
			change(&node)
			got := intent.For(intent.Input{
				Node:           node,
				Configurations: []v1alpha1.BGPConfiguration{configuration(t, "default", 1, "serviceExternalIPs: [{cidr: 192.168.3.0/24}]")},
				Peers:          []v1alpha1.BGPPeer{peer(t, "tor", 1, "{peerIP: 192.168.1.1, asNumber: 64512}")},
			})
			if len(got.Peers) != 0 || !got.Advertise.Excluded {
				t.Errorf("peers %v, excluded %v: want none, true", names(got.Peers), got.Advertise.Excluded)
			}
			if len(got.Selected) != 1 || got.Selected[0].Name != "tor" {
				t.Errorf("selected %v, want the peer that is not run all the same", got.Selected)
			}
		})
	}
}

func TestRouterID(t *testing.T) {
	overlay := "{nodeSelector: {matchLabels: {rack: a}}, routerID: 10.0.0.1}"
	rows := map[string]struct {
		change  func(node *intent.Node)
		overlay string
		want    string
	}{
		"the first IPv4 InternalIP": {
			change: func(node *intent.Node) { node.InternalIPs = append(node.InternalIPs, netip.MustParseAddr("10.9.9.9")) },
			want:   "192.168.1.11",
		},
		"the overlay's": {overlay: overlay, want: "10.0.0.1"},
		"the overlay's, on a node without IPv4": {
			change:  func(node *intent.Node) { node.InternalIPs = node.InternalIPs[1:] },
			overlay: overlay, want: "10.0.0.1",
		},
		"derived from the name of a node without IPv4": {
			change: func(node *intent.Node) { node.InternalIPs = node.InternalIPs[1:] },
			want:   bgp.RouterIDFromName("node-1").String(),
		},
		"the one that the agent started with, although the address changed": {
			change: func(node *intent.Node) { node.RouterID = netip.MustParseAddr("192.168.1.99") },
			want:   "192.168.1.99",
		},
		"the overlay's, whatever the agent started with": {
			change:  func(node *intent.Node) { node.RouterID = netip.MustParseAddr("192.168.1.99") },
			overlay: overlay, want: "10.0.0.1",
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			input := intent.Input{Node: newNode(), Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, "{peerIP: 2001:db8:1::1, asNumber: 64512}")}}
			if row.change != nil {
				row.change(&input.Node)
			}
			if row.overlay != "" {
				input.Configurations = append(input.Configurations, configuration(t, "rack-a", 1, row.overlay))
			}
			got := intent.For(input)
			if got.RouterID.String() != row.want || len(got.Peers) != 1 || got.Peers[0].RouterID.String() != row.want {
				t.Errorf("the node's router ID is %s, its peers are %+v, want %s", got.RouterID, got.Peers, row.want)
			}
		})
	}
}

// TestForDependsOnItsInputOnly shuffles the objects, which come from a cache in no order, and checks that they are left
// as they were.
func TestForDependsOnItsInputOnly(t *testing.T) {
	newInput := func() intent.Input {
		return intent.Input{
			Node: newNode(),
			Configurations: []v1alpha1.BGPConfiguration{
				configuration(t, "default", 3, "{asNumber: 23456, serviceExternalIPs: [{cidr: 192.168.3.0/24}, {cidr: nonsense}], prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [unknown]}]}"),
				configuration(t, "rack-a", 2, "{nodeSelector: {matchLabels: {rack: a}}, serviceExternalIPs: [{cidr: 10.0.0.0/8}]}"),
				configuration(t, "rack-b", 2, "{nodeSelector: {}, asNumber: 64999}"),
			},
			Peers: []v1alpha1.BGPPeer{
				peer(t, "tor-c", 1, "{peerIP: 192.168.1.3, asNumber: 64512}"),
				peer(t, "tor-b", 1, "{peerIP: 192.168.1.1, asNumber: 64512}"),
				peer(t, "tor-a", 2, "{peerIP: 192.168.1.1, asNumber: 64512}"),
				peer(t, "tor-d", 2, "{peerIP: 192.168.1.4, asNumber: 64512, ttlSecurityHops: 1}"),
			},
		}
	}
	want := intent.For(newInput())
	if len(want.Problems) == 0 || len(want.Peers) == 0 {
		t.Fatalf("the input is too simple: %+v", want)
	}
	for seed := range uint64(20) {
		input, random := newInput(), rand.New(rand.NewPCG(seed, 0))
		random.Shuffle(len(input.Configurations), func(i, j int) {
			input.Configurations[i], input.Configurations[j] = input.Configurations[j], input.Configurations[i]
		})
		random.Shuffle(len(input.Peers), func(i, j int) { input.Peers[i], input.Peers[j] = input.Peers[j], input.Peers[i] })
		before := cmp.Diff(newInput(), input, comparers)
		if diff := cmp.Diff(want, intent.For(input), comparers); diff != "" {
			t.Fatalf("shuffled with seed %d (-want +got):\n%s", seed, diff)
		}
		if after := cmp.Diff(newInput(), input, comparers); after != before {
			t.Fatalf("For changed its input: %s", after)
		}
	}
}
