package status

import (
	"slices"
	"strings"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
)

// standing says what is known of a session that a peer asks for, in the order in which a status lists them.
type standing uint8

const (
	// down: the node reports that the session is not established.
	down standing = iota
	// silent: the node's agent does not report any more.
	silent
	// unreported: the node's agent has not reported a session with the peer.
	unreported
	// outdatedDown and outdatedUp: what is reported is of another generation of the peer.
	outdatedDown
	outdatedUp
	// up: the session is established as the peer's present generation asks.
	up

	standings
)

// link is one node's part in a peer. The session is nil where the node has not reported one.
type link struct {
	node     *Node
	session  *v1alpha1.NodeSession
	standing standing
}

// linksOf returns a link for each node that the peer selects and that is in service, by node, and the names of those that
// it selects and that are out of service, each with why.
func linksOf(peer *v1alpha1.BGPPeer, nodes []Node) (links []link, outOfService []string) {
	selector := intent.PeerSelector(peer)
	links = make([]link, 0, len(nodes))
	for i := range nodes {
		node := &nodes[i]
		switch {
		case !selector.Selects(&node.Node):
		case node.Node.IsOutOfService():
			outOfService = append(outOfService, retired(&node.Node))
		default:
			links = append(links, linkOf(peer, node))
		}
	}
	slices.SortFunc(links, func(a, b link) int { return strings.Compare(a.node.Node.Name, b.node.Node.Name) })
	slices.Sort(outOfService)
	return links, outOfService
}

func linkOf(peer *v1alpha1.BGPPeer, node *Node) link {
	session := node.session(peer)
	return link{node: node, session: session, standing: standingOf(peer, node, session)}
}

func standingOf(peer *v1alpha1.BGPPeer, node *Node, session *v1alpha1.NodeSession) standing {
	switch {
	case node.Silent:
		return silent
	case session == nil:
		return unreported
	}
	present, established := session.PeerGeneration == peer.Generation, session.State == v1alpha1.SessionEstablished
	switch {
	case present && established:
		return up
	case present:
		return down
	case established:
		return outdatedUp
	default:
		return outdatedDown
	}
}

// session returns the node's session with a peer, which another object of the same name is not; nil where it reports none.
func (n *Node) session(peer *v1alpha1.BGPPeer) *v1alpha1.NodeSession {
	if n.Report == nil {
		return nil
	}
	for i := range n.Report.Sessions {
		if s := &n.Report.Sessions[i]; s.Peer == peer.Name && s.PeerUID == peer.UID {
			return s
		}
	}
	return nil
}

func count(links []link, standing standing) int {
	n := 0
	for i := range links {
		if links[i].standing == standing {
			n++
		}
	}
	return n
}

// maxSessions is how many sessions the API lets a BGPPeer list.
const maxSessions = 100

// listed returns the links as a status lists them, and whether there are more.
func listed(links []link) (sessions []v1alpha1.PeerSession, truncated bool) {
	if len(links) == 0 {
		return nil, false
	}
	sessions = make([]v1alpha1.PeerSession, 0, min(len(links), maxSessions))
	for standing := range standings {
		for i := range links {
			if links[i].standing != standing {
				continue
			}
			if len(sessions) == maxSessions {
				return sessions, true
			}
			sessions = append(sessions, v1alpha1.PeerSession{Node: links[i].node.Node.Name, Session: links[i].shown()})
		}
	}
	return sessions, false
}

// shown returns the session as its node reports it, or what is missing of a report.
func (l link) shown() v1alpha1.Session {
	switch l.standing {
	case silent:
		return v1alpha1.Session{State: v1alpha1.SessionUnknown, Since: toSecond(l.node.LastHeard), LastError: l.node.silence()}
	case unreported:
		return v1alpha1.Session{State: v1alpha1.SessionUnknown, LastError: "the node's agent has not reported the session yet"}
	default:
		return l.session.Session
	}
}

// silence says since when the node's agent is silent, not for how long: time alone changes no status.
func (n *Node) silence() string {
	if n.LastHeard.IsZero() {
		return "the node's agent has not been heard: see that its pod runs"
	}
	return "the node's agent has not reported since " + toSecond(n.LastHeard).UTC().Format(time.RFC3339) + ": see that its pod runs"
}
