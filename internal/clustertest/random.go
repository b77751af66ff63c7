package clustertest

import (
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
)

// RandomState returns a cluster of a few nodes and objects. Their vocabulary is small, so that they often claim the same.
func RandomState(t *rapid.T) cluster.State {
	state := cluster.State{
		ServiceCIDRs: rapid.SampledFrom([][]netip.Prefix{nil, {netip.MustParsePrefix("10.49.0.0/16")}}).Draw(t, "ServiceCIDRs"),
		Secrets:      rapid.SampledFrom([]map[string]password.Secret{nil, {}, {"tor": Secret("password")}}).Draw(t, "secrets"),
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "nodes") {
		state.Nodes = append(state.Nodes, randomNode(t, i))
	}
	for _, name := range names(t, "configurations", "default", "rack-a", "rack-b") {
		state.Configurations = append(state.Configurations, *RandomConfiguration(t, name))
	}
	for _, name := range names(t, "peers", "tor", "spine", "exit") {
		state.Peers = append(state.Peers, *RandomPeer(t, name))
	}
	for _, name := range names(t, "pools", "one", "two") {
		state.Pools = append(state.Pools, *RandomPool(t, name))
	}
	return state
}

func randomNode(t *rapid.T, i int) intent.Node {
	node := Node(i, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "rack"))
	switch rapid.IntRange(0, 5).Draw(t, "sort of node") {
	case 0:
		node.InternalIPs = node.InternalIPs[:1]
	case 1:
		node.InternalIPs = node.InternalIPs[1:]
	case 2:
		node.Labels[rapid.SampledFrom([]string{intent.ExcludeLabel, intent.MaintenanceLabel}).Draw(t, "label")] = ""
	case 3:
		node.PodCIDRs = nil
	}
	return node
}

// names returns some of the names.
func names(t *rapid.T, what string, all ...string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return rapid.Bool().Draw(t, "no "+what+" "+name) })
}

// RandomPeer returns a BGPPeer of any age, sound or not.
func RandomPeer(t *rapid.T, name string) *v1alpha1.BGPPeer {
	peer := &v1alpha1.BGPPeer{ObjectMeta: randomMeta(t, name)}
	spec := &peer.Spec
	spec.NodeSelector = pick(t, "nodeSelector", nil, selector("a"), selector("b"), selector("c"), &metav1.LabelSelector{}, broken())
	spec.PeerIP = pick(t, "peerIP", "192.168.1.1", "192.168.1.1", "192.168.1.11", "192.168.3.1", "2001:db8:1::1", "2001:db8:1::12", "x")
	spec.PeerPort = pick[int32](t, "peerPort", 0, 179, 1179)
	spec.ASNumber = pick[int64](t, "asNumber", 64512, 64512, 64999, 23456)
	spec.LocalASNumber = pick[int64](t, "localASNumber", 0, 0, 64512, 64700)
	spec.EBGPMultihopTTL = pick[int32](t, "ebgpMultihopTTL", 0, 0, 1, 2)
	spec.AddressFamilies = pick(t, "addressFamilies", nil, nil, []v1alpha1.AddressFamily{v1alpha1.IPv4, v1alpha1.IPv6})
	spec.ConnectionMode = pick(t, "connectionMode", "", "", v1alpha1.ConnectionPassive)
	spec.SourceAddress = pick(t, "sourceAddress", "", "", v1alpha1.SourceAny)
	spec.GracefulRestart.RestartTimeSeconds = pick[int32](t, "restartTimeSeconds", 0, 60)
	spec.Export = randomExport(t)
	if secret := pick(t, "secret", "", "", "", "tor", "other", "herald-webhook-server"); secret != "" {
		spec.Password = &v1alpha1.Password{SecretKeyRef: v1alpha1.SecretKeyRef{Name: secret, Key: pick(t, "key", "password", "other")}}
	}
	return peer
}

func randomExport(t *rapid.T) []v1alpha1.ExportRule {
	one := int64(1)
	three := int32(3)
	return pick(t, "export", nil, nil, nil, []v1alpha1.ExportRule{},
		[]v1alpha1.ExportRule{{Action: v1alpha1.ExportReject}, {Action: v1alpha1.ExportAccept}},
		[]v1alpha1.ExportRule{{Action: v1alpha1.ExportReject, Communities: []v1alpha1.CommunityRef{"blackhole", "1:2"}}},
		[]v1alpha1.ExportRule{{Action: v1alpha1.ExportAccept, Set: &v1alpha1.ExportAttributes{
			AddCommunities: []v1alpha1.CommunityRef{"other"}, LocalPreference: &one, ASPathPrepend: &three,
		}}},
		[]v1alpha1.ExportRule{{Action: v1alpha1.ExportReject, Prefixes: []v1alpha1.PrefixMatch{{CIDR: "10.0.0.0/8", LE: &three}}}},
	)
}

