package status_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/status"
)

const (
	nginx = "192.168.3.180/32"
	other = "2001:db8::1/128"
)

// serving is a node that advertises a prefix for Services of the namespace default.
func serving(number int, prefix string, services ...string) status.Node {
	return alsoServing(node(number, up()), prefix, services...)
}

func alsoServing(n status.Node, prefix string, services ...string) status.Node {
	a := v1alpha1.NodeAdvertisement{Prefix: prefix, Kind: v1alpha1.KindExternalIP}
	for _, s := range services {
		a.Services = append(a.Services, "default/"+s)
	}
	report := *n.Report
	report.Advertisements = append(slices.Clone(report.Advertisements), a)
	n.Report = &report
	return n
}

// toldOf returns events as lines.
func toldOf(events []status.ServiceEvent) []string {
	lines := []string{}
	for _, e := range events {
		lines = append(lines, e.Service.String()+" "+told([]status.Event{e.Event})[0])
	}
	return lines
}

func TestServiceTracker(t *testing.T) {
	t.Parallel()
	nodes := func(nodes ...status.Node) []status.Node { return nodes }
	letters := func(services string) []string {
		var names []string
		for _, letter := range services {
			names = append(names, string(letter))
		}
		return names
	}
	shared := func(services string) []status.Node { return nodes(serving(1, nginx, letters(services)...)) }
	for name, row := range map[string]struct {
		looks [][]status.Node
		want  []string // Of the last look.
	}{
		"the first look is where it starts": {looks: [][]status.Node{nodes(serving(1, nginx, "nginx"))}},
		"advertised by the first nodes": {
			looks: [][]status.Node{
				nodes(node(1), node(2), node(3)), nodes(serving(2, nginx, "nginx"), serving(1, nginx, "nginx"), node(3)),
			},
			want: []string{"default/nginx Normal Advertised: Advertised 192.168.3.180/32 from node-1 and node-2"},
		},
		"more nodes are no news": {
			looks: [][]status.Node{
				nodes(serving(1, nginx, "nginx"), node(2)), nodes(serving(1, nginx, "nginx"), serving(2, nginx, "nginx")),
			},
		},
		"nor are fewer": {
			looks: [][]status.Node{
				nodes(serving(1, nginx, "nginx"), serving(2, nginx, "nginx")), nodes(serving(1, nginx, "nginx"), node(2)),
			},
		},
		"nor is another node": {
			looks: [][]status.Node{
				nodes(serving(1, nginx, "nginx"), node(2)), nodes(node(1), serving(2, nginx, "nginx")),
			},
		},
		"withdrawn by the last nodes": {
			looks: [][]status.Node{
				nodes(serving(1, nginx, "nginx"), serving(2, nginx, "nginx"), serving(3, nginx, "nginx")),
				nodes(serving(1, nginx, "nginx"), serving(2, nginx, "nginx"), node(3)),
				nodes(node(1), node(2), node(3)),
			},
			want: []string{"default/nginx Normal Withdrawn: Withdrawn 192.168.3.180/32 from node-1 and node-2"},
		},
		"several prefixes of a Service are one event": {
			looks: [][]status.Node{
				nodes(node(1), node(2)),
				nodes(alsoServing(serving(1, nginx, "nginx"), other, "nginx"), alsoServing(serving(2, nginx, "nginx"), other, "nginx")),
			},
			want: []string{
				"default/nginx Normal Advertised: Advertised 192.168.3.180/32 and 2001:db8::1/128 from node-1 and node-2",
			},
		},
		"prefixes from other nodes": {
			looks: [][]status.Node{nodes(node(1), node(2)), nodes(serving(1, nginx, "nginx"), serving(2, other, "nginx"))},
			want: []string{
				"default/nginx Normal Advertised: Advertised 192.168.3.180/32 from node-1; 2001:db8::1/128 from node-2",
			},
		},
		"another address, and another Service": {
			looks: [][]status.Node{nodes(serving(1, nginx, "nginx", "web")), nodes(serving(1, other, "nginx"))},
			want: []string{
				"default/nginx Normal Withdrawn: Withdrawn 192.168.3.180/32 from node-1",
				"default/nginx Normal Advertised: Advertised 2001:db8::1/128 from node-1",
				"default/web Normal Withdrawn: Withdrawn 192.168.3.180/32 from node-1",
			},
		},
		"an aggregate is no Service's": {looks: [][]status.Node{nodes(node(1)), nodes(serving(1, "10.49.0.0/16"))}},
		"silence withdraws nothing": {
			looks: [][]status.Node{nodes(serving(1, nginx, "nginx")), nodes(silent(node(1)))},
		},
		"nor does a list that was cut": {
			looks: [][]status.Node{nodes(serving(1, nginx, "nginx")), nodes(truncated(node(1)))},
		},
		"nor a BGPNode that was taken away": {
			looks: [][]status.Node{nodes(serving(1, nginx, "nginx")), nodes(unreported(1))},
		},
		"nor a node that is gone, whose routes nobody has seen go": {
			looks: [][]status.Node{nodes(serving(1, nginx, "nginx")), nodes()},
		},
		"the last node that says so withdraws, and a silent one may not": {
			looks: [][]status.Node{
				nodes(serving(1, nginx, "nginx"), serving(2, nginx, "nginx")), nodes(silent(node(1)), node(2)),
			},
		},
		"what a silent node withdrew is known when it speaks again": {
			looks: [][]status.Node{
				nodes(serving(1, nginx, "nginx")), nodes(silent(serving(1, nginx, "nginx"))), nodes(node(1)),
			},
			want: []string{"default/nginx Normal Withdrawn: Withdrawn 192.168.3.180/32 from node-1"},
		},
		"after the node that is gone the others count": {
			looks: [][]status.Node{
				nodes(serving(1, nginx, "nginx"), serving(2, nginx, "nginx")), nodes(serving(2, nginx, "nginx")), nodes(node(2)),
			},
			want: []string{"default/nginx Normal Withdrawn: Withdrawn 192.168.3.180/32 from node-2"},
		},
		"a list that was cut from the start tells no news when it is whole": {
			looks: [][]status.Node{nodes(truncated(node(1))), nodes(serving(1, nginx, "nginx"))},
		},
		"so is a node that was not there": {
			looks: [][]status.Node{nodes(), nodes(serving(1, nginx, "nginx"))},
			want:  []string{"default/nginx Normal Advertised: Advertised 192.168.3.180/32 from node-1"},
		},
		"an agent's first report is news": {
			looks: [][]status.Node{nodes(unreported(1)), nodes(serving(1, nginx, "nginx"))},
			want:  []string{"default/nginx Normal Advertised: Advertised 192.168.3.180/32 from node-1"},
		},
		"a Service that makes room for an earlier one of five may still be there": {
			looks: [][]status.Node{shared("bcdef"), shared("abcde")},
			want:  []string{"default/a Normal Advertised: Advertised 192.168.3.180/32 from node-1"},
		},
		"and comes back without news": {looks: [][]status.Node{shared("bcdef"), shared("abcde"), shared("bcdef")}, want: []string{
			"default/a Normal Withdrawn: Withdrawn 192.168.3.180/32 from node-1",
		}},
		"one that comes up from behind the five was there": {
			looks: [][]status.Node{shared("abcde"), shared("abcdf")},
			want:  []string{"default/e Normal Withdrawn: Withdrawn 192.168.3.180/32 from node-1"},
		},
		"what hides on a node that is gone is gone with it": {
			looks: [][]status.Node{shared("bcdef"), shared("abcde"), nodes(node(2)), nodes(serving(2, nginx, "f"))},
			want:  []string{"default/f Normal Advertised: Advertised 192.168.3.180/32 from node-2"},
		},
		"what hid behind five is known when there are four": {
			looks: [][]status.Node{shared("bcdef"), shared("abcde"), shared("abcd")},
			want: []string{
				"default/e Normal Withdrawn: Withdrawn 192.168.3.180/32 from node-1",
				"default/f Normal Withdrawn: Withdrawn 192.168.3.180/32 from node-1",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tracker status.ServiceTracker
			var got []status.ServiceEvent
			for _, look := range row.looks {
				got = tracker.Observe(look)
			}
			NewWithT(t).Expect(toldOf(got)).To(Equal(append([]string{}, row.want...)))
		})
	}
}

