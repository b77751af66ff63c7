package status

import (
	"cmp"
	"slices"
	"strings"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/wording"
)

// ServiceEvent is an event on a Service.
type ServiceEvent struct {
	Service advertise.ServiceKey
	Event
}

// ServiceTracker tells which prefixes of Services were advertised and withdrawn since it was last asked. The zero
// ServiceTracker has not looked yet. It is for one goroutine at a time.
//
// Only a node whose list is whole, and whose agent is not silent, says something: what another one last said stays as it
// was, and so does what may hide behind the five Services that a prefix lists at most. Nothing is said for a node that is
// gone.
type ServiceTracker struct {
	looked bool
	// nodes is what each node last said, by name.
	nodes map[string]saying
	// holders counts the nodes that advertise a prefix for a Service, for all that is known. It has no zeros.
	holders map[serviceRoute]int
	// round numbers the looks, so that nodes that are gone are found.
	round int
	// changes are what the present look is certain of.
	changes []routeChange
}

// saying is what a node last said.
type saying struct {
	// known says that the node's list was whole once; list is the last one that was.
	known bool
	list  []v1alpha1.NodeAdvertisement
	// kept may be advertised still, although it is listed no more.
	kept  []serviceRoute
	round int
}

// serviceRoute is a prefix that is advertised for a Service, which is written as namespace/name.
type serviceRoute struct{ service, prefix string }

func (r serviceRoute) compare(other serviceRoute) int {
	return cmp.Or(strings.Compare(r.service, other.service), strings.Compare(r.prefix, other.prefix))
}

// routeChange is a route that a node began or ceased to advertise.
type routeChange struct {
	serviceRoute
	node string
	gain bool
}

// Observe looks at the routes of all nodes of the cluster, which come in any order, and returns what happened since the
// last look, by Service, at most one event of each reason: a prefix is advertised by the first node and withdrawn by the
// last. The first look returns nothing. The nodes' lists are kept until the next look, and must not change.
func (t *ServiceTracker) Observe(nodes []Node) []ServiceEvent {
	if !t.looked {
		t.nodes, t.holders = make(map[string]saying, len(nodes)), map[serviceRoute]int{}
	}
	t.round++
	t.changes = nil
	for i := range nodes {
		t.hear(&nodes[i])
	}
	if len(t.nodes) > len(nodes) {
		t.forgetGone()
	}
	t.looked = true
	return t.conclude()
}

// hear takes in what a node says.
func (t *ServiceTracker) hear(node *Node) {
	name := node.Node.Name
	said, met := t.nodes[name]
	defer func() {
		said.round = t.round
		t.nodes[name] = said
	}()
	if !met {
		// A node that was not there advertised nothing, and so did an agent that never reported.
		said.known = t.looked || node.Report == nil
	}
	switch {
	case node.Report == nil: // Its BGPNode was taken away: that says nothing new.
	case node.Silent || node.Report.Truncated:
	case !said.known || !sameArray(said.list, node.Report.Advertisements):
		now := saying{known: true, list: node.Report.Advertisements}
		now.kept = t.compare(name, said, now.list)
		said = now
	}
}

// sameArray tells whether two lists are one: no entry needs to be compared then.
func sameArray[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// compare finds what a node's list has more and less than what it said before, and returns what may be advertised still
// although it is not listed. What is not certain to have just changed is counted at once and causes no event.
func (t *ServiceTracker) compare(node string, said saying, list []v1alpha1.NodeAdvertisement) (kept []serviceRoute) {
	before, after := differing(said.list, list)
	old := append(routesOf(before), said.kept...)
	now := routesOf(after)
	slices.SortFunc(old, serviceRoute.compare)
	slices.SortFunc(now, serviceRoute.compare)
	for len(old) > 0 || len(now) > 0 {
		switch order := compareHeads(old, now); {
		case order == 0:
			old, now = old[1:], now[1:]
		case order < 0:
			if mayHide(list, old[0]) {
				kept = append(kept, old[0])
			} else {
				t.changes = append(t.changes, routeChange{old[0], node, false})
			}
			old = old[1:]
		default:
			if said.known && !mayHide(said.list, now[0]) {
				t.changes = append(t.changes, routeChange{now[0], node, true})
			} else {
				t.holders[now[0]]++
			}
			now = now[1:]
		}
	}
	return kept
}

// compareHeads compares the first entries of two lists, of which one may be empty: its end comes after all.
func compareHeads(a, b []serviceRoute) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	default:
		return a[0].compare(b[0])
	}
}

