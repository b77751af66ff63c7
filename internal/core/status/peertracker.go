package status

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/wording"
)

// PeerTracker tells what happened to the sessions of one BGPPeer since it was last asked. The zero PeerTracker has not
// looked yet. It is for one goroutine at a time.
type PeerTracker struct {
	// peer is whose sessions were seen, and seen what was last known of each, by node.
	peer   types.UID
	looked bool
	seen   []sighting
}

// sighting is what was last known of one node's session.
type sighting struct {
	node  string
	state sighted
	flaps int32
}

// sighted is what was seen of a session. What is not known now stays as it was seen, since nothing has been seen to happen.
type sighted uint8

const (
	// neverSeen: the node's agent has been silent since the tracker first looked.
	neverSeen sighted = iota
	seenDown
	seenUp
)

// Observe looks at the peer's sessions on all nodes of the cluster, which come in any order, and returns what happened
// since the last look, in at most one event of each reason. The first look returns nothing, nor does the first look at
// another object of the same name.
//
// A session that is closed because the node is no longer selected, or out of service, was not lost.
func (t *PeerTracker) Observe(peer *v1alpha1.BGPPeer, nodes []Node) []Event {
	if t.looked && t.peer != peer.UID {
		*t = PeerTracker{}
	}
	links, _ := linksOf(peer, nodes)
	var happened happenings
	seen := make([]sighting, len(links))
	before := t.seen
	for i, l := range links {
		name := l.node.Node.Name
		for len(before) > 0 && before[0].node < name {
			before = before[1:]
		}
		earlier, known := sighting{node: name, state: seenDown}, len(before) > 0 && before[0].node == name
		switch {
		case known:
			earlier = before[0]
		case !t.looked:
			earlier.state = neverSeen
		}
		seen[i] = l.sight(earlier)
		happened.note(earlier, seen[i], l.session)
	}
	t.peer, t.looked, t.seen = peer.UID, true, seen
	return happened.events()
}

// sight returns what is known of a session now.
func (l link) sight(earlier sighting) sighting {
	now := earlier
	switch {
	case l.standing == silent:
	case l.session == nil && earlier.state != neverSeen:
	case l.session == nil:
		now.state = seenDown
	case l.session.State == v1alpha1.SessionEstablished:
		now.state, now.flaps = seenUp, l.session.Flaps
	default:
		now.state, now.flaps = seenDown, l.session.Flaps
	}
	return now
}

// happenings are what happened to sessions between two looks.
type happenings struct {
	lost, flapped []remarkOn
	established   []string
}

func (h *happenings) note(earlier, now sighting, session *v1alpha1.NodeSession) {
	if earlier.state == neverSeen {
		return
	}
	flapped := now.flaps > earlier.flaps
	switch {
	case now.state == seenUp && earlier.state == seenUp && flapped:
		h.flapped = append(h.flapped, remarkOn{node: now.node, text: lossOf(session)})
	case now.state == seenUp && earlier.state == seenDown:
		h.established = append(h.established, now.node)
	case now.state == seenDown && (earlier.state == seenUp || flapped):
		h.lost = append(h.lost, remarkOn{node: now.node, text: lossOf(session)})
	}
}

// lossOf says why a session was lost. An agent that has just started knows of no loss: the one that it replaced held the
// session.
func lossOf(session *v1alpha1.NodeSession) string {
	if session.LastError == "" {
		return "its agent names no cause, as after a restart of the agent"
	}
	return session.LastError
}

// events returns what is to be told: at most one event for each reason.
func (h *happenings) events() []Event {
	var losses []string
	if len(h.lost) > 0 {
		losses = append(losses, lossText(h.lost, "is lost", "are lost"))
	}
	if len(h.flapped) > 0 {
		losses = append(losses, lossText(h.flapped, "was lost and is established again", "were lost and are established again"))
	}
	var events []Event
	if len(losses) > 0 {
		event := eventOf(EventSessionDown, strings.Join(losses, "; "))
		event.Warning = true
		events = append(events, event)
	}
	if len(h.established) > 0 {
		events = append(events, eventOf(EventSessionUp, sessionsWith(h.established, "is established", "are established")))
	}
	return events
}

// lossText says which sessions were lost, and why: with the nodes only where there is more than one cause.
func lossText(losses []remarkOn, one, many string) string {
	names := nodesOf(losses) // Before they are sorted by cause.
	causes := grouped(losses)
	if losses[0].text == losses[len(losses)-1].text {
		causes = []string{losses[0].text}
	}
	return sessionsWith(names, one, many) + ": " + strings.Join(causes, "; ")
}

func sessionsWith(nodes []string, one, many string) string {
	if len(nodes) == 1 {
		return "session with " + nodes[0] + " " + one
	}
	return "sessions with " + wording.Nodes(nodes) + " " + many
}

func eventOf(reason, message string) Event {
	return Event{Reason: reason, Message: wording.Cut(message, maxMessage)}
}
