package crosscheck_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
)

// everyFinding returns all that one check finds in a state, by object.
func everyFinding(state cluster.State) map[crosscheck.Object][]crosscheck.Finding {
	check := crosscheck.In(state)
	found := map[crosscheck.Object][]crosscheck.Finding{}
	for i := range state.Peers {
		found[crosscheck.Object{Kind: intent.KindBGPPeer, Name: state.Peers[i].Name}] = check.Peer(&state.Peers[i])
	}
	for i := range state.Configurations {
		object := crosscheck.Object{Kind: intent.KindBGPConfiguration, Name: state.Configurations[i].Name}
		found[object] = check.Configuration(&state.Configurations[i])
	}
	for i := range state.Pools {
		found[crosscheck.Object{Kind: crosscheck.KindExternalIPPool, Name: state.Pools[i].Name}] = check.Pool(&state.Pools[i])
	}
	return found
}

// everything returns all that one check finds in a state, as text, by object.
func everything(state cluster.State) map[string][]string {
	texts := map[string][]string{}
	for object, findings := range everyFinding(state) {
		texts[object.Kind+" "+object.Name] = lines(findings)
	}
	return texts
}

func TestTheOrderOfAStateMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := clustertest.RandomState(t)
		if diff := cmp.Diff(everything(state), everything(clustertest.Shuffled(t, state))); diff != "" {
			t.Fatalf("findings (-in one order +in another):\n%s", diff)
		}
	})
}

func TestACheckThatIsSharedFindsWhatOneForEachObjectFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := clustertest.RandomState(t)
		shared := everything(state)
		for i := range state.Peers {
			peer := &state.Peers[i]
			alone := lines(crosscheck.In(state.WithoutPeer(peer.Name)).Peer(peer))
			if diff := cmp.Diff(shared["BGPPeer "+peer.Name], alone); diff != "" {
				t.Fatalf("findings (-shared +alone):\n%s", diff)
			}
		}
		for i := range state.Configurations {
			configuration := &state.Configurations[i]
			alone := lines(crosscheck.In(state.WithoutConfiguration(configuration.Name)).Configuration(configuration))
			if diff := cmp.Diff(shared["BGPConfiguration "+configuration.Name], alone); diff != "" {
				t.Fatalf("findings (-shared +alone):\n%s", diff)
			}
		}
	})
}

// Whatever an agent would report of an object is found here too, in the same words and on the same node.
func TestWhatAgentsReportIsFound(t *testing.T) {
	reported := 0
	rapid.Check(t, func(t *rapid.T) {
		state := clustertest.RandomState(t)
		check := crosscheck.In(state)
		for _, node := range state.Nodes {
			for _, problem := range state.Intent(node).Problems {
				reported++
				if !slices.ContainsFunc(findingsOf(check, state, problem.Object), func(f crosscheck.Finding) bool { return says(f, problem, node.Name) }) {
					t.Fatalf("%s reports %s (%s), which is not found", node.Name, problem, problem.Reason)
				}
			}
		}
	})
	if reported == 0 {
		t.Error("no agent reported anything")
	}
}

func findingsOf(check *crosscheck.Check, state cluster.State, object intent.Object) []crosscheck.Finding {
	if object.Kind == intent.KindBGPConfiguration {
		return check.Configuration(state.Configuration(object.Name))
	}
	i := slices.IndexFunc(state.Peers, func(p v1alpha1.BGPPeer) bool { return p.Name == object.Name })
	return check.Peer(&state.Peers[i])
}

// says reports whether a finding is what a node reports.
func says(f crosscheck.Finding, problem intent.Problem, node string) bool {
	sameWords := f.ErrorBody() == problem.Message || f.Detail == problem.Message || problem.Reason == v1alpha1.ReasonPrependIgnored
	onNode := len(f.Nodes) == 0 || slices.Contains(f.Nodes, node)
	isRefused := !f.Warning || problem.Condition != v1alpha1.ConditionAccepted
	return f.Field == problem.Field && f.Reason == problem.Reason && sameWords && onNode && isRefused
}

func TestNothingIsWorseThanItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := clustertest.RandomState(t)
		check := crosscheck.In(state)
		for i := range state.Peers {
			found := check.Peer(&state.Peers[i])
			if worse, rest := crosscheck.Worse(found, found); len(worse) > 0 || len(rest) != len(found) {
				t.Fatalf("worse: %v", lines(worse))
			}
		}
		for i := range state.Pools {
			found := check.Pool(&state.Pools[i])
			if worse, rest := crosscheck.Worse(found, found); len(worse) > 0 || len(rest) != len(found) {
				t.Fatalf("worse: %v", lines(worse))
			}
		}
	})
}

