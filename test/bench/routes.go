package main

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/harness/probe"
)

// patience is how long a route may take before the benchmark gives up.
const patience = 3 * time.Minute

// routes are next hops by prefix, sorted; none means no route.
type routes map[netip.Prefix][]netip.Addr

// nextHops returns the addresses of nodes, of all where none is named.
func (r *rack) nextHops(names ...string) []netip.Addr {
	var hops []netip.Addr
	for _, n := range r.nodes {
		if len(names) == 0 || slices.Contains(names, n.name) {
			hops = append(hops, n.address)
		}
	}
	return hops
}

// mark returns the present point in the history of every router.
func (r *rack) mark() []harness.Mark {
	var marks []harness.Mark
	for _, router := range r.routers {
		marks = append(marks, router.Mark())
	}
	return marks
}

// await returns when every router has exactly the routes that are wanted, and the time of the last event after the marks
// that was about one of them: the kernel's word, not the moment when the benchmark came to look. It is zero where the
// routes had been there before.
func (r *rack) await(ctx context.Context, marks []harness.Mark, want routes) (last time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i, router := range r.routers {
		if err := router.Await(ctx, want.in()); err != nil {
			return last, err
		}
		if at := lastEvent(router.Since(marks[i]), want); at.After(last) {
			last = at
		}
	}
	return last, nil
}

// awaitSince is await for routes that were not there, and returns how long after the start they were.
func (r *rack) awaitSince(ctx context.Context, start time.Time, marks []harness.Mark, want routes) (time.Duration, error) {
	last, err := r.await(ctx, marks, want)
	if err == nil && last.Before(start) {
		err = errors.New("the routes were there before anything was done for them")
	}
	return last.Sub(start), err
}

// in returns a condition that holds when the routes of a table are as wanted. It looks first at what was missing the last
// time, so that thousands of routes that come one by one cost little.
func (want routes) in() func(map[netip.Prefix][]netip.Addr) bool {
	missing := slices.Collect(maps.Keys(want))
	return func(table map[netip.Prefix][]netip.Addr) bool {
		for len(missing) > 0 {
			prefix := missing[len(missing)-1]
			if !slices.Equal(table[prefix], want[prefix]) {
				return false
			}
			missing = missing[:len(missing)-1]
		}
		for prefix, hops := range want { // What was there may have gone since.
			if !slices.Equal(table[prefix], hops) {
				missing = append(missing, prefix)
			}
		}
		return len(missing) == 0
	}
}

// lastEvent returns the time of the last event about any of the prefixes.
func lastEvent(events []probe.Route, want routes) (last time.Time) {
	for _, event := range events {
		if _, ok := want[event.Prefix]; ok && event.Time.After(last) {
			last = event.Time
		}
	}
	return last
}
