package gobgp

import (
	"testing"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Each answer is all routes of a family, and waits without bound for a peer that is slow to take it.
func TestTheEngineIsNotAskedAgainWhileThePeerIsSlowToTakeTheAnswer(t *testing.T) {
	t.Parallel()
	idle := false
	r := refreshes{
		advertised: func(bgp.Family) int { return 10 }, isIdle: func() bool { return idle }, asked: map[bgp.Family]*refresh{},
	}
	begun := time.Now()
	if wait := r.ask(bgp.IPv4, begun); wait != 0 {
		t.Fatalf("the first request waits %s", wait)
	}
	for _, after := range []time.Duration{refreshPatience / 2, refreshPatience, time.Hour} {
		if wait := r.ask(bgp.IPv4, begun.Add(after)); wait != later {
			t.Errorf("after %s the engine is asked again in %s, though the peer has not taken the answer", after, wait)
		}
	}
	idle = true
	if wait := r.ask(bgp.IPv4, begun.Add(time.Hour)); wait != 0 {
		t.Errorf("a peer that has taken all that was sent waits %s", wait)
	}
}
