package forecast_test

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
)

// endpoint is an endpoint as Kubernetes has it, not yet counted. It is on no node where node is "".
type endpoint struct {
	node                        string
	family                      bgp.Family
	ready, serving, terminating *bool
}

func (e endpoint) conditions() advertise.Conditions {
	return advertise.Conditions{Ready: e.ready, Serving: e.serving, Terminating: e.terminating}
}

// service is a Service with its endpoints one by one.
type service struct {
	key       advertise.ServiceKey
	spec      advertise.Service
	endpoints []endpoint
}

func (s service) counted() cluster.Service {
	counted := cluster.Service{Key: s.key, Spec: s.spec}
	for _, e := range s.endpoints {
		counted.Endpoints.Add(e.node, e.family, e.conditions())
	}
	return counted
}

func counted(services []service) []cluster.Service {
	var all []cluster.Service
	for _, s := range services {
		all = append(all, s.counted())
	}
	return all
}

// The generators draw from few names, addresses and prefixes, so that objects collide: pod CIDRs with blocks and host
// routes, Services with each other, peers with each other.
var (
	someRacks     = rapid.SampledFrom([]string{"a", "b"})
	someFamilies  = rapid.SampledFrom([]bgp.Family{bgp.IPv4, bgp.IPv6})
	someKinds     = rapid.SampledFrom([]advertise.Kind{advertise.ClusterIP, advertise.ExternalIP, advertise.LoadBalancerIP})
	somePolicies  = rapid.SampledFrom([]advertise.Policy{advertise.Cluster, advertise.Local})
	someAddresses = rapid.Map(rapid.SampledFrom([]string{
		"10.0.0.1", "10.0.0.2", "10.0.1.1", "2001:db8::1", "2001:db8::2", "10.1.0.1",
	}), netip.MustParseAddr)
	somePrefixes = rapid.SampledFrom([]string{
		"10.0.0.0/16", "10.0.0.0/24", "10.0.0.1/32", "10.0.0.0/8", "2001:db8::/48", "2001:db8::/64", "2001:db8::1/128", "2001:db8::/32",
	})
	someBlocks = rapid.Custom(func(t *rapid.T) v1alpha1.Block {
		return v1alpha1.Block{
			CIDR:        v1alpha1.CIDR(somePrefixes.Draw(t, "cidr")),
			Aggregation: rapid.SampledFrom([]v1alpha1.Mode{"", v1alpha1.Disabled}).Draw(t, "aggregation"),
		}
	})
	someModes       = rapid.SampledFrom([]v1alpha1.Mode{"", v1alpha1.Enabled, v1alpha1.Disabled})
	someASNs        = rapid.SampledFrom([]int64{0, 64512, 65001, 65002})
	someConditions  = rapid.SampledFrom([]*bool{nil, new(true), new(true), new(false)})
	someServiceKeys = rapid.Custom(func(t *rapid.T) advertise.ServiceKey {
		return advertise.ServiceKey{
			Namespace: rapid.SampledFrom([]string{"default", "shop"}).Draw(t, "namespace"),
			Name:      rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"),
		}
	})
)

// someSelectors draws a selector, absent, of a rack, of every node, or broken.
var someSelectors = rapid.Custom(func(t *rapid.T) *metav1.LabelSelector {
	switch rapid.IntRange(0, 11).Draw(t, "selector") {
	case 0, 1, 2:
		return nil
	case 3, 4, 5:
		return &metav1.LabelSelector{}
	case 6:
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "rack", Operator: "Near"}}}
	default:
		return &metav1.LabelSelector{MatchLabels: map[string]string{"rack": someRacks.Draw(t, "rack")}}
	}
})

func rarely(t *rapid.T, what string) bool { return rapid.IntRange(0, 19).Draw(t, what) == 7 }

// someMeta draws an object's age, on which it depends which one of two holds.
func someMeta(t *rapid.T, name string) metav1.ObjectMeta {
	age := rapid.IntRange(0, 2).Draw(t, "created")
	return metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Date(2026, 11, 24, 0, age, 0, 0, time.UTC))}
}

