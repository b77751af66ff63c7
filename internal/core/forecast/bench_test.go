package forecast_test

import (
	"fmt"
	"net/netip"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/forecast"
	"github.com/herald-network/herald/internal/core/intent"
)

// The size that admission is held to. An answer is due within the 5 s of an admission request, and should take less than
// one of them.
const (
	benchNodes               = 5_000
	benchPeers               = 4
	benchRacks               = 10
	benchServices            = 10_000
	benchEndpointsPerService = 10
)

// newBenchCluster returns a cluster of that size: its racks have an overlay each, every node advertises its pod CIDR, and
// each Service has a cluster IP under an aggregate and an external IP with a host route. The endpoints of a Service are on
// nodes of their own.
func newBenchCluster(policy advertise.Policy) cluster.State {
	var state cluster.State
	for i := range benchNodes {
		high, low := byte(i>>8), byte(i)
		state.Nodes = append(state.Nodes, intent.Node{
			Name:        fmt.Sprintf("node-%04d", i),
			Labels:      map[string]string{"rack": fmt.Sprint(i % benchRacks), "kubernetes.io/hostname": fmt.Sprintf("node-%04d", i)},
			InternalIPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, high, low})},
			PodCIDRs:    []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 64 + high, low, 0}), 24)},
		})
	}
	for i := range benchPeers {
		p := &v1alpha1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("tor-", i)}}
		p.Spec.PeerIP, p.Spec.ASNumber = fmt.Sprint("10.2.0.", i), 65000
		state = state.WithPeer(p)
	}
	state = state.WithConfiguration(benchConfiguration())
	for i := range benchRacks {
		overlay := &v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("rack-", i)}}
		overlay.Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"rack": fmt.Sprint(i)}}
		overlay.Spec.ASNumber = int64(64600 + i)
		state = state.WithConfiguration(overlay)
	}
	for i := range benchServices {
		state.Services = append(state.Services, newBenchService(i, policy))
	}
	return state
}

func benchConfiguration() *v1alpha1.BGPConfiguration {
	c := &v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultConfigurationName}}
	c.Spec = v1alpha1.BGPConfigurationSpec{
		ServiceClusterIPs:    []v1alpha1.Block{{CIDR: "10.49.0.0/16"}},
		ServiceExternalIPs:   []v1alpha1.Block{{CIDR: "192.168.0.0/16", Aggregation: v1alpha1.Disabled}},
		PodCIDRAdvertisement: v1alpha1.Enabled,
	}
	for i := range 16 {
		c.Spec.PrefixAdvertisements = append(c.Spec.PrefixAdvertisements, v1alpha1.PrefixAdvertisement{
			CIDR:        v1alpha1.CIDR(fmt.Sprintf("192.168.%d.0/24", i)),
			Communities: []v1alpha1.CommunityRef{"64512:1"},
		})
	}
	return c
}

func newBenchService(i int, policy advertise.Policy) cluster.Service {
	high, low := byte(i>>8), byte(i)
	s := cluster.Service{
		Key: advertise.ServiceKey{Namespace: fmt.Sprintf("namespace-%03d", i%100), Name: fmt.Sprintf("service-%05d", i)},
		Spec: advertise.Service{
			Type:                  advertise.TypeLoadBalancer,
			ExternalTrafficPolicy: policy,
			Addresses: []advertise.Address{
				{Addr: netip.AddrFrom4([4]byte{10, 49, high, low}), Kind: advertise.ClusterIP},
				{Addr: netip.AddrFrom4([4]byte{192, 168, high, low}), Kind: advertise.ExternalIP},
			},
		},
	}
	for j := range benchEndpointsPerService {
		node := (i*benchEndpointsPerService + j*37) % benchNodes
		s.Endpoints.Add(fmt.Sprintf("node-%04d", node), bgp.IPv4, advertise.Conditions{})
	}
	return s
}

// BenchmarkForecast asks about the changes that cost the most, each in a cluster all of whose Services have one policy.
func BenchmarkForecast(b *testing.B) {
	changes := []struct {
		name  string
		after func(before cluster.State) cluster.State
	}{
		{"DeleteDefault", func(s cluster.State) cluster.State { return s.WithoutConfiguration(v1alpha1.DefaultConfigurationName) }},
		{"RemoveBlock", func(s cluster.State) cluster.State {
			c := benchConfiguration()
			c.Spec.ServiceExternalIPs = nil
			return s.WithConfiguration(c)
		}},
		{"RejectExternalIPs", func(s cluster.State) cluster.State {
			for _, p := range s.Peers {
				p.Spec.Export = []v1alpha1.ExportRule{{Action: v1alpha1.ExportReject, Kinds: []v1alpha1.AdvertisementKind{v1alpha1.KindExternalIP}}}
				s = s.WithPeer(&p)
			}
			return s
		}},
		{"DeletePeer", func(s cluster.State) cluster.State { return s.WithoutPeer("tor-0") }},
	}
	for _, policy := range []advertise.Policy{advertise.Cluster, advertise.Local} {
		before := newBenchCluster(policy)
		for _, change := range changes {
			b.Run(policy.String()+"/"+change.name, func(b *testing.B) {
				after := change.after(before)
				b.ReportAllocs()
				for b.Loop() {
					if len(forecast.Of(before, after).Warnings()) == 0 {
						b.Fatal("the change takes nothing away")
					}
				}
			})
		}
	}
}
