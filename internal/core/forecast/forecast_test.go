package forecast_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/forecast"
	"github.com/herald-network/herald/internal/core/intent"
)

// created gives objects their age: number 1 is the oldest.
func created(name string, number int) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Date(2026, 11, 24, 0, number, 0, 0, time.UTC))}
}

func configuration(name string, age int, spec string) *v1alpha1.BGPConfiguration {
	c := &v1alpha1.BGPConfiguration{ObjectMeta: created(name, age)}
	unmarshal(spec, &c.Spec)
	return c
}

func peer(name string, age int, spec string) *v1alpha1.BGPPeer {
	p := &v1alpha1.BGPPeer{ObjectMeta: created(name, age)}
	unmarshal(spec, &p.Spec)
	return p
}

func unmarshal(spec string, into any) {
	if err := yaml.UnmarshalStrict([]byte(spec), into); err != nil {
		panic(fmt.Sprintf("spec %q: %v", spec, err))
	}
}

// newNode returns a dual-stack node.
func newNode(number int, rack string) intent.Node {
	return intent.Node{
		Name:        fmt.Sprintf("node-%d", number),
		Labels:      map[string]string{"rack": rack},
		InternalIPs: []netip.Addr{netip.MustParseAddr(fmt.Sprintf("192.168.1.1%d", number)), netip.MustParseAddr(fmt.Sprintf("2001:db8:1::1%d", number))},
		PodCIDRs:    []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.244.%d.0/24", number))},
	}
}

// newService returns a Service with one external IP and a ready endpoint on each of the nodes.
func newService(namespace, name, address string, policy advertise.Policy, nodes ...string) cluster.Service {
	s := cluster.Service{
		Key: advertise.ServiceKey{Namespace: namespace, Name: name},
		Spec: advertise.Service{
			Type:                  advertise.TypeClusterIP,
			ExternalTrafficPolicy: policy,
			Addresses:             []advertise.Address{{Addr: netip.MustParseAddr(address), Kind: advertise.ExternalIP}},
		},
	}
	for _, node := range nodes {
		s.Endpoints.Add(node, bgp.FamilyOf(s.Spec.Addresses[0].Addr), advertise.Conditions{})
	}
	return s
}

func with(s cluster.Service, kind advertise.Kind, address string) cluster.Service {
	s.Spec.Addresses = append(slices.Clone(s.Spec.Addresses), advertise.Address{Addr: netip.MustParseAddr(address), Kind: kind})
	return s
}

const (
	baseSpec = "{serviceClusterIPs: [{cidr: 10.49.0.0/16}], serviceExternalIPs: [{cidr: 192.168.3.0/24, aggregation: Disabled}]}"
	torSpec  = "{peerIP: 192.168.1.1, asNumber: 65000}"
	rackA    = "nodeSelector: {matchLabels: {rack: a}}"
)

// newCluster has the nodes 1 and 2 in rack a and 3 in rack b, one peer, and Services with a host route each: nginx from
// every node, cart from node-1 and node-3, mail from node-3. Shell has a cluster IP too, under the aggregate.
func newCluster() cluster.State {
	return cluster.State{
		Nodes: []intent.Node{newNode(3, "b"), newNode(1, "a"), newNode(2, "a")},
		Services: []cluster.Service{
			newService("shop", "mail", "192.168.3.3", advertise.Local, "node-3"),
			newService("default", "nginx", "192.168.3.1", advertise.Cluster, "node-1"),
			newService("shop", "cart", "192.168.3.2", advertise.Local, "node-1", "node-3"),
			with(newService("default", "shell", "192.168.3.4", advertise.Cluster, "node-2"), advertise.ClusterIP, "10.49.0.4"),
		},
	}.WithConfiguration(configuration("default", 1, baseSpec)).WithPeer(peer("tor", 1, torSpec))
}

func unchanged(s cluster.State) cluster.State { return s }

func put(c *v1alpha1.BGPConfiguration) func(cluster.State) cluster.State {
	return func(s cluster.State) cluster.State { return s.WithConfiguration(c) }
}

func putPeer(name string, age int, spec string) func(cluster.State) cluster.State {
	return func(s cluster.State) cluster.State { return s.WithPeer(peer(name, age, spec)) }
}

// putBase gives the base some fields more, or others.
func putBase(spec string) func(cluster.State) cluster.State {
	return put(configuration("default", 1, spec))
}

func withBase(fields string) string { return strings.TrimSuffix(baseSpec, "}") + ", " + fields + "}" }

