package gobgp

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/herald-network/herald/internal/core/bgp"
)

func enginePeer() bgp.Peer {
	return bgp.Peer{
		ASN: 64513, LocalASN: 64512, RouterID: netip.MustParseAddr("192.168.1.11"), Families: bgp.FamiliesOf(bgp.IPv4),
		HoldTime: 90 * time.Second, KeepaliveTime: 30 * time.Second,
	}
}

// What GoBGP says of a removed neighbor in its log is what the removal waits for.
func TestEngineTellsWhenANeighborIsGone(t *testing.T) {
	e := (&engines{log: logr.Discard()}).take()
	if err := e.start(t.Context(), enginePeer()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		neighbor := loopbackAddress()
		if err := e.addNeighbor(t.Context(), enginePeer(), neighbor); err != nil {
			t.Fatal(err)
		}
		if err := e.removeNeighbor(t.Context(), neighbor); err != nil {
			t.Errorf("remove the neighbor: %v", err)
		}
	}
	if err := e.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Engines start and stop while others work: run under the race detector, this fails without the brake on their loops.
func TestEnginesStartWhileOthersWork(t *testing.T) {
	pool := &engines{log: logr.Discard()}
	working := pool.take()
	if err := working.start(t.Context(), enginePeer()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		path := bgp.Advertisement{Prefix: netip.MustParsePrefix("10.0.0.1/32"), NextHop: netip.MustParseAddr("192.168.1.11")}
		for ctx.Err() == nil {
			if err := working.advertise(ctx, path); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		e := pool.take()
		if err := e.start(t.Context(), enginePeer()); err != nil {
			t.Fatal(err)
		}
		if err := e.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		pool.give(e)
	}
	cancel()
	work.Wait()
	if err := working.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