func drawNode(t *rapid.T, name string) intent.Node {
	n := intent.Node{Name: name, Labels: map[string]string{"rack": someRacks.Draw(t, "rack")}, Deleting: rarely(t, "deleting")}
	if rarely(t, "excluded") {
		n.Labels[intent.ExcludeLabel] = rapid.SampledFrom([]string{"", "true", "false"}).Draw(t, "exclude label")
	}
	last := name[len(name)-1:]
	if !rarely(t, "no IPv4") {
		n.InternalIPs = append(n.InternalIPs, netip.MustParseAddr("192.168.1."+last))
	}
	if rapid.Bool().Draw(t, "IPv6") {
		n.InternalIPs = append(n.InternalIPs, netip.MustParseAddr("2001:db8:1::"+last))
	}
	n.PodCIDRs = append(n.PodCIDRs, netip.MustParsePrefix("10.244."+last+".0/24"))
	if rarely(t, "pod CIDR of a block") {
		n.PodCIDRs = append(n.PodCIDRs, netip.MustParsePrefix(somePrefixes.Draw(t, "pod CIDR")))
	}
	return n
}

func drawConfiguration(t *rapid.T, name string) *v1alpha1.BGPConfiguration {
	isDefault := name == v1alpha1.DefaultConfigurationName
	blocks := func(what string) []v1alpha1.Block {
		if isDefault && rarely(t, what+" absent") || !isDefault && !rarely(t, what+" given") {
			return nil
		}
		return rapid.SliceOfNDistinct(someBlocks, rapid.IntRange(0, 3).Draw(t, "at least"), 4, func(b v1alpha1.Block) v1alpha1.CIDR { return b.CIDR }).Draw(t, what)
	}
	c := &v1alpha1.BGPConfiguration{ObjectMeta: someMeta(t, name)}
	c.Spec = v1alpha1.BGPConfigurationSpec{
		ASNumber:               someASNs.Draw(t, "asNumber"),
		ServiceClusterIPs:      blocks("serviceClusterIPs"),
		ServiceExternalIPs:     blocks("serviceExternalIPs"),
		ServiceLoadBalancerIPs: blocks("serviceLoadBalancerIPs"),
		PodCIDRAdvertisement:   someModes.Draw(t, "podCIDRAdvertisement"),
		GracefulRestart:        v1alpha1.GracefulRestart{Mode: someModes.Draw(t, "graceful restart")},
	}
	if !isDefault {
		c.Spec.NodeSelector = someSelectors.Draw(t, "nodeSelector")
		c.Spec.RouterID = rapid.SampledFrom([]string{"", "", "", "10.9.9.9", "wrong"}).Draw(t, "routerID")
	}
	if rapid.Bool().Draw(t, "communities") {
		c.Spec.Communities = []v1alpha1.Community{{Name: "named", Value: rapid.SampledFrom([]string{"64512:1", "64512:2"}).Draw(t, "value")}}
	}
	if rapid.Bool().Draw(t, "prefixAdvertisements") {
		c.Spec.PrefixAdvertisements = []v1alpha1.PrefixAdvertisement{{
			CIDR:          v1alpha1.CIDR(somePrefixes.Draw(t, "cidr")),
			Communities:   []v1alpha1.CommunityRef{rapid.SampledFrom([]v1alpha1.CommunityRef{"64512:1", "64512:2", "named", "unknown"}).Draw(t, "community")},
			ASPathPrepend: rapid.SampledFrom([]*int32{nil, new(int32(2))}).Draw(t, "asPathPrepend"),
		}}
	}
	return c
}

