package harness

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/herald-network/herald/test/harness/probe"
)

// Router is the kernel's routing table of one of the lab's routers, as far as BGP filled it, with all that happened to
// it since the watch began. It is fed by the kernel's own notifications.
type Router struct {
	Host   string
	stream *stream

	mu     sync.Mutex
	routes map[netip.Prefix][]netip.Addr
	events []probe.Route
	ready  chan struct{}
	// changed is closed, and made anew, with every event.
	changed chan struct{}
}

// Watch begins to watch a router and returns when its present routes are known.
func Watch(ctx context.Context, lab *Lab, host string) (*Router, error) {
	r := newRouter(host)
	var err error
	if r.stream, err = start(lab, host, []string{"routes"}, r.take); err != nil {
		return nil, err
	}
	select {
	case <-r.ready:
		return r, nil
	case <-r.stream.done:
		return nil, r.stream.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), r.stream.stop())
	}
}

func newRouter(host string) *Router {
	return &Router{
		Host: host, routes: map[netip.Prefix][]netip.Addr{}, ready: make(chan struct{}), changed: make(chan struct{}),
	}
}

// Stop ends the watch. It returns an error if the watch had broken off before, so that no test passes for want of events.
func (r *Router) Stop() error { return r.stream.stop() }

func (r *Router) take(event probe.Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch event.Event {
	case probe.Watching:
		close(r.ready)
		return
	case probe.Present, probe.Set:
		r.routes[event.Prefix] = event.NextHops
	case probe.Deleted:
		left := slices.DeleteFunc(slices.Clone(r.routes[event.Prefix]), func(a netip.Addr) bool {
			return slices.Contains(event.NextHops, a)
		})
		r.routes[event.Prefix] = left
		if len(left) == 0 {
			delete(r.routes, event.Prefix)
		}
	}
	r.events = append(r.events, event)
	close(r.changed)
	r.changed = make(chan struct{})
}

// NextHops returns the next hops of exactly this prefix, sorted; none where there is no route.
func (r *Router) NextHops(prefix netip.Prefix) []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.routes[prefix])
}

// Prefixes returns the destinations of all routes, sorted.
func (r *Router) Prefixes() []netip.Prefix {
	r.mu.Lock()
	defer r.mu.Unlock()
	prefixes := make([]netip.Prefix, 0, len(r.routes))
	for prefix := range r.routes {
		prefixes = append(prefixes, prefix)
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	return prefixes
}

// Mark is a point in the history of a router.
type Mark int

// Mark returns the present point.
func (r *Router) Mark() Mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Mark(len(r.events))
}

// Since returns all events after the mark.
func (r *Router) Since(mark Mark) []probe.Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events[mark:])
}

// Lost returns the events after the mark that took the next hop from any route.
func (r *Router) Lost(mark Mark, nextHop netip.Addr) []probe.Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	had := map[netip.Prefix]bool{}
	var lost []probe.Route
	for i, event := range r.events {
		has := slices.Contains(event.NextHops, nextHop) != (event.Event == probe.Deleted)
		if event.Event == probe.Deleted && has {
			continue // It took other next hops.
		}
		if had[event.Prefix] && !has && Mark(i) >= mark {
			lost = append(lost, event)
		}
		had[event.Prefix] = has
	}
	return lost
}

// Await blocks until the condition holds, looking once after every event.
func (r *Router) Await(ctx context.Context, condition func(routes map[netip.Prefix][]netip.Addr) bool) error {
	for {
		r.mu.Lock()
		held, changed := condition(r.routes), r.changed
		r.mu.Unlock()
		if held {
			return nil
		}
		select {
		case <-changed:
		case <-r.stream.done:
			return r.stream.err
		case <-ctx.Done():
			return fmt.Errorf("await routes on %s: %w", r.Host, ctx.Err())
		}
	}
}
