package harness

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/herald-network/herald/test/harness/probe"
)

// Traffic is the requests that the lab's outside client sends.
type Traffic struct {
	stream *stream

	mu       sync.Mutex
	requests []probe.Request
	// changed is closed, and made anew, with every request that ends.
	changed chan struct{}
}

// Send lets a host send requests at a rate per second, round robin over the URLs and each on a connection of its own,
// and returns when the first has been answered or has failed.
func Send(ctx context.Context, lab *Lab, host string, rate int, urls ...string) (*Traffic, error) {
	return traffic(ctx, lab, host, append([]string{"requests", "--rate", strconv.Itoa(rate)}, urls...))
}

// Hold lets a host keep connections open, in turn to each of the URLs, and send requests over each of them, and returns when
// the first request has been answered or has failed: one that fails is a connection that was lost.
func Hold(ctx context.Context, lab *Lab, host string, connections int, urls ...string) (*Traffic, error) {
	return traffic(ctx, lab, host, append([]string{"hold", "--connections", strconv.Itoa(connections)}, urls...))
}

func traffic(ctx context.Context, lab *Lab, host string, argv []string) (*Traffic, error) {
	t := &Traffic{changed: make(chan struct{})}
	var err error
	if t.stream, err = start(lab, host, argv, t.take); err != nil {
		return nil, err
	}
	if _, err := t.Await(ctx, func(probe.Request) bool { return true }); err != nil {
		_ = t.stream.stop() // Why it ended is what Await returned.
		return nil, err
	}
	return t, nil
}

// Await blocks until there is a request that the condition holds for, and returns the first.
func (t *Traffic) Await(ctx context.Context, condition func(probe.Request) bool) (probe.Request, error) {
	for seen := 0; ; {
		t.mu.Lock()
		ended, changed := t.requests[seen:], t.changed
		t.mu.Unlock()
		if i := slices.IndexFunc(ended, condition); i >= 0 {
			return ended[i], nil
		}
		seen += len(ended)
		select {
		case <-changed:
		case <-t.stream.done:
			return probe.Request{}, t.stream.err
		case <-ctx.Done():
			return probe.Request{}, fmt.Errorf("await an answer: %w", ctx.Err())
		}
	}
}

func (t *Traffic) take(request probe.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests = append(t.requests, request)
	close(t.changed)
	t.changed = make(chan struct{})
}

// Stop ends the traffic. It returns an error if it had broken off before.
func (t *Traffic) Stop() error { return t.stream.stop() }

// Sent returns all requests that have ended so far.
func (t *Traffic) Sent() []probe.Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.requests)
}

// Failed returns those that got no answer.
func (t *Traffic) Failed() []probe.Request {
	return slices.DeleteFunc(t.Sent(), func(r probe.Request) bool { return r.Error == "" })
}
