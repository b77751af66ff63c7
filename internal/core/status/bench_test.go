package status_test

import (
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/status"
)

// The cluster of the benchmarks: 4 peers each in 5,000 nodes, which advertise 20 prefixes, one of them their own.
const (
	benchNodes    = 5000
	benchPeers    = 4
	benchPrefixes = 20
)

// fleet returns the nodes as a cache gives them, in no order, and all sessions up or down.
func fleet(state v1alpha1.SessionState, cause func(node int) string) []status.Node {
	nodes := make([]status.Node, benchNodes)
	for i := range nodes {
		n := node(i)
		n.Report.RouterID = fmt.Sprintf("10.0.%d.%d", i/250, i%250)
		n.Report.Routes.IPv4 = benchPrefixes
		for peer := range benchPeers {
			session := up()
			session.Peer, session.State = fmt.Sprintf("tor-%d", peer), state
			if state != v1alpha1.SessionEstablished {
				session.Flaps, session.LastError = 1, cause(i)
			}
			n.Report.Sessions = append(n.Report.Sessions, session)
		}
		for prefix := range benchPrefixes - 1 {
			n.Report.Advertisements = append(n.Report.Advertisements, v1alpha1.NodeAdvertisement{
				Prefix: fmt.Sprintf("10.49.%d.0/24", prefix), Kind: v1alpha1.KindClusterIP,
			})
		}
		n.Report.Advertisements = append(n.Report.Advertisements, v1alpha1.NodeAdvertisement{
			Prefix: fmt.Sprintf("192.168.%d.%d/32", i/250, i%250), Kind: v1alpha1.KindExternalIP,
			Services: []string{fmt.Sprintf("default/service-%d", i)},
		})
		nodes[i*1237%benchNodes] = n
	}
	return nodes
}

func refused(int) string { return "connection refused" }

func benchPeer() *v1alpha1.BGPPeer {
	peer := tor()
	peer.Name = "tor-2"
	peer.Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"rack": "a"}}
	return peer
}

func BenchmarkPeer(b *testing.B) {
	for name, nodes := range map[string][]status.Node{
		"all up":                    fleet(v1alpha1.SessionEstablished, refused),
		"all down for one cause":    fleet(v1alpha1.SessionConnect, refused),
		"all down for a cause each": fleet(v1alpha1.SessionConnect, func(i int) string { return fmt.Sprintf("dial from 10.0.0.%d: no route", i) }),
	} {
		b.Run(name, func(b *testing.B) {
			peer := benchPeer()
			b.ReportAllocs()
			for b.Loop() {
				peer.Status = status.Peer(peer, nil, nodes, noon)
			}
		})
	}
}

func BenchmarkConfiguration(b *testing.B) {
	nodes := fleet(v1alpha1.SessionEstablished, refused)
	state := cluster.State{Peers: []v1alpha1.BGPPeer{*benchPeer()}}.WithConfiguration(base())
	for i := range 8 {
		state = state.WithConfiguration(overlay(fmt.Sprintf("overlay-%d", i), fmt.Sprintf("rack-%d", i), int64(i)))
	}
	state = state.WithConfiguration(overlay("overlay", "a", 9))
	for _, name := range []string{"default", "overlay"} {
		b.Run(name, func(b *testing.B) {
			configuration := state.Configuration(name).DeepCopy()
			b.ReportAllocs()
			for b.Loop() {
				configuration.Status = status.Configuration(configuration, nil, nodes, state, noon)
			}
		})
	}
}

// BenchmarkPeerTracker is a look at which one session was lost or established.
func BenchmarkPeerTracker(b *testing.B) {
	before := fleet(v1alpha1.SessionEstablished, refused)
	after := slices.Clone(before)
	after[17].Report = fleet(v1alpha1.SessionConnect, refused)[17].Report
	var tracker status.PeerTracker
	tracker.Observe(benchPeer(), before)
	b.ReportAllocs()
	for b.Loop() {
		if len(tracker.Observe(benchPeer(), after)) != 1 || len(tracker.Observe(benchPeer(), before)) != 1 {
			b.Fatal("nothing was said")
		}
	}
}

// BenchmarkServiceTracker is a look at which one node advertises one prefix more or less, and one at which all do.
func BenchmarkServiceTracker(b *testing.B) {
	before := fleet(v1alpha1.SessionEstablished, refused)
	one, all := slices.Clone(before), slices.Clone(before)
	one[17] = alsoServing(one[17], nginx, "nginx")
	for i := range all {
		all[i] = alsoServing(all[i], nginx, "nginx")
	}
	for name, after := range map[string][]status.Node{"one node": one, "all nodes": all} {
		b.Run(name, func(b *testing.B) {
			var tracker status.ServiceTracker
			tracker.Observe(before)
			b.ReportAllocs()
			for b.Loop() {
				if len(tracker.Observe(after)) != 1 || len(tracker.Observe(before)) != 1 {
					b.Fatal("nothing was said")
				}
			}
		})
	}
}
