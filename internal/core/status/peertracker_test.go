package status_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/status"
)

// told returns events as lines.
func told(events []status.Event) []string {
	lines := []string{}
	for _, e := range events {
		kind := "Normal"
		if e.Warning {
			kind = "Warning"
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", kind, e.Reason, e.Message))
	}
	return lines
}

func TestPeerTracker(t *testing.T) {
	t.Parallel()
	nodes := func(nodes ...status.Node) []status.Node { return nodes }
	expired := flapped(down("hold timer expired"), 1, "hold timer expired")
	for name, row := range map[string]struct {
		looks [][]status.Node
		want  []string // Of the last look.
	}{
		"the first look is where it starts": {
			looks: [][]status.Node{nodes(node(1, up()), node(2, down("connection refused")))},
		},
		"nothing happened": {
			looks: [][]status.Node{nodes(node(1, up()), node(2, down("refused"))), nodes(node(2, down("filtered")), node(1, up()))},
		},
		"established": {
			looks: [][]status.Node{nodes(node(1, down("")), node(2, up())), nodes(node(1, up()), node(2, up()))},
			want:  []string{"Normal SessionUp: session with node-1 is established"},
		},
		"lost on three nodes for one cause": {
			looks: [][]status.Node{
				nodes(node(1, up()), node(2, up()), node(3, up())), nodes(node(3, expired), node(1, expired), node(2, expired)),
			},
			want: []string{"Warning SessionDown: sessions with node-1, node-2 and 1 other node are lost: hold timer expired"},
		},
		"lost for two causes, and another one established": {
			looks: [][]status.Node{
				nodes(node(1, up()), node(2, up()), node(3, up()), node(4, down(""))),
				nodes(node(1, expired), node(2, down("connection reset")), node(3, expired), node(4, up())),
			},
			want: []string{
				"Warning SessionDown: sessions with node-1, node-2 and 1 other node are lost: " +
					"hold timer expired (node-1 and node-3); connection reset (node-2)",
				"Normal SessionUp: session with node-4 is established",
			},
		},
		"lost and established again between two looks": {
			looks: [][]status.Node{
				nodes(node(1, up()), node(2, up())), nodes(node(1, flapped(up(), 1, "hold timer expired")), node(2, up())),
			},
			want: []string{"Warning SessionDown: session with node-1 was lost and is established again: hold timer expired"},
		},
		"one lost for good, and one not": {
			looks: [][]status.Node{
				nodes(node(1, up()), node(2, up())), nodes(node(1, flapped(up(), 1, "hold timer expired")), node(2, expired)),
			},
			want: []string{"Warning SessionDown: session with node-2 is lost: hold timer expired; " +
				"session with node-1 was lost and is established again: hold timer expired"},
		},
		"established and lost between two looks": {
			looks: [][]status.Node{nodes(node(1, down(""))), nodes(node(1, expired))},
			want:  []string{"Warning SessionDown: session with node-1 is lost: hold timer expired"},
		},
		"an agent that restarted counts from 0": {
			looks: [][]status.Node{nodes(node(1, flapped(up(), 7, "old"))), nodes(node(1, up()))},
		},
		"a restarted agent knows no cause": {
			looks: [][]status.Node{nodes(node(1, up())), nodes(node(1, down("")))},
			want: []string{
				"Warning SessionDown: session with node-1 is lost: its agent names no cause, as after a restart of the agent",
			},
		},
		"silence is no loss": {
			looks: [][]status.Node{nodes(node(1, up())), nodes(silent(node(1, up())))},
		},
		"nor is the end of silence an establishment": {
			looks: [][]status.Node{nodes(node(1, up())), nodes(silent(node(1, up()))), nodes(node(1, up()))},
		},
		"lost during silence": {
			looks: [][]status.Node{nodes(node(1, up())), nodes(silent(node(1, up()))), nodes(node(1, expired))},
			want:  []string{"Warning SessionDown: session with node-1 is lost: hold timer expired"},
		},
		"silent from the start, so nobody knows what it was before": {
			looks: [][]status.Node{nodes(silent(node(1, down("")))), nodes(silent(node(1, down("")))), nodes(node(1, up()))},
		},
		"nor whether what it lost was lost before": {
			looks: [][]status.Node{nodes(silent(node(1, down("")))), nodes(node(1, expired))},
		},
		"an agent's first report": {
			looks: [][]status.Node{nodes(unreported(1)), nodes(node(1)), nodes(node(1, up()))},
			want:  []string{"Normal SessionUp: session with node-1 is established"},
		},
		"a report without the session says nothing": {
			looks: [][]status.Node{nodes(node(1, up())), nodes(node(1)), nodes(node(1, up()))},
		},
		"a new node": {
			looks: [][]status.Node{nodes(node(2, up())), nodes(node(1, up()), node(2, up()), node(3, up()))},
			want:  []string{"Normal SessionUp: sessions with node-1 and node-3 are established"},
		},
		"a node that is out of service, deselected or gone lost nothing": {
			looks: [][]status.Node{nodes(node(1, up()), node(2, up())), nodes(excluded(node(1, expired)))},
		},
		"another generation is another state of the same session": {
			looks: [][]status.Node{nodes(node(1, ofGeneration(up(), 2))), nodes(node(1, up()))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tracker status.PeerTracker
			var got []status.Event
			for _, look := range row.looks {
				got = tracker.Observe(tor(), look)
			}
			NewWithT(t).Expect(told(got)).To(Equal(append([]string{}, row.want...)))
		})
	}
}

func TestPeerTrackerStartsAnewWithAnotherObject(t *testing.T) {
	t.Parallel()
	var tracker status.PeerTracker
	g := NewWithT(t)
	tracker.Observe(tor(), []status.Node{node(1, up())})
	recreated := tor()
	recreated.UID = "another"
	session := up()
	session.PeerUID = "another"
	g.Expect(tracker.Observe(recreated, []status.Node{node(1)})).To(BeEmpty())
	g.Expect(told(tracker.Observe(recreated, []status.Node{node(1, session)}))).To(
		Equal([]string{"Normal SessionUp: session with node-1 is established"}))
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	var before, after []status.Node
	for i := range 5000 {
		before = append(before, node(i, up()))
		after = append(after, node(i, down(fmt.Sprintf("cause %d", i))))
	}
	var tracker status.PeerTracker
	tracker.Observe(tor(), before)
	got := tracker.Observe(tor(), after)
	g := NewWithT(t)
	g.Expect(got).To(HaveLen(1))
	g.Expect(len(got[0].Message)).To(BeNumerically("<=", 1024))
	g.Expect(got[0].Message).To(HavePrefix("sessions with node-0, node-1 and 4998 other nodes are lost: cause 0 (node-0); "))
}

// TestPeerTrackerTellsTheTruth: whoever starts with what a first look shows and follows the events knows, of each session
// whose state is known, whether it is up, as long as every look differs from the one before in one node only.
func TestPeerTrackerTellsTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nodes := []status.Node{node(1, up()), node(2, down("")), node(3, up())}
		believed := map[string]bool{"node-1": true, "node-2": false, "node-3": true}
		var tracker status.PeerTracker
		tracker.Observe(tor(), nodes)
		for range 20 {
			i := rapid.IntRange(0, 2).Draw(t, "node")
			name := nodes[i].Node.Name
			nodes[i] = rapid.SampledFrom([]status.Node{
				node(i+1, up()), node(i+1, down("refused")), silent(node(i+1, up())), unreported(i + 1), node(i + 1),
				node(i+1, ofGeneration(down("refused"), 2)),
			}).Draw(t, "report")
			for _, e := range tracker.Observe(tor(), rapid.Permutation(nodes).Draw(t, "order")) {
				if e.Reason == status.EventSessionUp == believed[name] {
					t.Fatalf("%s is up: %t, and then %s", name, believed[name], told([]status.Event{e}))
				}
				believed[name] = e.Reason == status.EventSessionUp
			}
			n := nodes[i]
			if n.Report != nil && !n.Silent && len(n.Report.Sessions) > 0 {
				if isUp := n.Report.Sessions[0].State == v1alpha1.SessionEstablished; isUp != believed[name] {
					t.Fatalf("%s is up: %t, but the events say %t", name, isUp, believed[name])
				}
			}
		}
	})
}
