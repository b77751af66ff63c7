// Package clustertest makes clusters for tests of the core: one that is always the same, and random ones whose objects get
// in each other's way.
package clustertest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
)

// Rack returns a cluster of three nodes, of which node-1 and node-2 are in rack a and node-3 in rack b, with cluster IPs
// of both families and the Secret tor.
func Rack() cluster.State {
	state := cluster.State{
		ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.49.0.0/16"), netip.MustParsePrefix("2001:db8:49::/112")},
		Secrets:      map[string]password.Secret{"tor": Secret("password")},
	}
	for i, where := range []string{"a", "a", "b"} {
		state.Nodes = append(state.Nodes, Node(i, where))
	}
	return state
}

// Secret returns a Secret with a password under each of some keys.
func Secret(keys ...string) password.Secret {
	data := map[string][]byte{}
	for _, key := range keys {
		data[key] = password.StandIn([]byte("hush"))
	}
	return password.Secret{Data: data}
}

// Node returns the node of a number, which is node-1 for 0, in a rack: with InternalIPs and pod CIDRs of both families.
func Node(i int, rack string) intent.Node {
	name := fmt.Sprintf("node-%d", i+1)
	v4, v6 := netip.AddrFrom4([4]byte{192, 168, 1, 11}), netip.MustParseAddr("2001:db8:1::11")
	for range i {
		v4, v6 = v4.Next(), v6.Next()
	}
	return intent.Node{
		Name:        name,
		Labels:      map[string]string{"rack": rack, "kubernetes.io/hostname": name},
		InternalIPs: []netip.Addr{v4, v6},
		PodCIDRs: []netip.Prefix{
			netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(i), 0}), 24), netip.MustParsePrefix(fmt.Sprintf("2001:db8:244:%x::/64", i)),
		},
	}
}

// Peer returns a BGPPeer of an age in days, from its spec as a user writes it.
func Peer(tb testing.TB, name string, age int, spec string) v1alpha1.BGPPeer {
	tb.Helper()
	return v1alpha1.BGPPeer{ObjectMeta: meta(name, age), Spec: read[v1alpha1.BGPPeerSpec](tb, spec)}
}

// Configuration returns a BGPConfiguration of an age in days, from its spec as a user writes it.
func Configuration(tb testing.TB, name string, age int, spec string) v1alpha1.BGPConfiguration {
	tb.Helper()
	return v1alpha1.BGPConfiguration{ObjectMeta: meta(name, age), Spec: read[v1alpha1.BGPConfigurationSpec](tb, spec)}
}

// Pool returns an ExternalIPPool of an age in days, from its spec as a user writes it.
func Pool(tb testing.TB, name string, age int, spec string) v1alpha1.ExternalIPPool {
	tb.Helper()
	return v1alpha1.ExternalIPPool{ObjectMeta: meta(name, age), Spec: read[v1alpha1.ExternalIPPoolSpec](tb, spec)}
}

func meta(name string, age int) metav1.ObjectMeta {
	created := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -age)
	return metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(created)}
}

func read[T any](tb testing.TB, text string) T {
	tb.Helper()
	var into T
	if err := yaml.UnmarshalStrict([]byte(text), &into); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return into
}
