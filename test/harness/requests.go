package harness

import (
	"context"
	"errors"
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
	first    chan struct{}
}

// Send lets a host send requests at a rate per second, round robin over the URLs and each on a connection of its own,
// and returns when the first has been answered or has failed.
func Send(ctx context.Context, lab *Lab, host string, rate int, urls ...string) (*Traffic, error) {
	t := &Traffic{first: make(chan struct{})}
	var err error
	argv := append([]string{"requests", "--rate", strconv.Itoa(rate)}, urls...)
	if t.stream, err = start(lab, host, argv, t.take); err != nil {
		return nil, err
	}
	select {
	case <-t.first:
		return t, nil
	case <-t.stream.done:
		return nil, t.stream.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), t.stream.stop())
	}
}

func (t *Traffic) take(request probe.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.requests) == 0 {
		close(t.first)
	}
	t.requests = append(t.requests, request)
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
