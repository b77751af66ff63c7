package input_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/herald-network/herald/internal/agent/input"
)

func synced(kinds ...input.Kind) []input.Event {
	events := make([]input.Event, len(kinds))
	for i, kind := range kinds {
		events[i] = input.Synced{Kind: kind}
	}
	return events
}

func TestQueueGivesABurstAtOnceAndInOrder(t *testing.T) {
	q := input.NewQueue()
	q.Push(synced(input.KindService, input.KindNode)...)
	q.Push(synced(input.KindBGPPeer)...)

	<-q.Ready()
	if got, want := q.Take(), synced(input.KindService, input.KindNode, input.KindBGPPeer); !slices.Equal(got, want) {
		t.Errorf("took %v, want %v", got, want)
	}
	if got := q.Take(); len(got) != 0 {
		t.Errorf("took %v a second time", got)
	}
	select {
	case <-q.Ready():
		t.Error("an empty queue nudges")
	default:
	}
}

func TestQueueLosesNothingToItsReader(t *testing.T) {
	const writers, each = 8, 100
	q := input.NewQueue()
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range each {
				q.Push(input.Synced{Kind: input.KindService})
			}
		})
	}
	for taken := 0; taken < writers*each; {
		<-q.Ready()
		taken += len(q.Take())
	}
	writing.Wait()
	if left := q.Take(); len(left) != 0 {
		t.Errorf("%d events too many", len(left))
	}
}
