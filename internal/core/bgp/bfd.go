package bgp

import "time"

// BFD is what bidirectional forwarding detection watches a session's peer with (RFC 5880 to 5883). The zero value is no
// BFD.
type BFD struct {
	Enabled bool
	// Multihop says that the peer may be several hops away (RFC 5883): other ports, and MinimumTTL in place of 255.
	Multihop bool
	// Transmit is the least time between packets that this side wants to send, Receive the least that it can take.
	Transmit, Receive time.Duration
	// DetectMultiplier is after how many packets that the peer owes this side calls it down, 1 to 255; what the peer is
	// told of this side.
	DetectMultiplier uint8
	// MinimumTTL is the lowest TTL with which a packet counts: 255 unless Multihop.
	MinimumTTL uint8
}

// BFDEvent is what became of a BFD session.
type BFDEvent struct {
	State BFDState
	// Cause says in words why the session is not up; "" where it is.
	Cause string
	// Failed says that the session was up and that the path has failed: what ends a BGP session. It is not set where either
	// side was told to take BFD down (RFC 5882, section 3.2).
	Failed bool
}

// BFDCounters count what a BFD session did since it began to watch.
type BFDCounters struct {
	// Sent and Received are packets, Dropped those of the peer that came with too low a TTL.
	Sent, Received, Dropped uint64
	// Flaps counts how often the session was up and the path failed.
	Flaps uint64
}

// BFDState is the state of a BFD session (RFC 5880, section 4.1).
type BFDState uint8

// The states. BFDUnknown is that of a session without BFD.
const (
	BFDUnknown BFDState = iota
	BFDAdminDown
	BFDDown
	BFDInit
	BFDUp
)

// String returns the state's name as the RFC writes it; "" without BFD.
func (s BFDState) String() string {
	switch s {
	case BFDAdminDown:
		return "AdminDown"
	case BFDDown:
		return "Down"
	case BFDInit:
		return "Init"
	case BFDUp:
		return "Up"
	default:
		return ""
	}
}
