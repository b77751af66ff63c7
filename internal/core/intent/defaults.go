package intent

import (
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// What holds where neither a BGPPeer nor a BGPConfiguration says otherwise.
const (
	// DefaultASN is the AS number of the nodes.
	DefaultASN bgp.ASN = 64512
	// DefaultPeerPort is the TCP port that peers listen on (RFC 4271, section 2).
	DefaultPeerPort = 179
	// DefaultListenPort is the TCP port on which passive peers are expected.
	DefaultListenPort = 179
	// DefaultHoldTime is offered in the OPEN (RFC 4271, section 10).
	DefaultHoldTime = 90 * time.Second
	// DefaultConnectRetryTime is the time between attempts to connect. The 120 s of RFC 4271, section 10, would leave a
	// router that comes back without routes for two minutes.
	DefaultConnectRetryTime = 5 * time.Second
	// DefaultRestartTime is how long a router keeps the routes of an agent that restarts (RFC 4724).
	DefaultRestartTime = 120 * time.Second
	// DefaultShutdownTime is how long routes that are about to go are marked before they are withdrawn (RFC 8326).
	DefaultShutdownTime = 5 * time.Second
	// DefaultMaxReceivedPrefixes bounds, by family, what a router may send.
	DefaultMaxReceivedPrefixes = 100_000
)

// keepaliveFor returns the keepalive time that goes with a hold time: a third of it, in whole seconds of at least one.
func keepaliveFor(holdTime time.Duration) time.Duration {
	return max((holdTime / 3).Truncate(time.Second), time.Second)
}