// warningRows say what a change makes of newCluster, once given has made it what the row is about.
var warningRows = map[string]struct {
	given, change func(cluster.State) cluster.State
	want          []string
}{
	"nothing": {unchanged, unchanged, nil},
	"a block more": {
		unchanged, putBase(withBase("serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24}]")), nil,
	},
	"a second peer": {
		unchanged, putPeer("spine", 2, "{peerIP: 192.168.1.2, asNumber: 65000}"), nil,
	},
	"attributes": {
		unchanged, putBase(withBase("prefixAdvertisements: [{cidr: 192.168.3.0/24, med: 10}]")), nil,
	},
	"a field of a peer that no session notices": {
		unchanged, putPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 65000, connectRetryTimeSeconds: 30}"), nil,
	},

	"export rules that let everything out": {
		unchanged, putPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 65000, export: [{action: Accept, set: {med: 1}}]}"), nil,
	},
	"export rules that keep host routes from the only peer": {
		unchanged, putPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 65000, export: [{action: Reject, prefixes: [{cidr: 192.168.3.0/24, ge: 32}]}]}"),
		[]string{
			`this change withdraws 192.168.3.1/32 and 1 other prefix from 3 nodes`,
			`this change withdraws 192.168.3.2/32 and 1 other prefix, each from one or more of 2 nodes`,
			`this change withdraws the last routes to addresses of 4 Services: default/nginx, default/shell, shop/cart, shop/mail`,
		},
	},
	"export rules that keep an aggregate from one of two peers": {
		putPeer("spine", 2, "{peerIP: 192.168.1.2, asNumber: 65000}"),
		putPeer("spine", 2, "{peerIP: 192.168.1.2, asNumber: 65000, export: [{action: Reject, kinds: [ClusterIP]}]}"),
		[]string{`this change withdraws 10.49.0.0/16 from 3 nodes on the sessions with BGPPeer "spine" alone`},
	},
	"export rules that no longer let out what another peer never had": {
		putPeer("spine", 2, "{peerIP: 192.168.1.2, asNumber: 65000, export: [{action: Reject}]}"),
		putPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 65000, export: [{action: Reject, kinds: [ClusterIP]}]}"),
		[]string{
			`this change withdraws 10.49.0.0/16 from 3 nodes`,
			`this change withdraws the last routes to addresses of Service default/shell`,
		},
	},
	"a community of export rules gets another value": {
		func(s cluster.State) cluster.State {
			s = putBase(withBase(`communities: [{name: inside, value: "1:1"}], prefixAdvertisements: [{cidr: 192.168.3.3/32, communities: ["1:2"]}]`))(s)
			return putPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 65000, export: [{action: Reject, communities: [inside]}]}")(s)
		},
		putBase(withBase(`communities: [{name: inside, value: "1:2"}], prefixAdvertisements: [{cidr: 192.168.3.3/32, communities: ["1:2"]}]`)),
		[]string{
			`this change withdraws 192.168.3.3/32 from 1 node`,
			`this change withdraws the last routes to addresses of Service shop/mail`,
		},
	},

	"default is deleted": {
		unchanged, func(s cluster.State) cluster.State { return s.WithoutConfiguration("default") },
		[]string{
			`this change withdraws 10.49.0.0/16 and 2 other prefixes from 3 nodes`,
			`this change withdraws 192.168.3.2/32 and 1 other prefix, each from one or more of 2 nodes`,
			`this change withdraws the last routes to addresses of 4 Services: default/nginx, default/shell, shop/cart, shop/mail`,
		},
	},
	"a block without Services is removed": {
		func(s cluster.State) cluster.State {
			return putBase(withBase("serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24}]"))(s)
		},
		putBase(baseSpec),
		[]string{`this change withdraws 192.168.4.0/24 from 3 nodes`},
	},
	"a block of one Service is removed, which has another address": {
		unchanged, putBase("{serviceExternalIPs: [{cidr: 192.168.3.0/24, aggregation: Disabled}]}"),
		[]string{
			`this change withdraws 10.49.0.0/16 from 3 nodes`,
			`this change withdraws the last routes to addresses of Service default/shell`,
		},
	},
	"an aggregate takes the place of host routes": {
		unchanged, putBase("{serviceClusterIPs: [{cidr: 10.49.0.0/16}], serviceExternalIPs: [{cidr: 192.168.3.0/24}]}"),
		[]string{`this change withdraws 192.168.3.1/32 and 1 other prefix from 3 nodes`},
	},
	"host routes take the place of an aggregate": {
		unchanged, putBase("{serviceClusterIPs: [{cidr: 10.49.0.0/16, aggregation: Disabled}], serviceExternalIPs: [{cidr: 192.168.3.0/24, aggregation: Disabled}]}"),
		[]string{`this change withdraws 10.49.0.0/16 from 3 nodes`},
	},
	"pod CIDRs are not advertised any more": {
		putBase(withBase("podCIDRAdvertisement: Enabled")), putBase(baseSpec),
		[]string{`this change withdraws 10.244.1.0/24 and 2 other prefixes, each from one of 3 nodes`},
	},
	"a pod CIDR that is a block too stays": {
		putBase("{serviceClusterIPs: [{cidr: 10.244.1.0/24}], podCIDRAdvertisement: Enabled}"), putBase("{serviceClusterIPs: [{cidr: 10.244.1.0/24}]}"),
		[]string{`this change withdraws 10.244.2.0/24 and 1 other prefix, each from one of 2 nodes`},
	},
	"an overlay narrows what two nodes may advertise": {
		unchanged, put(configuration("rack-a", 2, "{"+rackA+", serviceClusterIPs: [], serviceExternalIPs: [{cidr: 192.168.3.1/32}]}")),
		[]string{
			`this change withdraws 10.49.0.0/16 and 1 other prefix from 2 nodes`,
			`this change withdraws 192.168.3.2/32 from 1 node`,
		},
	},
	"an overlay that widens takes nothing": {
		unchanged, put(configuration("rack-a", 2, "{"+rackA+", serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24}]}")), nil,
	},

	"the only peer is deleted": {
		unchanged, func(s cluster.State) cluster.State { return s.WithoutPeer("tor") },
		[]string{
			`this change withdraws 10.49.0.0/16 and 2 other prefixes from 3 nodes`,
			`this change withdraws 192.168.3.2/32 and 1 other prefix, each from one or more of 2 nodes`,
			`this change withdraws the last routes to addresses of 4 Services: default/nginx, default/shell, shop/cart, shop/mail`,
			`this change closes the sessions of 3 nodes with BGPPeer "tor"`,
		},
	},
	"one of two peers is deleted": {
		putPeer("spine", 2, "{peerIP: 192.168.1.2, asNumber: 65000}"), func(s cluster.State) cluster.State { return s.WithoutPeer("tor") },
		[]string{`this change closes the sessions of 3 nodes with BGPPeer "tor"`},
	},
	"a peer loses the nodes of a rack": {
		unchanged, putPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 65000, "+rackA+"}"),
		[]string{
			`this change withdraws 10.49.0.0/16 and 4 other prefixes from 1 node`,
			`this change withdraws the last routes to addresses of Service shop/mail`,
			`this change closes the session of 1 node with BGPPeer "tor"`,
		},
	},
	"a peer is made one of another family's routes": {
		unchanged, putPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 65000, addressFamilies: [IPv6]}"),
		[]string{
			`this change withdraws 10.49.0.0/16 and 2 other prefixes from 3 nodes`,
			`this change withdraws 192.168.3.2/32 and 1 other prefix, each from one or more of 2 nodes`,
			`this change withdraws the last routes to addresses of 4 Services: default/nginx, default/shell, shop/cart, shop/mail`,
			`this change resets the sessions of 3 nodes with BGPPeer "tor"`,
		},
	},
	"a peer is given another AS": {
		unchanged, putPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 65001}"),
		[]string{`this change resets the sessions of 3 nodes with BGPPeer "tor"`},
	},
	"the nodes are given another AS, but one overlay has its own": {
		func(s cluster.State) cluster.State {
			s = put(configuration("rack-a", 2, "{"+rackA+", asNumber: 65010}"))(s)
			return putPeer("spine", 2, "{peerIP: 192.168.1.2, asNumber: 65000, localASNumber: 64700}")(s)
		},
		putBase(withBase("asNumber: 65020")),
		[]string{`this change resets the session of 1 node with BGPPeer "tor"`},
	},
	"graceful restart is turned off": {
		putPeer("spine", 2, "{peerIP: 192.168.1.2, asNumber: 65000}"), putBase(withBase("gracefulRestart: {mode: Disabled}")),
		[]string{
			`this change resets the sessions of 3 nodes with BGPPeer "spine"`,
			`this change resets the sessions of 3 nodes with BGPPeer "tor"`,
		},
	},
	"an older peer of the same address comes to run": {
		putPeer("spine", 3, "{peerIP: 192.168.1.1, asNumber: 65000, "+rackA+"}"), func(s cluster.State) cluster.State { return s.WithoutPeer("tor") },
		[]string{
			`this change withdraws 10.49.0.0/16 and 4 other prefixes from 1 node`,
			`this change withdraws the last routes to addresses of Service shop/mail`,
			`this change closes the sessions of 3 nodes with BGPPeer "tor"`,
		},
	},
	"many peers": {
		func(s cluster.State) cluster.State {
			for i := range 5 {
				s = putPeer(fmt.Sprint("spine-", i), 2, fmt.Sprintf("{peerIP: 192.168.2.%d, asNumber: 65000}", i+1))(s)
			}
			return s
		},
		putBase(withBase("asNumber: 65020")),
		[]string{
			`this change resets the sessions of 3 nodes with BGPPeer "spine-0"`,
			`this change resets the sessions of 3 nodes with BGPPeer "spine-1"`,
			`this change resets the sessions of 3 nodes with BGPPeer "spine-2"`,
			`this change resets sessions of 3 nodes with 3 other BGPPeers`,
		},
	},

	"more Services than are named": {
		func(s cluster.State) cluster.State {
			s.Services = nil
			for i := range 9 {
				s.Services = append(s.Services, newService("default", fmt.Sprint("web-", 9-i), fmt.Sprint("192.168.3.", i+1), advertise.Cluster, "node-1"))
			}
			return s
		},
		putBase("{serviceClusterIPs: [{cidr: 10.49.0.0/16}]}"),
		[]string{
			`this change withdraws 192.168.3.1/32 and 8 other prefixes from 3 nodes`,
			`this change withdraws the last routes to addresses of 9 Services: default/web-1, default/web-2, default/web-3, default/web-4, default/web-5 and 4 others`,
		},
	},
	"names that leave no room for each other": {
		func(s cluster.State) cluster.State {
			s.Services = nil
			for i := range 3 {
				s.Services = append(s.Services, newService(strings.Repeat("n", 63), strings.Repeat("s", 62)+fmt.Sprint(i), fmt.Sprint("192.168.3.", i+1), advertise.Cluster, "node-1"))
			}
			return s
		},
		putBase("{serviceClusterIPs: [{cidr: 10.49.0.0/16}]}"),
		[]string{
			`this change withdraws 192.168.3.1/32 and 2 other prefixes from 3 nodes`,
			`this change withdraws the last routes to addresses of 3 Services: ` + strings.Repeat("n", 63) + "/" + strings.Repeat("s", 62) + `0 and 2 others`,
		},
	},
	"a peer's name that is too long": {
		putPeer(strings.Repeat("p", 253), 2, "{peerIP: 192.168.1.2, asNumber: 65000}"),
		func(s cluster.State) cluster.State { return s.WithoutPeer(strings.Repeat("p", 253)) },
		[]string{`this change closes the sessions of 3 nodes with BGPPeer "` + strings.Repeat("p", 190) + `...`},
	},

	"a node that is out of service has nothing to lose": {
		func(s cluster.State) cluster.State {
			for i := range s.Nodes {
				s.Nodes[i].Labels[intent.ExcludeLabel] = ""
			}
			return s
		},
		func(s cluster.State) cluster.State { return s.WithoutPeer("tor") }, nil,
	},
	"a node that vanishes": {
		unchanged, func(s cluster.State) cluster.State { s.Nodes = s.Nodes[1:]; return s }, nil,
	},
	"an address of two kinds, one of which is left": {
		func(s cluster.State) cluster.State {
			s.Services = []cluster.Service{with(newService("default", "nginx", "192.168.3.1", advertise.Cluster, "node-1"), advertise.LoadBalancerIP, "192.168.3.1")}
			return putBase(withBase("serviceLoadBalancerIPs: [{cidr: 192.168.3.0/24, aggregation: Disabled}]"))(s)
		},
		putBase(baseSpec), nil,
	},
	"an address of a Service that another of its addresses does not stand for": {
		func(s cluster.State) cluster.State {
			s.Services = []cluster.Service{with(newService("default", "nginx", "192.168.3.1", advertise.Cluster, "node-1"), advertise.ExternalIP, "192.168.3.2")}
			// Rack b has one of the two addresses, and rack a the other one.
			s = put(configuration("rack-b", 2, "{nodeSelector: {matchLabels: {rack: b}}, serviceExternalIPs: [{cidr: 192.168.3.1/32}]}"))(s)
			return put(configuration("rack-a", 2, "{"+rackA+", serviceExternalIPs: [{cidr: 192.168.3.2/32}]}"))(s)
		},
		put(configuration("rack-b", 2, "{nodeSelector: {matchLabels: {rack: b}}, serviceExternalIPs: []}")),
		[]string{
			`this change withdraws 192.168.3.1/32 from 1 node`,
			`this change withdraws the last routes to addresses of Service default/nginx`,
		},
	},
	"two Services of one address, one of which keeps the prefix": {
		func(s cluster.State) cluster.State {
			s.Services = []cluster.Service{
				newService("default", "local", "192.168.3.1", advertise.Local, "node-1"),
				newService("default", "cluster", "192.168.3.1", advertise.Cluster, "node-1"),
			}
			s.Services[1].Spec.Addresses[0].Kind = advertise.LoadBalancerIP
			return putBase(withBase("serviceLoadBalancerIPs: [{cidr: 192.168.3.0/24, aggregation: Disabled}]"))(s)
		},
		putBase("{serviceClusterIPs: [{cidr: 10.49.0.0/16}], serviceLoadBalancerIPs: [{cidr: 192.168.3.0/24, aggregation: Disabled}]}"),
		[]string{`this change withdraws the last routes to addresses of Service default/local`},
	},
}

