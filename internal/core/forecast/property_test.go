package forecast_test

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/forecast"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/plan"
)

// agent is what the agent of one node does: its core is fed with the node's own view of the cluster, one event at a time.
type agent struct {
	intent intent.Intent
	table  *advertise.Table
	// sent are the prefixes that go out on at least one session, and to those that go out to each peer.
	sent map[netip.Prefix]bool
	to   map[string]map[netip.Prefix]bool
}

func newAgent(state cluster.State, node intent.Node, services []service) agent {
	a := agent{
		intent: state.Intent(node),
		table:  advertise.NewTable(),
		sent:   map[netip.Prefix]bool{},
		to:     map[string]map[netip.Prefix]bool{},
	}
	a.table.Configure(a.intent.Advertise)
	for _, s := range services {
		a.table.SetService(s.key, s.spec)
		for i, e := range s.endpoints {
			slice := advertise.Slice{Service: s.key.Name, Family: e.family}
			slice.Endpoints.Add(e.conditions(), e.node == node.Name)
			a.table.SetSlice(advertise.SliceKey{Namespace: s.key.Namespace, Name: s.key.Name + strconv.Itoa(i)}, slice)
		}
	}
	for _, path := range a.table.Paths() {
		for _, peer := range a.intent.Peers {
			if _, ok := bgp.Export(peer, path); ok {
				a.sent[path.Prefix] = true
				if a.to[peer.Name] == nil {
					a.to[peer.Name] = map[netip.Prefix]bool{}
				}
				a.to[peer.Name][path.Prefix] = true
			}
		}
	}
	return a
}

// leadsTo reports whether a route of the node leads to an address of a Service.
func (a agent) leadsTo(key advertise.ServiceKey, address netip.Addr) bool {
	decisions, _ := a.table.Explain(key)
	return slices.ContainsFunc(decisions, func(d advertise.Decision) bool {
		route, advertised := d.HostRoute()
		if d.Reason == advertise.CoveredByAggregate {
			route, advertised = d.Block.CIDR, true
		}
		return d.Address.Addr == address && advertised && a.sent[route]
	})
}

func (a agent) peer(name string) (bgp.Peer, bool) {
	i := slices.IndexFunc(a.intent.Peers, func(p bgp.Peer) bool { return p.Name == name })
	if i < 0 {
		return bgp.Peer{}, false
	}
	return a.intent.Peers[i], true
}

// outcome is a forecast as plain lists of nodes.
type outcome struct {
	Withdrawn map[netip.Prefix][]string
	// FromPeer are the prefixes, after the peer's name, that only it loses.
	FromPeer map[string][]string
	Services []advertise.ServiceKey
	// Closed and Reset are by the peer's name.
	Closed, Reset map[string][]string
	// Problems are by object, field without indices, and message.
	Problems map[string][]string
}

func newOutcome() outcome {
	return outcome{map[netip.Prefix][]string{}, map[string][]string{}, nil, map[string][]string{}, map[string][]string{}, map[string][]string{}}
}

// observed runs the agents of all nodes before and after the change, and compares what each does.
func observed(before, after cluster.State, services []service) outcome {
	was, will := map[string]agent{}, map[string]agent{}
	for _, n := range before.Nodes {
		i := slices.IndexFunc(after.Nodes, func(other intent.Node) bool { return other.Name == n.Name })
		if i >= 0 {
			was[n.Name], will[n.Name] = newAgent(before, n, services), newAgent(after, after.Nodes[i], services)
		}
	}
	out := newOutcome()
	for _, name := range slices.Sorted(maps.Keys(was)) {
		out.compare(name, was[name], will[name])
		out.comparePeers(name, was[name], will[name], rulesChange(before, after))
	}
	for _, s := range services {
		if slices.ContainsFunc(s.spec.Addresses, func(address advertise.Address) bool {
			return anyLeadsTo(was, s.key, address.Addr) && !anyLeadsTo(will, s.key, address.Addr)
		}) {
			out.Services = append(out.Services, s.key)
		}
	}
	slices.SortFunc(out.Services, advertise.ServiceKey.Compare)
	return out
}

func anyLeadsTo(agents map[string]agent, key advertise.ServiceKey, address netip.Addr) bool {
	for _, a := range agents {
		if a.leadsTo(key, address) {
			return true
		}
	}
	return false
}

func (o *outcome) compare(node string, was, will agent) {
	for prefix := range was.sent {
		if !will.sent[prefix] {
			o.Withdrawn[prefix] = append(o.Withdrawn[prefix], node)
		}
	}
	for _, old := range was.intent.Peers {
		switch peer, runs := will.peer(old.Name); {
		case !runs:
			o.Closed[old.Name] = append(o.Closed[old.Name], node)
		case plan.ImpactOf(old, peer) == plan.SessionDrop:
			o.Reset[old.Name] = append(o.Reset[old.Name], node)
		}
	}
	for problem := range problemsOf(will.intent) {
		if !problemsOf(was.intent)[problem] {
			o.Problems[problem] = append(o.Problems[problem], node)
		}
	}
}

// rulesChange returns the peers that are there before and after a change, with other export rules.
func rulesChange(before, after cluster.State) map[string]bool {
	names := map[string]bool{}
	for _, old := range before.Peers {
		for _, p := range after.Peers {
			if p.Name == old.Name && !cmp.Equal(old.Spec.Export, p.Spec.Export, cmpopts.EquateEmpty()) {
				names[p.Name] = true
			}
		}
	}
	return names
}