func drawPeer(t *rapid.T, name string) *v1alpha1.BGPPeer {
	p := &v1alpha1.BGPPeer{ObjectMeta: someMeta(t, name)}
	p.Spec = v1alpha1.BGPPeerSpec{
		NodeSelector:  someSelectors.Draw(t, "nodeSelector"),
		PeerIP:        rapid.SampledFrom([]string{"192.168.1.251", "192.168.1.252", "192.168.1.253", "2001:db8:1::251"}).Draw(t, "peerIP"),
		ASNumber:      someASNs.Filter(func(asn int64) bool { return asn != 0 }).Draw(t, "asNumber"),
		LocalASNumber: rapid.SampledFrom([]int64{0, 0, 0, 64700}).Draw(t, "localASNumber"),
		SourceAddress: rapid.SampledFrom([]v1alpha1.SourceAddress{"", "", v1alpha1.SourceAny}).Draw(t, "sourceAddress"),
		// One second is below what is allowed, so that the peer is not run.
		HoldTimeSeconds:         rapid.SampledFrom([]int32{0, 0, 0, 0, 30, 30, 1}).Draw(t, "holdTimeSeconds"),
		ConnectRetryTimeSeconds: rapid.SampledFrom([]int32{0, 10}).Draw(t, "connectRetryTimeSeconds"),
		AddressFamilies: rapid.SampledFrom([][]v1alpha1.AddressFamily{
			nil, {v1alpha1.IPv4}, {v1alpha1.IPv6}, {v1alpha1.IPv4, v1alpha1.IPv6},
		}).Draw(t, "addressFamilies"),
	}
	if rapid.Bool().Draw(t, "export") {
		p.Spec.Export = rapid.SliceOfN(someExportRules, 1, 3).Draw(t, "export rules")
	}
	return p
}

// someExportRules draws rules of which some can't be: an le below the cidr's length, a name without a value, attributes that
// the session has no place for.
var someExportRules = rapid.Custom(func(t *rapid.T) v1alpha1.ExportRule {
	rule := v1alpha1.ExportRule{
		Action: rapid.SampledFrom([]v1alpha1.ExportAction{v1alpha1.ExportAccept, v1alpha1.ExportReject}).Draw(t, "action"),
		Kinds: rapid.SampledFrom([][]v1alpha1.AdvertisementKind{
			nil, nil, {v1alpha1.KindClusterIP}, {v1alpha1.KindExternalIP}, {v1alpha1.KindLoadBalancerIP, v1alpha1.KindPodCIDR}, {v1alpha1.KindPodCIDR},
		}).Draw(t, "kinds"),
		Communities: rapid.SampledFrom([][]v1alpha1.CommunityRef{nil, nil, nil, {"64512:1"}, {"64512:2"}, {"named"}, {"unknown"}}).Draw(t, "communities"),
	}
	for _, cidr := range rapid.SliceOfN(somePrefixes, 0, 2).Draw(t, "prefixes") {
		rule.Prefixes = append(rule.Prefixes, v1alpha1.PrefixMatch{
			CIDR: v1alpha1.CIDR(cidr), GE: rapid.SampledFrom([]*int32{nil, nil, new(int32(32))}).Draw(t, "ge"),
			LE: rapid.SampledFrom([]*int32{nil, new(int32(32)), new(int32(32)), new(int32(24))}).Draw(t, "le"),
		})
	}
	if rule.Action == v1alpha1.ExportAccept && rapid.Bool().Draw(t, "set") {
		rule.Set = &v1alpha1.ExportAttributes{
			AddCommunities: []v1alpha1.CommunityRef{"named"}, LocalPreference: new(int64(1)), ASPathPrepend: new(int32(1)),
		}
	}
	return rule
})

func drawService(t *rapid.T, key advertise.ServiceKey) service {
	types := []advertise.ServiceType{advertise.TypeClusterIP, advertise.TypeNodePort, advertise.TypeLoadBalancer}
	if rarely(t, "no addresses of its own") {
		types = []advertise.ServiceType{"ExternalName"}
	}
	s := service{key: key, spec: advertise.Service{
		Type:                  rapid.SampledFrom(types).Draw(t, "type"),
		Headless:              rarely(t, "headless"),
		Deleting:              rarely(t, "deleting"),
		ExternalTrafficPolicy: somePolicies.Draw(t, "externalTrafficPolicy"),
		InternalTrafficPolicy: somePolicies.Draw(t, "internalTrafficPolicy"),
		Addresses: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) advertise.Address {
			return advertise.Address{Addr: someAddresses.Draw(t, "address"), Kind: someKinds.Draw(t, "kind")}
		}), 1, 4).Draw(t, "addresses"),
	}}
	for range rapid.IntRange(1, 6).Draw(t, "endpoints") {
		s.endpoints = append(s.endpoints, endpoint{
			node:        rapid.SampledFrom([]string{"node-1", "node-2", "node-3", "node-4", ""}).Draw(t, "node"),
			family:      someFamilies.Draw(t, "family"),
			ready:       someConditions.Draw(t, "ready"),
			serving:     someConditions.Draw(t, "serving"),
			terminating: someConditions.Draw(t, "terminating"),
		})
	}
	return s
}