// RandomConfiguration returns a BGPConfiguration of any age, sound or not.
func RandomConfiguration(t *rapid.T, name string) *v1alpha1.BGPConfiguration {
	configuration := &v1alpha1.BGPConfiguration{ObjectMeta: randomMeta(t, name)}
	spec := &configuration.Spec
	if name != v1alpha1.DefaultConfigurationName {
		spec.NodeSelector = pick(t, "nodeSelector", selector("a"), selector("a"), selector("b"), selector("c"), &metav1.LabelSelector{}, broken(), nil)
		spec.RouterID = pick(t, "routerID", "", "", "192.168.1.11", "10.0.0.1")
	}
	spec.ASNumber = pick[int64](t, "asNumber", 0, 0, 64512, 64999, 23456)
	spec.ServiceClusterIPs = randomBlocks(t, "serviceClusterIPs", "10.49.0.0/16", "10.50.0.0/16", "2001:db8:49::/112")
	spec.ServiceExternalIPs = randomBlocks(t, "serviceExternalIPs", "192.168.3.0/24", "192.168.3.0/25", "192.168.1.0/24", "2001:db8:1::/64", "x")
	spec.ServiceLoadBalancerIPs = randomBlocks(t, "serviceLoadBalancerIPs", "192.168.4.0/24", "192.168.3.128/25", "10.244.0.0/16")
	spec.GracefulRestart.Mode = pick(t, "mode", "", "", v1alpha1.Disabled)
	spec.GracefulShutdown.TimeSeconds = pick[*int32](t, "timeSeconds", nil, new(int32(0)), new(int32(61)))
	spec.Communities = pick(t, "communities", nil, nil, []v1alpha1.Community{},
		[]v1alpha1.Community{{Name: "blackhole", Value: "1:666"}}, []v1alpha1.Community{{Name: "other", Value: "x"}})
	if rapid.Bool().Draw(t, "prefixAdvertisements") {
		prepend := pick[int32](t, "asPathPrepend", 0, 2)
		spec.PrefixAdvertisements = []v1alpha1.PrefixAdvertisement{{
			CIDR:          "192.168.3.0/24",
			Communities:   pick(t, "carried", nil, []v1alpha1.CommunityRef{"blackhole"}, []v1alpha1.CommunityRef{"1:2", "other"}),
			ASPathPrepend: &prepend,
		}}
	}
	return configuration
}

// RandomPool returns an ExternalIPPool of any age, sound or not.
func RandomPool(t *rapid.T, name string) *v1alpha1.ExternalIPPool {
	pool := &v1alpha1.ExternalIPPool{ObjectMeta: randomMeta(t, name)}
	pool.Spec.Addresses = pick(t, "addresses",
		[]v1alpha1.AddressRange{"192.168.3.0/24"}, []v1alpha1.AddressRange{"192.168.3.10-192.168.3.20", "192.168.4.1"},
		[]v1alpha1.AddressRange{"2001:db8:1::/64"}, []v1alpha1.AddressRange{"192.168.3.9-192.168.3.1"})
	pool.Spec.Avoid = pick(t, "avoid", nil, nil, []v1alpha1.AddressRange{"192.168.3.0/25"})
	return pool
}

func randomBlocks(t *rapid.T, list string, cidrs ...v1alpha1.CIDR) []v1alpha1.Block {
	if rapid.Bool().Draw(t, list+" absent") {
		return nil
	}
	blocks := []v1alpha1.Block{}
	for _, cidr := range cidrs {
		if rapid.IntRange(0, 2).Draw(t, list) == 0 {
			blocks = append(blocks, v1alpha1.Block{CIDR: cidr})
		}
	}
	return blocks
}

func randomMeta(t *rapid.T, name string) metav1.ObjectMeta {
	return meta(name, rapid.IntRange(0, 2).Draw(t, "age of "+name))
}

func selector(rack string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"rack": rack}}
}

func broken() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "rack", Operator: "Like"}}}
}

func pick[T any](t *rapid.T, field string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, field)
}

// Shuffled returns the state with its lists in another order.
func Shuffled(t *rapid.T, state cluster.State) cluster.State {
	state.Nodes = rapid.Permutation(state.Nodes).Draw(t, "nodes")
	state.Configurations = rapid.Permutation(state.Configurations).Draw(t, "configurations")
	state.Peers = rapid.Permutation(state.Peers).Draw(t, "peers")
	state.Pools = rapid.Permutation(state.Pools).Draw(t, "pools")
	return state
}
