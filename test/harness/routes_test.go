package harness

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/test/harness/probe"
)

const (
	node1 = "192.168.1.11"
	node2 = "192.168.1.12"
	block = "10.49.0.0/16"
)

func event(kind probe.RouteEvent, prefix string, nextHops ...string) probe.Route {
	route := probe.Route{Event: kind, Prefix: netip.MustParsePrefix(prefix)}
	for _, hop := range nextHops {
		route.NextHops = append(route.NextHops, netip.MustParseAddr(hop))
	}
	return route
}

func texts[T interface{ String() string }](values []T) []string {
	list := []string{}
	for _, v := range values {
		list = append(list, v.String())
	}
	return list
}

func TestRouterKeepsTheTable(t *testing.T) {
	for name, row := range map[string]struct {
		events []probe.Route
		want   []string
	}{
		"present before":         {[]probe.Route{event(probe.Present, block, node1)}, []string{node1}},
		"next hops replaced":     {[]probe.Route{event(probe.Set, block, node1), event(probe.Set, block, node2)}, []string{node2}},
		"one next hop deleted":   {[]probe.Route{event(probe.Set, block, node1, node2), event(probe.Deleted, block, node1)}, []string{node2}},
		"the whole one deleted":  {[]probe.Route{event(probe.Set, block, node1, node2), event(probe.Deleted, block, node1, node2)}, []string{}},
		"deleted, and set again": {[]probe.Route{event(probe.Set, block, node1), event(probe.Deleted, block, node1), event(probe.Set, block, node2)}, []string{node2}},
		"another prefix":         {[]probe.Route{event(probe.Set, "10.0.0.0/8", node1)}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRouter("tor")
			for _, e := range row.events {
				r.take(e)
			}
			if diff := cmp.Diff(row.want, texts(r.NextHops(netip.MustParsePrefix(block)))); diff != "" {
				t.Errorf("next hops (-want +got):\n%s", diff)
			}
			if has := len(r.Prefixes()) > 0; has != (len(row.want) > 0 || name == "another prefix") {
				t.Errorf("prefixes: %v", r.Prefixes())
			}
		})
	}
}

func TestRouterRemembersWhatALookWouldMiss(t *testing.T) {
	r := newRouter("tor")
	r.take(event(probe.Present, block, node1, node2))
	r.take(event(probe.Set, "192.168.3.0/24", node1, node2))
	mark := r.Mark()
	if events := r.Since(mark); len(events) != 0 {
		t.Errorf("events after the mark: %v", events)
	}
	r.take(event(probe.Set, block, node2))
	r.take(event(probe.Set, block, node1, node2))
	if events := r.Since(mark); len(events) != 2 {
		t.Errorf("events after the mark: %v", events)
	}
	if lost := r.Lost(mark, netip.MustParseAddr(node1)); len(lost) != 1 || lost[0].Prefix.String() != block {
		t.Errorf("%s lost: %v", node1, lost)
	}
	if lost := r.Lost(mark, netip.MustParseAddr(node2)); len(lost) != 0 {
		t.Errorf("%s lost: %v", node2, lost)
	}
}

func TestRouterLosesRoutesThatWerePresentBefore(t *testing.T) {
	r := newRouter("tor")
	r.take(event(probe.Present, block, node1))
	r.take(event(probe.Set, block, node2))
	if lost := r.Lost(0, netip.MustParseAddr(node1)); len(lost) != 1 {
		t.Errorf("%s lost: %v", node1, lost)
	}
}

func TestRouterAwaitsAnEvent(t *testing.T) {
	r := newRouter("tor")
	r.stream = &stream{done: make(chan struct{})}
	awaited := make(chan error)
	go func() {
		awaited <- r.Await(t.Context(), func(routes map[netip.Prefix][]netip.Addr) bool { return len(routes) == 2 })
	}()
	r.take(event(probe.Set, block, node1))
	r.take(event(probe.Set, "192.168.3.0/24", node1))
	if err := <-awaited; err != nil {
		t.Error(err)
	}
}
