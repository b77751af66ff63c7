package clustertest_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/validate"
)

func TestTheRackIsSound(t *testing.T) {
	state := clustertest.Rack()
	for i, want := range []string{"192.168.1.11", "192.168.1.12", "192.168.1.13"} {
		if got := state.Nodes[i].DefaultRouterID().String(); got != want {
			t.Errorf("the router ID of %s is %s, want %s", state.Nodes[i].Name, got, want)
		}
	}
	if len(state.Nodes) != 3 {
		t.Errorf("%d nodes, want 3", len(state.Nodes))
	}
	peer := clustertest.Peer(t, "tor", 1, "{peerIP: 192.168.1.1, asNumber: 64512}")
	if errs := validate.Peer(&peer).Errors; len(errs) > 0 {
		t.Errorf("the peer is not sound: %v", errs)
	}
}

func TestRandomStatesAreSoundAndNot(t *testing.T) {
	var sound, broken, conflicts int
	rapid.Check(t, func(t *rapid.T) {
		state := clustertest.RandomState(t)
		var addresses []string
		for i := range state.Peers {
			if len(validate.Peer(&state.Peers[i]).Errors) > 0 {
				broken++
				continue
			}
			sound++
			addresses = append(addresses, state.Peers[i].Spec.PeerIP)
		}
		slices.Sort(addresses)
		conflicts += len(addresses) - len(slices.Compact(addresses))
		if got := clustertest.Shuffled(t, state); len(got.Nodes) != len(state.Nodes) || len(got.Peers) != len(state.Peers) {
			t.Fatalf("shuffled into %d nodes and %d peers", len(got.Nodes), len(got.Peers))
		}
	})
	if sound == 0 || broken == 0 || conflicts == 0 {
		t.Errorf("%d sound peers, %d broken ones, %d with another's address: want some of each", sound, broken, conflicts)
	}
}
