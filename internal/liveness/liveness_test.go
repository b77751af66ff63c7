package liveness_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/liveness"
)

// start is any moment of the manager's clock; signs are of another machine's, which is a minute behind.
var (
	start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	sign  = start.Add(-time.Minute)
)

func after(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func signAt(seconds int) time.Time { return sign.Add(time.Duration(seconds) * time.Second) }

func TestAnAgentIsSilentOnceItsSignsStopForTheTimeout(t *testing.T) {
	var agents liveness.Agents
	expect := func(second int, want ...string) {
		t.Helper()
		if changed := agents.Changes(after(second)); !slices.Equal(changed, want) {
			t.Errorf("after %d s %v changed, want %v", second, changed, want)
		}
	}
	if silent, heard := agents.Of("node-1"); !silent || !heard.IsZero() {
		t.Errorf("an agent that was never heard: silent %v, heard at %v", silent, heard)
	}
	agents.Heard("node-1", signAt(0), after(0))
	expect(0, "node-1")
	for second := 10; second <= 60; second += 10 {
		agents.Heard("node-1", signAt(second), after(second))
		expect(second)
	}
	// The last sign is seen again and again, as on a relist: it is not a new one.
	agents.Heard("node-1", signAt(60), after(95))
	expect(99)
	expect(100, "node-1")
	expect(101)
	if silent, heard := agents.Of("node-1"); !silent || !heard.Equal(signAt(60)) || agents.Silent() != 1 {
		t.Errorf("silent: %v, last heard at %v, %d are silent; want since %v by its own clock", silent, heard, agents.Silent(), signAt(60))
	}
	agents.Heard("node-1", signAt(200), after(200))
	if silent, _ := agents.Of("node-1"); silent || agents.Silent() != 0 {
		t.Error("an agent that came back is silent")
	}
	expect(200, "node-1")
}

func TestAnAgentThatWasDeadBeforeTheManagerCameStaysSilent(t *testing.T) {
	var agents liveness.Agents
	agents.Heard("node-1", start.Add(-time.Hour), after(0))
	if silent, heard := agents.Of("node-1"); !silent || !heard.Equal(start.Add(-time.Hour)) {
		t.Errorf("silent: %v, last heard at %v", silent, heard)
	}
	if changed := agents.Changes(after(1)); len(changed) > 0 {
		t.Errorf("%v changed", changed)
	}
	// One whose clock is wrong by an hour is believed at its next sign.
	agents.Heard("node-1", start.Add(-time.Hour+10*time.Second), after(10))
	if changed := agents.Changes(after(10)); !slices.Equal(changed, []string{"node-1"}) {
		t.Errorf("%v changed, want node-1", changed)
	}
	if silent, _ := agents.Of("node-1"); silent {
		t.Error("an agent that gave a new sign is silent")
	}
}

func TestAClockThatGoesBackwardsIsASignOfLife(t *testing.T) {
	var agents liveness.Agents
	agents.Heard("node-1", signAt(0), after(0))
	agents.Heard("node-1", signAt(-3600), after(10))
	agents.Changes(after(49))
	if silent, _ := agents.Of("node-1"); silent {
		t.Error("it fell silent")
	}
}

func TestASignThatIsTakenAwayIsNoSilenceYet(t *testing.T) {
	var agents liveness.Agents
	for _, node := range []string{"back", "gone"} {
		agents.Heard(node, signAt(0), after(0))
	}
	agents.Changes(after(0))
	for _, node := range []string{"back", "gone"} {
		agents.Gone(node)
	}
	agents.Heard("back", signAt(10), after(10))
	if silent, _ := agents.Of("gone"); silent {
		t.Error("it is silent at once")
	}
	if changed := agents.Changes(after(45)); !slices.Equal(changed, []string{"gone"}) {
		t.Errorf("%v fell silent, want the one whose sign did not come back", changed)
	}
	if agents.Silent() != 0 {
		t.Errorf("an agent that is gone is still counted")
	}
}

// Whatever the order of things, those that are silent are those whose last new sign was seen the timeout ago or earlier, and
// Changes tells of every change.
func TestWhatIsToldIsWhatIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var agents liveness.Agents
		now := start
		seen, signs, heard := map[string]time.Time{}, map[string]int{}, map[string]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			node := fmt.Sprintf("node-%d", rapid.IntRange(1, 3).Draw(t, "node"))
			value := rapid.IntRange(1, 4).Draw(t, "sign")
			agents.Heard(node, signAt(3600+value), now) // Its clock is ahead, so that no sign is too old to be believed.
			if signs[node] != value {
				signs[node], seen[node] = value, now
			}
			for _, changed := range agents.Changes(now) {
				heard[changed] = !heard[changed]
			}
			for node := range seen {
				want := now.Sub(seen[node]) >= liveness.Timeout
				if silent, _ := agents.Of(node); silent != want || heard[node] == want {
					t.Fatalf("%s: silent %v, told to be heard %v; want silent %v", node, silent, heard[node], want)
				}
			}
		}
	})
}

func BenchmarkChanges(b *testing.B) {
	var agents liveness.Agents
	for i := range 5000 {
		agents.Heard(fmt.Sprintf("node-%d", i), signAt(0), after(0))
	}
	b.ReportAllocs()
	for b.Loop() {
		agents.Changes(after(10))
	}
}
