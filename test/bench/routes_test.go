package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/herald-network/herald/test/harness/probe"
)

func TestAddresses(t *testing.T) {
	for i, want := range map[int]string{0: "10.100.0.0", 255: "10.100.0.255", 256: "10.100.1.0", 9999: "10.100.39.15"} {
		if got := addressOf(bulkRange, i).String(); got != want {
			t.Errorf("address %d: got %s, want %s", i, got, want)
		}
	}
}

func TestRoutesAreAwaited(t *testing.T) {
	one, two := netip.MustParseAddr("192.168.1.11"), netip.MustParseAddr("192.168.1.12")
	a, b, other := hostRoute(addressOf(bulkRange, 1)), hostRoute(addressOf(bulkRange, 2)), netip.MustParsePrefix("10.49.0.0/16")
	want := routes{a: {one, two}, b: nil}
	holds := want.in()
	for _, step := range []struct {
		name  string
		table routes
		want  bool
	}{
		{"nothing yet", routes{}, false},
		{"one next hop of two", routes{a: {one}}, false},
		{"all next hops", routes{a: {one, two}}, true},
		{"one that is to go is there", routes{a: {one, two}, b: {one}}, false},
		{"one has gone again", routes{b: nil}, false},
		{"all, beside others", routes{a: {one, two}, other: {one}}, true},
	} {
		if got := holds(step.table); got != step.want {
			t.Errorf("%s: got %v", step.name, got)
		}
	}
}

func TestLastEvent(t *testing.T) {
	wanted, other := hostRoute(addressOf(bulkRange, 1)), hostRoute(addressOf(bulkRange, 2))
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	events := []probe.Route{
		{Time: start, Prefix: wanted}, {Time: start.Add(time.Second), Prefix: wanted}, {Time: start.Add(time.Minute), Prefix: other},
	}
	if got := lastEvent(events, routes{wanted: nil}); !got.Equal(start.Add(time.Second)) {
		t.Errorf("got %s", got)
	}
	if got := lastEvent(events[2:], routes{wanted: nil}); !got.IsZero() {
		t.Errorf("got %s", got)
	}
}