var (
	configurationNames = []string{v1alpha1.DefaultConfigurationName, "overlay-1", "overlay-2"}
	peerNames          = []string{"tor-1", "tor-2", "tor-3"}
)

// drawCluster draws a cluster, whose Services are returned with their endpoints one by one.
func drawCluster(t *rapid.T) (cluster.State, []service) {
	var state cluster.State
	for _, name := range []string{"node-1", "node-2", "node-3"} {
		state.Nodes = append(state.Nodes, drawNode(t, name))
	}
	for i, name := range configurationNames {
		if i == 0 && !rarely(t, "no default") || i > 0 && rapid.IntRange(0, 2).Draw(t, name) == 2 {
			state = state.WithConfiguration(drawConfiguration(t, name))
		}
	}
	for i, name := range peerNames {
		if i == 0 || rapid.Bool().Draw(t, name) {
			state = state.WithPeer(drawPeer(t, name))
		}
	}
	var services []service
	for _, key := range rapid.SliceOfNDistinct(someServiceKeys, 1, 5, rapid.ID[advertise.ServiceKey]).Draw(t, "Services") {
		services = append(services, drawService(t, key))
	}
	state.Services = counted(services)
	return state, services
}

// drawChange draws what a request to the API server may change, or what else may have changed when it is asked about.
func drawChange(t *rapid.T, before cluster.State) cluster.State {
	configuration := rapid.SampledFrom(configurationNames).Draw(t, "configuration")
	peer := rapid.SampledFrom(peerNames).Draw(t, "peer")
	switch rapid.IntRange(0, 11).Draw(t, "change") {
	case 10, 11:
		return withOtherExport(t, before, peer)
	case 0, 1:
		return before.WithConfiguration(drawConfiguration(t, configuration))
	case 2, 3:
		return before.WithPeer(drawPeer(t, peer))
	case 4:
		return before.WithoutConfiguration(configuration)
	case 5:
		return before.WithoutPeer(peer)
	case 6, 7, 8:
		return edited(t, before, configuration)
	default:
		before.Nodes = slices.Clone(before.Nodes)
		i := rapid.IntRange(0, len(before.Nodes)-1).Draw(t, "node")
		if rapid.Bool().Draw(t, "gone") {
			before.Nodes = slices.Delete(before.Nodes, i, i+1)
			return before
		}
		before.Nodes[i] = drawNode(t, before.Nodes[i].Name)
		return before
	}
}

// withOtherExport changes a peer's export rules alone.
func withOtherExport(t *rapid.T, before cluster.State, name string) cluster.State {
	i := slices.IndexFunc(before.Peers, func(p v1alpha1.BGPPeer) bool { return p.Name == name })
	if i < 0 {
		return before
	}
	p := before.Peers[i].DeepCopy()
	p.Spec.Export = rapid.SliceOfN(someExportRules, 0, 3).Draw(t, "export rules")
	return before.WithPeer(p)
}

// edited changes one field of a configuration, as people do.
func edited(t *rapid.T, before cluster.State, name string) cluster.State {
	old := before.Configuration(name)
	if old == nil {
		return before
	}
	c := old.DeepCopy()
	switch lists := []*[]v1alpha1.Block{&c.Spec.ServiceClusterIPs, &c.Spec.ServiceExternalIPs, &c.Spec.ServiceLoadBalancerIPs}; rapid.IntRange(0, 3).Draw(t, "edit") {
	case 0:
		c.Spec.ASNumber = someASNs.Draw(t, "asNumber")
	case 1:
		c.Spec.PodCIDRAdvertisement = someModes.Draw(t, "podCIDRAdvertisement")
	default:
		list := rapid.SampledFrom(lists).Draw(t, "list")
		if len(*list) == 0 {
			*list = []v1alpha1.Block{someBlocks.Draw(t, "block")}
			break
		}
		i := rapid.IntRange(0, len(*list)-1).Draw(t, "block")
		*list = slices.Delete(*list, i, i+1)
	}
	return before.WithConfiguration(c)
}

// described prints what a failure is about.
func described(before, after cluster.State) string {
	return fmt.Sprintf("before: %+v\nafter: configurations %+v\npeers %+v", before, after.Configurations, after.Peers)
}
