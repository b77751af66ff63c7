package harness

import (
	"testing"

	"github.com/herald-network/herald/test/harness/probe"
)

func TestTrafficAwaitsTheFirstThatFits(t *testing.T) {
	traffic := &Traffic{stream: &stream{done: make(chan struct{})}, changed: make(chan struct{})}
	answered := make(chan probe.Request)
	go func() {
		request, err := traffic.Await(t.Context(), func(r probe.Request) bool { return r.Error == "" })
		if err != nil {
			t.Error(err)
		}
		answered <- request
	}()
	for _, request := range []probe.Request{{URL: "1", Error: "no route to host"}, {URL: "2"}, {URL: "3"}} {
		traffic.take(request)
	}
	if got := (<-answered).URL; got != "2" {
		t.Errorf("awaited request %s", got)
	}
	if failed := traffic.Failed(); len(failed) != 1 || failed[0].URL != "1" {
		t.Errorf("failed: %v", failed)
	}
}
