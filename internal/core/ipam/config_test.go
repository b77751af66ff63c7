package ipam_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/ipam"
)

func poolObject(name string, minute int, spec v1alpha1.ExternalIPPoolSpec) v1alpha1.ExternalIPPool {
	return v1alpha1.ExternalIPPool{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(start.Add(time.Duration(minute) * time.Minute))},
		Spec:       spec,
	}
}

func configured(specs ...v1alpha1.ExternalIPPoolSpec) cluster.State {
	state := cluster.State{Configurations: []v1alpha1.BGPConfiguration{
		{ObjectMeta: metav1.ObjectMeta{Name: "rack-a"}, Spec: v1alpha1.BGPConfigurationSpec{
			ServiceLoadBalancerIPs: []v1alpha1.Block{{CIDR: "192.168.9.0/24"}},
		}},
		{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.BGPConfigurationSpec{
			ServiceClusterIPs:      []v1alpha1.Block{{CIDR: "10.49.0.0/16"}},
			ServiceExternalIPs:     []v1alpha1.Block{{CIDR: "192.168.3.0/24"}},
			ServiceLoadBalancerIPs: []v1alpha1.Block{{CIDR: "192.168.4.0/24"}, {CIDR: "2001:db8:4::/64"}},
		}},
	}}
	for i, spec := range specs {
		state.Pools = append(state.Pools, poolObject(string(rune('a'+i)), i, spec))
	}
	return state
}

func TestConfigOfReadsBlocksOfTheDefaultAlone(t *testing.T) {
	config := ipam.ConfigOf(configured())
	external := []netip.Prefix{netip.MustParsePrefix("192.168.3.0/24")}
	balancer := []netip.Prefix{netip.MustParsePrefix("192.168.4.0/24"), netip.MustParsePrefix("2001:db8:4::/64")}
	if !slices.Equal(config.ExternalIPBlocks, external) || !slices.Equal(config.LoadBalancerIPBlocks, balancer) {
		t.Errorf("the blocks are %v and %v", config.ExternalIPBlocks, config.LoadBalancerIPBlocks)
	}
	none := ipam.ConfigOf(cluster.State{Pools: configured(v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{"192.168.4.0/24"}}).Pools})
	if len(none.ExternalIPBlocks)+len(none.LoadBalancerIPBlocks) > 0 || none.Pools[0].Closed != "" {
		t.Errorf("without a configuration there are %+v", none)
	}
}

func TestConfigOfReadsPools(t *testing.T) {
	config := ipam.ConfigOf(configured(
		v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{"192.168.4.0/30"}, Avoid: []v1alpha1.AddressRange{"192.168.4.0-192.168.4.1"}},
		v1alpha1.ExternalIPPoolSpec{
			Addresses: []v1alpha1.AddressRange{"192.168.3.1"}, Assignment: v1alpha1.AssignOnRequest, Priority: 7,
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}},
			ServiceSelector:   &metav1.LabelSelector{},
		},
	))
	a, b := config.Pools[0], config.Pools[1]
	if !slices.Equal(everyAddress(a.Addresses), addrs("192.168.4.2", "192.168.4.3")) || a.OnRequest || a.Priority != 0 || a.Closed != "" ||
		!a.Namespaces.Empty() || !a.Services.Empty() {
		t.Errorf("the first pool is %+v", a)
	}
	if !b.OnRequest || b.Priority != 7 || b.Namespaces.Matches(labels.Set{}) || !b.Namespaces.Matches(labels.Set{"tier": "gold"}) || !b.Services.Matches(labels.Set{}) {
		t.Errorf("the second pool is %+v", b)
	}
}

func TestConfigOfClosesPools(t *testing.T) {
	good := v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{"192.168.4.0/24"}}
	deleting := configured(good)
	deleting.Pools[0].DeletionTimestamp = &metav1.Time{Time: start}
	rows := map[string]struct {
		state cluster.State
		want  []string
	}{
		"a pool that only warns is open": {
			state: configured(v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{"172.16.0.0/24"}}),
			want:  []string{""},
		},
		"a pool that is being deleted": {state: deleting, want: []string{"it is being deleted"}},
		"a pool that can't be read": {
			state: configured(v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{"192.168.4.9-192.168.4.1"}}),
			want: []string{`it is not accepted: spec.addresses[0]: Invalid value: "192.168.4.9-192.168.4.1": the first address of a range must not be ` +
				`above the last: write 192.168.4.1-192.168.4.9`},
		},
		"of two pools that share addresses the younger one": {
			state: configured(good, v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{"192.168.4.7"}}),
			want: []string{"", `it is not accepted: spec.addresses[0]: Invalid value: "192.168.4.7": the ExternalIPPools "b" and "a" both hold ` +
				`192.168.4.7, and an address must be in one pool only: remove it from one of the two, or let one avoid it`},
		},
		"a selector that can't be read selects nothing": {
			state: configured(v1alpha1.ExternalIPPoolSpec{
				Addresses:       []v1alpha1.AddressRange{"192.168.4.0/24"},
				ServiceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Is"}}},
			}),
			want: []string{`it is not accepted: spec.serviceSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator`},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range ipam.ConfigOf(row.state).Pools {
				got = append(got, p.Closed)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("closed: %q, want %q", got, row.want)
			}
		})
	}
}
