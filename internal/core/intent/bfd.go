package intent

import (
	"cmp"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
)

// The defaults of BFD. 900 ms until a node is out is what routers are usually set to, and far above what a busy node is late.
const (
	DefaultBFDInterval         = 300 * time.Millisecond
	DefaultBFDDetectMultiplier = 3
	// DefaultBFDMinimumTTL lets one router be in between.
	DefaultBFDMinimumTTL = 254
	// singleHopTTL is the only TTL that counts from a neighbour (RFC 5881, section 5).
	singleHopTTL = 255
)

// bfdOf fills in every default of a sound peer's BFD.
func bfdOf(spec *v1alpha1.BGPPeerSpec) bgp.BFD {
	bfd := spec.BFD
	if bfd == nil {
		return bgp.BFD{}
	}
	out := bgp.BFD{
		Enabled:          true,
		Transmit:         milliseconds(bfd.TransmitIntervalMilliseconds, DefaultBFDInterval),
		Receive:          milliseconds(bfd.ReceiveIntervalMilliseconds, DefaultBFDInterval),
		DetectMultiplier: uint8(cmp.Or(bfd.DetectMultiplier, DefaultBFDDetectMultiplier)),
		MinimumTTL:       singleHopTTL,
	}
	if validate.BFDHops(spec) == v1alpha1.BFDMultihop {
		out.Multihop, out.MinimumTTL = true, uint8(cmp.Or(bfd.MinimumTTL, DefaultBFDMinimumTTL))
	}
	return out
}

func milliseconds(value int32, otherwise time.Duration) time.Duration {
	if value == 0 {
		return otherwise
	}
	return time.Duration(value) * time.Millisecond
}