func (o *outcome) comparePeers(node string, was, will agent, peers map[string]bool) {
	for peer := range peers {
		for prefix := range was.to[peer] {
			if !will.to[peer][prefix] && will.sent[prefix] {
				key := peer + " " + prefix.String()
				o.FromPeer[key] = append(o.FromPeer[key], node)
			}
		}
	}
}

var index = regexp.MustCompile(`\[[0-9]+\]`)

func problemsOf(i intent.Intent) map[string]bool {
	all := map[string]bool{}
	for _, p := range i.Problems {
		p.Field = index.ReplaceAllString(p.Field, "[]")
		all[p.String()] = true
	}
	return all
}

// announced returns what a forecast says as an outcome.
func announced(f forecast.Forecast) outcome {
	out := newOutcome()
	out.Services = f.Services
	for _, w := range f.Withdrawals {
		out.Withdrawn[w.Prefix] = slices.Collect(w.Nodes.All())
	}
	for _, p := range f.Peers {
		for _, w := range p.Withdrawals {
			out.FromPeer[p.Peer+" "+w.Prefix.String()] = slices.Collect(w.Nodes.All())
		}
	}
	for _, s := range f.Sessions {
		if len(s.Closed) > 0 {
			out.Closed[s.Peer] = s.Closed
		}
		if len(s.Reset) > 0 {
			out.Reset[s.Peer] = s.Reset
		}
	}
	for _, p := range f.Problems {
		p.Field = index.ReplaceAllString(p.Field, "[]")
		out.Problems[p.String()] = p.Nodes
	}
	return out
}

// TestWhatIsAnnouncedIsWhatTheAgentsDo holds the forecast, and the words of its warnings, to what the agents' own cores
// compute for each node by itself.
func TestWhatIsAnnouncedIsWhatTheAgentsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, services := drawCluster(t)
		for range 4 {
			after := drawChange(t, before)
			want, f := observed(before, after, services), forecast.Of(before, after)
			if diff := cmp.Diff(want, announced(f), comparers...); diff != "" {
				t.Fatalf("the agents and the forecast differ (-agents +forecast):\n%s\n%s", diff, described(before, after))
			}
			checkWords(t, want, f.Warnings())
			before = after
		}
	})
}

var comparers = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

// checkWords reads the warnings as a person would, and counts what they announce.
func checkWords(t *rapid.T, want outcome, warnings []string) {
	got := newWords()
	for _, w := range warnings {
		if !got.read(w) {
			t.Fatalf("the warning %q says what nobody asked for", w)
		}
	}
	if diff := cmp.Diff(wordsOf(want), got); diff != "" {
		t.Fatalf("the agents and the warnings differ (-agents +warnings):\n%s\n%s", diff, strings.Join(warnings, "\n"))
	}
}

// words are the numbers that warnings announce.
type words struct {
	// Prefixes withdrawn, and from how many nodes at the most.
	Prefixes, Nodes int
	Services        int
	// FromPeers counts the prefixes that only a peer loses, by the peer's name.
	FromPeers map[string]int
	// Closed and Reset count nodes by the peer's name.
	Closed, Reset map[string]int
}

func newWords() words {
	return words{FromPeers: map[string]int{}, Closed: map[string]int{}, Reset: map[string]int{}}
}

func wordsOf(o outcome) words {
	w := newWords()
	nodes := map[string]bool{}
	for _, withdrawing := range o.Withdrawn {
		for _, node := range withdrawing {
			nodes[node] = true
		}
	}
	w.Prefixes, w.Nodes, w.Services = len(o.Withdrawn), len(nodes), len(o.Services)
	for key := range o.FromPeer {
		peer, _, _ := strings.Cut(key, " ")
		w.FromPeers[peer]++
	}
	for peer, closed := range o.Closed {
		w.Closed[peer] = len(closed)
	}
	for peer, reset := range o.Reset {
		w.Reset[peer] = len(reset)
	}
	return w
}

var (
	fromPeer  = regexp.MustCompile(`^this change withdraws \S+?(?: and (\d+) other prefix(?:es)?)?(?: from|, each from one of|, each from one or more of) (?:\d+) nodes? on the sessions with BGPPeer "(.*)" alone$`)
	withdraws = regexp.MustCompile(`^this change withdraws \S+?(?: and (\d+) other prefix(?:es)?)?(?: from|, each from one of|, each from one or more of) (\d+) nodes?$`)
	leaves    = regexp.MustCompile(`^this change withdraws the last routes to addresses of (?:Service \S+|(\d+) Services: .*)$`)
	ends      = regexp.MustCompile(`^this change (closes|resets) the sessions? of (\d+) nodes? with BGPPeer "(.*)"$`)
)

func (w *words) read(warning string) bool {
	number := func(text string) int {
		n, _ := strconv.Atoi(text)
		return n
	}
	if m := withdraws.FindStringSubmatch(warning); m != nil {
		w.Prefixes += 1 + number(m[1])
		w.Nodes = max(w.Nodes, number(m[2]))
		return true
	}
	if m := fromPeer.FindStringSubmatch(warning); m != nil {
		w.FromPeers[m[2]] = 1 + number(m[1])
		return true
	}
	if m := leaves.FindStringSubmatch(warning); m != nil {
		w.Services = max(1, number(m[1]))
		return true
	}
	m := ends.FindStringSubmatch(warning)
	if m == nil {
		return false
	}
	byPeer := map[string]map[string]int{"closes": w.Closed, "resets": w.Reset}[m[1]]
	byPeer[m[3]] = number(m[2])
	return true
}