// TestServiceTrackerAgainstNaiveSets: the tracker says what follows from whole sets of what each node last said, whatever
// nodes come, go, fall silent and have their lists cut.
func TestServiceTrackerAgainstNaiveSets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var tracker status.ServiceTracker
		lastSaid := map[string]map[string]bool{} // By node, what a whole list said last.
		unknown := map[string]bool{}             // Nodes whose lists were never whole.
		for look := range 12 {
			nodes := drawServingNodes(t)
			before, after := map[string]bool{}, map[string]bool{}
			present := map[string]bool{}
			for _, n := range nodes {
				name := n.Node.Name
				present[name] = true
				whole := n.Report != nil && !n.Silent && !n.Report.Truncated
				said, met := lastSaid[name]
				if !met && look == 0 && n.Report != nil && !whole {
					unknown[name] = true
				}
				now := said
				if whole {
					now = routeSet(n)
				}
				if whole && !met && (look == 0 || unknown[name]) {
					said = now // Nobody knows what it was before.
				}
				if whole {
					delete(unknown, name)
				}
				if !unknown[name] {
					lastSaid[name] = now
				}
				for route := range said {
					before[route] = true
				}
				for route := range now {
					after[route] = true
				}
			}
			maps.DeleteFunc(lastSaid, func(name string, _ map[string]bool) bool { return !present[name] })
			maps.DeleteFunc(unknown, func(name string, _ bool) bool { return !present[name] })
			want := map[string]string{}
			for route := range after {
				if !before[route] {
					want[route] = status.EventAdvertised
				}
			}
			for route := range before {
				if !after[route] {
					want[route] = status.EventWithdrawn
				}
			}
			got := map[string]string{}
			for _, e := range tracker.Observe(nodes) {
				for _, prefix := range prefixesIn(e.Message) {
					got[e.Service.String()+" "+prefix] = e.Reason
				}
			}
			NewWithT(t).Expect(got).To(Equal(want))
		}
	})
}

func drawServingNodes(t *rapid.T) []status.Node {
	var nodes []status.Node
	for number := range 4 {
		n := node(number)
		for prefix := range 3 {
			services := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2, rapid.ID).Draw(t, "services")
			slices.Sort(services)
			if len(services) > 0 {
				n = alsoServing(n, fmt.Sprintf("10.49.0.%d/32", prefix), services...)
			}
		}
		switch rapid.IntRange(0, 7).Draw(t, "standing") {
		case 0:
			n.Silent = true
		case 1:
			n = truncated(n)
		case 2:
			n.Report = nil
		case 3:
			continue
		}
		nodes = append(nodes, n)
	}
	return rapid.Permutation(nodes).Draw(t, "order")
}

func routeSet(n status.Node) map[string]bool {
	routes := map[string]bool{}
	for _, a := range n.Report.Advertisements {
		for _, s := range a.Services {
			routes[s+" "+a.Prefix] = true
		}
	}
	return routes
}

func prefixesIn(message string) []string {
	var found []string
	for prefix := range 3 {
		if text := fmt.Sprintf("10.49.0.%d/32", prefix); strings.Contains(message, text) {
			found = append(found, text)
		}
	}
	return found
}
