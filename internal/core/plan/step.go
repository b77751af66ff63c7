package plan

import (
	"net/netip"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Impact is what a step does to a live session.
type Impact uint8

// Impacts, from the least to the greatest.
const (
	// None: the peer does not notice.
	None Impact = iota
	// Readvertise: UPDATEs are sent on the running session.
	Readvertise
	// SessionDrop: another session takes the place of this one. A peer that negotiated graceful restart keeps the routes.
	SessionDrop
)

// String returns the impact's name as it stands in logs, metrics and the reference.
func (i Impact) String() string {
	switch i {
	case None:
		return "None"
	case Readvertise:
		return "Readvertise"
	case SessionDrop:
		return "SessionDrop"
	default:
		return "Unknown"
	}
}

// Verb is what a step does.
type Verb uint8

// The verbs, in the order that a plan runs them: routes before peers, so that a new session's End-of-RIB is honest, and
// advertising before withdrawing, so that a prefix that moves is never without a route.
const (
	RemovePeer Verb = iota + 1
	Advertise
	Withdraw
	UpdatePeer
	AddPeer
)

// String returns the verb's name as it stands in logs.
func (v Verb) String() string {
	switch v {
	case RemovePeer:
		return "RemovePeer"
	case Advertise:
		return "Advertise"
	case Withdraw:
		return "Withdraw"
	case UpdatePeer:
		return "UpdatePeer"
	case AddPeer:
		return "AddPeer"
	default:
		return "Unknown"
	}
}

// Step is one thing for a speaker to do. Advertise uses Path, Withdraw uses Path.Prefix, the others use Peer; RemovePeer
// only its Name.
type Step struct {
	Verb   Verb
	Peer   bgp.Peer
	Path   bgp.Path
	Impact Impact
}

// Prefix returns the prefix of an Advertise or Withdraw step.
func (s Step) Prefix() netip.Prefix { return s.Path.Prefix }

// String names the step and what it is about, for logs and test failures.
func (s Step) String() string {
	if s.Verb == Advertise || s.Verb == Withdraw {
		return s.Verb.String() + " " + s.Prefix().String()
	}
	return s.Verb.String() + " " + s.Peer.Name
}
