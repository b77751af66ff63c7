package ipam_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
)

func TestTheTableDecidesAsTheRulesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.configure(someConfigs.Draw(t, "first config"))
		steps := w.steps()
		steps[""] = w.check
		t.Repeat(steps)
	})
}

// settle decides on whatever is touched, and lets time pass, until nothing is left to be done. It returns what each Service
// was told last.
func (w *world) settle(t *rapid.T, told map[types.UID]ipam.Decision) {
	for range 100 {
		next := w.serve(t)
		touched := w.table.TakeTouched()
		for _, key := range touched {
			s := w.api[key]
			told[s.UID] = w.decide(t, key)
			w.write(key, told[s.UID])
			if len(s.Former) > 0 {
				delete(told, s.UID) // The write changed more than what was told.
			}
		}
		switch {
		case len(touched) > 0:
		case next.IsZero():
			return
		default:
			w.oracle.now = next
		}
	}
	t.Fatalf("the table never comes to rest; the Services are:\n%s", w.oracle)
}

// Who decides on what is touched, and on nothing else, brings every Service to what it should have; and another table that is
// filled from the Services alone, in any order, says the same.
func TestWhoFollowsTheTouchedIsDone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.configure(someConfigs.Draw(t, "first config"))
		told := map[types.UID]ipam.Decision{}
		steps := map[string]func(*rapid.T){}
		for name, step := range w.steps() {
			switch name {
			case "decide", "write late", "decide and write", "renounce", "decide what is touched":
			default:
				steps[name] = step
			}
		}
		steps["settle"] = func(t *rapid.T) { w.settle(t, told) }
		t.Repeat(steps)
		w.oracle.now = w.now().Add(ipam.Rest)
		w.settle(t, told)
		for key, s := range w.api {
			d := w.decide(t, key)
			had := slices.Clone(s.Assigned)
			w.write(key, d)
			if now := w.api[key]; !slices.Equal(now.Assigned, had) {
				t.Fatalf("%s has %v, but is to have %v, and was not touched", key, had, now.Assigned)
			}
			if last, ok := told[s.UID]; ok && (last.Reason != d.Reason || last.Message != d.Message) {
				t.Fatalf("%s was told %q, and is not touched, but is to be told %q", key, last.Message, d.Message)
			}
		}
		w.oracle.now = w.now().Add(ipam.Rest)
		w.checkRebuilt(t)
	})
}

// checkRebuilt fills another table from the Services alone, and holds what it says to what the first does.
func (w *world) checkRebuilt(t *rapid.T) {
	keys := slices.SortedFunc(maps.Keys(w.api), advertise.ServiceKey.Compare)
	rebuilt := ipam.NewTable()
	fill := []func(){func() { rebuilt.Configure(w.oracle.config, w.now()) }}
	for name, set := range w.oracle.namespaces {
		fill = append(fill, func() { rebuilt.SetNamespace(name, set) })
	}
	for a, listed := range w.oracle.listed {
		fill = append(fill, func() { rebuilt.SetListed(a, listed, w.now()) })
	}
	for _, key := range keys {
		fill = append(fill, func() { rebuilt.SetService(w.api[key], w.now()) })
	}
	for _, step := range rapid.Permutation(fill).Draw(t, "order of filling") {
		step()
	}
	compare := func(keys []advertise.ServiceKey) {
		for _, key := range rapid.Permutation(keys).Draw(t, "order of deciding") {
			one, other := w.table.Decide(key, w.now()), rebuilt.Decide(key, w.now())
			if s := w.api[key]; len(s.Families) > 1 && one.Reason != "" && other.Reason != "" {
				// Which of two families that are both lacking is named depends on which one was lacking first.
				one.Reason, one.Message, other.Reason, other.Message = "", "", "", ""
			}
			if diff := cmp.Diff(one, other, sameAddresses); diff != "" {
				t.Fatalf("%s is to have (-before +rebuilt):\n%s", key, diff)
			}
		}
		for _, p := range w.oracle.config.Pools {
			for _, family := range []bgp.Family{bgp.IPv4, bgp.IPv6} {
				one, other := w.table.Usage(p.Name, family), rebuilt.Usage(p.Name, family)
				if one.Assigned != other.Assigned || one.Total.Cmp(other.Total) != 0 || one.Available.Cmp(other.Available) != 0 {
					t.Fatalf("usage of %s: %+v, rebuilt %+v", p.Name, one, other)
				}
			}
		}
	}
	compare(keys)
	for range 3 {
		s := w.newSpec(t)
		for _, table := range []*ipam.Table{w.table, rebuilt} {
			table.SetService(s, w.now())
		}
		compare(append(slices.Clone(keys), s.Key))
	}
}

var sameAddresses = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
