package cluster_test

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
)

func TestEachNodeSeesItsOwnEndpointsAmongAll(t *testing.T) {
	yes, no := true, false
	var e cluster.Endpoints
	e.Add("node-1", bgp.IPv4, advertise.Conditions{})
	e.Add("node-1", bgp.IPv6, advertise.Conditions{Ready: &no, Serving: &yes, Terminating: &yes})
	e.Add("node-2", bgp.IPv4, advertise.Conditions{})
	e.Add("node-3", bgp.IPv4, advertise.Conditions{Ready: &no})
	e.Add("", bgp.IPv4, advertise.Conditions{})
	e.Add("node-4", 0, advertise.Conditions{})

	for node, want := range map[string]advertise.EndpointsByFamily{
		"node-1": {IPv4: advertise.Endpoints{Ready: 3, ReadyHere: 1}, IPv6: advertise.Endpoints{Draining: 1, DrainingHere: 1}},
		"node-2": {IPv4: advertise.Endpoints{Ready: 3, ReadyHere: 1}, IPv6: advertise.Endpoints{Draining: 1}},
		"node-9": {IPv4: advertise.Endpoints{Ready: 3}, IPv6: advertise.Endpoints{Draining: 1}},
	} {
		if got := e.SeenFrom(node); got != want {
			t.Errorf("seen from %s: %+v, want %+v", node, got, want)
		}
	}
	if got := slices.Sorted(e.Nodes()); !slices.Equal(got, []string{"node-1", "node-2"}) {
		t.Errorf("nodes with endpoints that can serve: %v", got)
	}
}

func TestAStateWithAnotherObjectLeavesTheFirstAlone(t *testing.T) {
	peer := func(name string, asn int64) *v1alpha1.BGPPeer {
		return &v1alpha1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.BGPPeerSpec{ASNumber: asn}}
	}
	configuration := func(name string, asn int64) *v1alpha1.BGPConfiguration {
		return &v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.BGPConfigurationSpec{ASNumber: asn}}
	}
	before := cluster.State{}.WithPeer(peer("a", 1)).WithPeer(peer("b", 1)).WithConfiguration(configuration("default", 1))
	after := before.WithPeer(peer("a", 2)).WithoutPeer("b").WithConfiguration(configuration("default", 2))

	pool := func(name string, priority int32) *v1alpha1.ExternalIPPool {
		return &v1alpha1.ExternalIPPool{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ExternalIPPoolSpec{Priority: priority}}
	}
	pools := before.WithPool(pool("a", 1)).WithPool(pool("b", 1)).WithPool(pool("a", 2)).WithoutPool("b").Pools
	if len(pools) != 1 || pools[0].Spec.Priority != 2 {
		t.Errorf("the pools are %+v", pools)
	}
	if len(before.Peers) != 2 || before.Peers[0].Spec.ASNumber != 1 || before.Configuration("default").Spec.ASNumber != 1 {
		t.Errorf("the state before became %+v", before)
	}
	if len(after.Peers) != 1 || after.Peers[0].Spec.ASNumber != 2 || after.Configuration("default").Spec.ASNumber != 2 {
		t.Errorf("the state after is %+v", after)
	}
	if gone := after.WithoutConfiguration("default"); gone.Configuration("default") != nil {
		t.Errorf("the configuration is still there: %+v", gone)
	}
}
