package bgp

import (
	"net/netip"
	"time"
)

// SessionState is a state of the BGP finite state machine (RFC 4271, section 8.2.2).
type SessionState uint8

// The states, in the order that a session goes through them.
const (
	Idle SessionState = iota
	Connect
	Active
	OpenSent
	OpenConfirm
	Established
)

// String returns the state's name as the RFC and the API write it.
func (s SessionState) String() string {
	switch s {
	case Idle:
		return "Idle"
	case Connect:
		return "Connect"
	case Active:
		return "Active"
	case OpenSent:
		return "OpenSent"
	case OpenConfirm:
		return "OpenConfirm"
	case Established:
		return "Established"
	default:
		return "Unknown"
	}
}

// Session is what was observed of the session with one peer.
type Session struct {
	// Peer is the configuration the session runs with, or is to run with once it takes over from the one that is up.
	Peer  Peer
	State SessionState
	// Since is when State was entered.
	Since time.Time
	// LocalAddress, HoldTime, Families and GracefulRestart are what was negotiated; zero unless Established.
	LocalAddress    netip.Addr
	HoldTime        time.Duration
	Families        Families
	GracefulRestart bool
	// Advertised counts the prefixes that are on the wire of the present session, Received those that the peer sent and
	// Herald refused. Both are 0 unless Established; but while a session with a former configuration is up, since the one
	// with Peer is not yet, Advertised counts what is on the wire of that.
	Advertised, Received int
	// UpdatesSent counts the UPDATE messages that went to the peer, over all of its sessions since the agent started.
	UpdatesSent uint64
	// Flaps counts how often the session was established and then lost, since the agent started.
	Flaps int
	// LastError says in words why the session is not established, or why it was last lost; "" where it never failed.
	LastError string
	// LimitExceeded says that the session is closed because the peer sent more than MaxReceivedPrefixes, and that it is
	// tried again only after minutes.
	LimitExceeded bool
	// BFD is the state of the peer's BFD session, BFDUnknown without one.
	BFD BFDState
	// BFDCause says in words why BFD is not up; "" where it is, and without BFD.
	BFDCause string
	// BFDCounters count what the BFD session did.
	BFDCounters BFDCounters
}

// Speaker is what was observed of a node's BGP speaker.
type Speaker struct {
	// Sessions, one for each configured peer, by the peer's name.
	Sessions []Session
	// RoutesIPv4 and RoutesIPv6 count the distinct prefixes that are on the wire of at least one session.
	RoutesIPv4, RoutesIPv6 int
}
