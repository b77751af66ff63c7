package crosscheck_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
)

// lines returns findings as text: the reason, whether it is a warning, and what the user reads.
func lines(findings []crosscheck.Finding) []string {
	var texts []string
	for _, f := range findings {
		how := "error"
		if f.Warning {
			how = "warning"
		}
		texts = append(texts, fmt.Sprintf("%s %s: %s", how, f.Reason, f.Text()))
	}
	return texts
}

func expect(t *testing.T, want []string, got []crosscheck.Finding) {
	t.Helper()
	if diff := cmp.Diff(want, lines(got)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// others are objects that a row's object lives with, the spec by "name/age", or by the name alone where the age is 1.
type others map[string]string

// each calls add for each of the objects.
func (o others) each(t *testing.T, add func(name string, age int, text string)) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(o)) {
		name, days, _ := strings.Cut(key, "/")
		age := 1
		if days != "" {
			if _, err := fmt.Sscan(days, &age); err != nil {
				t.Fatal(err)
			}
		}
		add(name, age, o[key])
	}
}

// rackWith returns the rack with other objects, and with a change of what it is itself.
func rackWith(t *testing.T, peers, configurations others, change func(*cluster.State)) cluster.State {
	t.Helper()
	state := clustertest.Rack()
	peers.each(t, func(name string, age int, text string) {
		state.Peers = append(state.Peers, clustertest.Peer(t, name, age, text))
	})
	configurations.each(t, func(name string, age int, text string) {
		state.Configurations = append(state.Configurations, clustertest.Configuration(t, name, age, text))
	})
	if change != nil {
		change(&state)
	}
	return state
}