func TestWarnings(t *testing.T) {
	for name, row := range warningRows {
		t.Run(name, func(t *testing.T) {
			before := row.given(newCluster())
			got := forecast.Of(before, row.change(before)).Warnings()
			if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			for _, warning := range got {
				if len(warning) > 250 {
					t.Errorf("%d characters, of which the API server cuts off some: %s", len(warning), warning)
				}
			}
		})
	}
}

func TestWithdrawalsNameTheirNodesInTheOrderOfRoutes(t *testing.T) {
	before := newCluster()
	f := forecast.Of(before, before.WithoutPeer("tor"))
	var got []string
	for _, w := range f.Withdrawals {
		got = append(got, fmt.Sprint(w.Prefix, " ", slices.Collect(w.Nodes.All())))
	}
	want := []string{
		"10.49.0.0/16 [node-1 node-2 node-3]", "192.168.3.1/32 [node-1 node-2 node-3]", "192.168.3.2/32 [node-1 node-3]",
		"192.168.3.3/32 [node-3]", "192.168.3.4/32 [node-1 node-2 node-3]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("withdrawals (-want +got):\n%s", diff)
	}
}

// problemRows say which problems a change brings, as "object field nodes".
var problemRows = map[string]struct {
	given, change func(cluster.State) cluster.State
	want          []string
}{
	"none": {unchanged, unchanged, nil},
	"a peer of an address that another one has": {
		unchanged, putPeer("spine", 2, "{peerIP: 192.168.1.1, asNumber: 65000, "+rackA+"}"),
		[]string{"BGPPeer spine spec.peerIP [node-1 node-2]"},
	},
	"one that the change brings upon another object": {
		put(configuration("rack-a", 2, "{"+rackA+", serviceExternalIPs: [{cidr: 192.168.3.0/25}]}")),
		putBase("{serviceExternalIPs: [{cidr: 192.168.4.0/24}]}"),
		[]string{"BGPConfiguration rack-a spec.serviceExternalIPs[0].cidr [node-1 node-2]"},
	},
	"one that was there before": {
		putBase(withBase("prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [unknown]}]")),
		putBase(withBase("asNumber: 65010, prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [unknown]}]")), nil,
	},
	"one that was there before, in another place of the list": {
		putBase(withBase("prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [\"64512:1\", unknown]}]")),
		putBase(withBase("prefixAdvertisements: [{cidr: 192.168.4.0/24}, {cidr: 192.168.3.0/24, communities: [unknown]}]")), nil,
	},
	"one that was there before on another node": {
		putPeer("spine", 2, "{peerIP: 192.168.1.1, asNumber: 65000, "+rackA+"}"), putPeer("spine", 2, torSpec),
		[]string{"BGPPeer spine spec.peerIP [node-3]"},
	},
	"two of one node and field": {
		unchanged, putBase(withBase("prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [one, two]}, {cidr: 192.168.4.0/24, communities: [one]}]")),
		[]string{
			"BGPConfiguration default spec.prefixAdvertisements[0].communities[0] [node-1 node-2 node-3]",
			"BGPConfiguration default spec.prefixAdvertisements[0].communities[1] [node-1 node-2 node-3]",
		},
	},
}

func TestProblems(t *testing.T) {
	for name, row := range problemRows {
		t.Run(name, func(t *testing.T) {
			before := row.given(newCluster())
			var got []string
			for _, p := range forecast.Of(before, row.change(before)).Problems {
				got = append(got, fmt.Sprint(p.Object.Kind, " ", p.Object.Name, " ", p.Field, " ", p.Nodes))
			}
			if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