// differing returns two lists without what they begin and end with alike.
func differing(a, b []v1alpha1.NodeAdvertisement) (_, _ []v1alpha1.NodeAdvertisement) {
	for len(a) > 0 && len(b) > 0 && alike(&a[0], &b[0]) {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && alike(&a[len(a)-1], &b[len(b)-1]) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

func alike(a, b *v1alpha1.NodeAdvertisement) bool {
	return a.Prefix == b.Prefix && slices.Equal(a.Services, b.Services)
}

func routesOf(list []v1alpha1.NodeAdvertisement) []serviceRoute {
	var routes []serviceRoute
	for i := range list {
		for _, service := range list[i].Services {
			routes = append(routes, serviceRoute{service, list[i].Prefix})
		}
	}
	return routes
}

// mayHide tells whether a route that a whole list does not name may be advertised all the same: where its prefix names as
// many Services as it can, and they come before the route's.
func mayHide(list []v1alpha1.NodeAdvertisement, route serviceRoute) bool {
	i := slices.IndexFunc(list, func(a v1alpha1.NodeAdvertisement) bool { return a.Prefix == route.prefix })
	if i < 0 {
		return false
	}
	services := list[i].Services
	return len(services) >= advertise.MaxServicesPerRoute &&
		keyOf(services[len(services)-1]).Compare(keyOf(route.service)) < 0
}

func keyOf(service string) advertise.ServiceKey {
	namespace, name, _ := strings.Cut(service, "/")
	return advertise.ServiceKey{Namespace: namespace, Name: name}
}

// forgetGone takes out what nodes said that are gone: whether they withdrew it nobody has said.
func (t *ServiceTracker) forgetGone() {
	for name, said := range t.nodes {
		if said.round == t.round {
			continue
		}
		delete(t.nodes, name)
		for _, route := range append(routesOf(said.list), said.kept...) {
			t.add(route, -1)
		}
	}
}

func (t *ServiceTracker) add(route serviceRoute, n int) {
	if t.holders[route] += n; t.holders[route] == 0 {
		delete(t.holders, route)
	}
}

// conclude counts the certain changes and returns the events that they amount to.
func (t *ServiceTracker) conclude() []ServiceEvent {
	slices.SortFunc(t.changes, func(a, b routeChange) int {
		return cmp.Or(a.compare(b.serviceRoute), strings.Compare(a.node, b.node))
	})
	var events []ServiceEvent
	for rest := t.changes; len(rest) > 0; {
		var first, last []turning
		service := rest[0].service
		for len(rest) > 0 && rest[0].service == service {
			n := 1
			for n < len(rest) && rest[n].serviceRoute == rest[0].serviceRoute {
				n++
			}
			switch turned := t.turn(rest[:n]); {
			case len(turned.nodes) == 0:
			case turned.gain:
				first = append(first, turned)
			default:
				last = append(last, turned)
			}
			rest = rest[n:]
		}
		events = appendEvent(events, service, EventWithdrawn, last)
		events = appendEvent(events, service, EventAdvertised, first)
	}
	t.changes = nil
	return events
}

// turning is a prefix that the first nodes advertise, or the last have withdrawn.
type turning struct {
	prefix string
	nodes  []string
	gain   bool
}

// turn counts the changes of one route; the result has no nodes where others advertise it before and after.
func (t *ServiceTracker) turn(changes []routeChange) turning {
	var gained, lost []string
	for _, c := range changes {
		if c.gain {
			gained = append(gained, c.node)
		} else {
			lost = append(lost, c.node)
		}
	}
	route := changes[0].serviceRoute
	before := t.holders[route]
	t.add(route, len(gained)-len(lost))
	after := t.holders[route]
	switch {
	case before == 0 && after > 0:
		return turning{route.prefix, gained, true}
	case before > 0 && after == 0:
		return turning{route.prefix, lost, false}
	default:
		return turning{}
	}
}

// appendEvent adds an event for a Service's prefixes, those of the same nodes together.
func appendEvent(events []ServiceEvent, service, reason string, turnings []turning) []ServiceEvent {
	if len(turnings) == 0 {
		return events
	}
	var texts []string
	for rest := turnings; len(rest) > 0; {
		var prefixes []string
		var others []turning
		for _, turned := range rest {
			if slices.Equal(turned.nodes, rest[0].nodes) {
				prefixes = append(prefixes, turned.prefix)
			} else {
				others = append(others, turned)
			}
		}
		texts = append(texts, wording.Prefixes(prefixes)+" from "+wording.Nodes(rest[0].nodes))
		rest = others
	}
	return append(events, ServiceEvent{keyOf(service), eventOf(reason, reason+" "+strings.Join(texts, "; "))})
}