func TestWhatAChangeBringsUponOthersIsAllThatIsWorseAboutThem(t *testing.T) {
	brought := 0
	rapid.Check(t, func(t *rapid.T) {
		before := clustertest.RandomState(t)
		after, changed := randomChange(t, before)
		was, will := everyFinding(before), everyFinding(after)
		want := map[crosscheck.Object][]string{}
		for object, findings := range will {
			former, isInBoth := was[object]
			if worse, _ := crosscheck.Worse(former, findings); isInBoth && object != changed && len(worse) > 0 {
				want[object] = lines(worse)
			}
		}
		got := map[crosscheck.Object][]string{}
		for _, b := range crosscheck.BroughtUpon(crosscheck.In(before), crosscheck.In(after), changed) {
			got[b.Object] = lines(b.Findings)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("brought upon others (-want +got):\n%s", diff)
		}
		brought += len(got)
	})
	if brought == 0 {
		t.Error("no change brought anything upon another object")
	}
}

// randomChange changes, adds or removes a BGPPeer or a BGPConfiguration.
func randomChange(t *rapid.T, state cluster.State) (cluster.State, crosscheck.Object) {
	isRemoval := rapid.IntRange(0, 3).Draw(t, "removal") == 0
	if rapid.Bool().Draw(t, "peer or configuration") {
		peer := clustertest.RandomPeer(t, rapid.SampledFrom([]string{"tor", "spine"}).Draw(t, "changed"))
		changed := crosscheck.Object{Kind: intent.KindBGPPeer, Name: peer.Name}
		if isRemoval {
			return state.WithoutPeer(peer.Name), changed
		}
		return state.WithPeer(peer), changed
	}
	configuration := clustertest.RandomConfiguration(t, rapid.SampledFrom([]string{"default", "rack-a"}).Draw(t, "changed"))
	changed := crosscheck.Object{Kind: intent.KindBGPConfiguration, Name: configuration.Name}
	if isRemoval {
		return state.WithoutConfiguration(configuration.Name), changed
	}
	return state.WithConfiguration(configuration), changed
}

// racks returns a cluster of racks of 40 nodes, each with two peers of its own, two peers for all nodes and some overlays.
func racks(nodes int) cluster.State {
	const size = 40
	state := cluster.State{Secrets: map[string]password.Secret{}}
	for i := range nodes {
		node := clustertest.Node(i%250, fmt.Sprintf("rack-%d", i/size))
		node.Name = fmt.Sprintf("node-%d", i)
		node.Labels["kubernetes.io/hostname"] = node.Name
		node.InternalIPs = []netip.Addr{netip.AddrFrom4([4]byte{10, 3, byte(i / 256), byte(i)}), netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%x", 2*i))}
		node.PodCIDRs = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + i/256), byte(i), 0}), 24)}
		state.Nodes = append(state.Nodes, node)
	}
	return state
}

func BenchmarkPeerOf5000Nodes(b *testing.B) {
	state := largeState(b)
	peer := clustertest.Peer(b, "new", 0, "{peerIP: 10.1.9.9, asNumber: 64512}")
	for b.Loop() {
		crosscheck.In(state).Peer(&peer)
	}
}

func BenchmarkConfigurationOf5000Nodes(b *testing.B) {
	state := largeState(b)
	base := clustertest.Configuration(b, "default", 1, "{asNumber: 64999, serviceExternalIPs: [{cidr: 172.16.0.0/12}, {cidr: 192.168.0.0/16}]}")
	for b.Loop() {
		crosscheck.In(state).Configuration(&base)
	}
}

func BenchmarkAllObjectsOf5000Nodes(b *testing.B) {
	state := largeState(b)
	for b.Loop() {
		everything(state)
	}
}

func largeState(b *testing.B) cluster.State {
	b.Helper()
	state := racks(5000)
	for i := range 125 {
		for j := range 2 {
			state.Peers = append(state.Peers, clustertest.Peer(b, fmt.Sprintf("tor-%d-%d", i, j), 1,
				fmt.Sprintf("{peerIP: 10.1.%d.%d, asNumber: 64512, nodeSelector: {matchLabels: {rack: rack-%d}}}", i, j, i)))
		}
	}
	for i := range 2 {
		state.Peers = append(state.Peers, clustertest.Peer(b, fmt.Sprintf("spine-%d", i), 1, fmt.Sprintf("{peerIP: 10.2.0.%d, asNumber: 64512}", i)))
	}
	for i := range 5 {
		state.Configurations = append(state.Configurations, clustertest.Configuration(b, fmt.Sprintf("overlay-%d", i), 1,
			fmt.Sprintf("{nodeSelector: {matchLabels: {rack: rack-%d}}, asNumber: %d}", i, 65000+i)))
	}
	state.Configurations = append(state.Configurations, clustertest.Configuration(b, "default", 1, "{serviceExternalIPs: [{cidr: 172.16.0.0/12}]}"))
	return state
}
