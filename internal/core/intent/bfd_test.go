package intent_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
)

func TestBFDOfAPeer(t *testing.T) {
	usual := bgp.BFD{Enabled: true, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond, DetectMultiplier: 3, MinimumTTL: 255}
	multihop := usual
	multihop.Multihop, multihop.MinimumTTL = true, 254
	for name, row := range map[string]struct {
		fields string
		want   bgp.BFD
	}{
		"none":         {"peerPort: 179", bgp.BFD{}},
		"the defaults": {"bfd: {}", usual},
		"several hops": {"bfd: {hops: Multi}", multihop},
		"all that is the user's": {
			"bfd: {hops: Multi, transmitIntervalMilliseconds: 10, receiveIntervalMilliseconds: 60000, detectMultiplier: 255, minimumTTL: 1}",
			bgp.BFD{Enabled: true, Multihop: true, Transmit: 10 * time.Millisecond, Receive: time.Minute, DetectMultiplier: 255, MinimumTTL: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := intent.For(intent.Input{Node: newNode(), Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, tor(row.fields))}})
			if len(got.Peers) != 1 {
				t.Fatalf("runs %d peers: %+v", len(got.Peers), got.Problems)
			}
			if diff := cmp.Diff(row.want, got.Peers[0].BFD); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
