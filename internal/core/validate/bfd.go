package validate

import (
	"cmp"
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
)

// The bounds of spec.bfd.
const (
	minBFDInterval, maxBFDInterval     = 10, 60_000
	minBFDMultiplier, maxBFDMultiplier = 2, 255
	minBFDTTL, maxBFDTTL               = 1, 254

	defaultBFDMultiplier = 3
)

// rashDetectionTime, in milliseconds, is what a busy node or router can be late.
const rashDetectionTime = 150

// BFDHops returns how far away the BFD peer of a spec with BFD is, by default as far as its BGP says.
func BFDHops(spec *v1alpha1.BGPPeerSpec) v1alpha1.BFDHops {
	otherwise := v1alpha1.BFDSingleHop
	if spec.EBGPMultihopTTL > 1 && spec.Interface == "" {
		otherwise = v1alpha1.BFDMultihop
	}
	return cmp.Or(spec.BFD.Hops, otherwise)
}

func (f *Findings) bfd(at *field.Path, spec *v1alpha1.BGPPeerSpec) {
	bfd := spec.BFD
	if bfd == nil {
		return
	}
	oneOf(f, at.Child("hops"), bfd.Hops, v1alpha1.BFDSingleHop, v1alpha1.BFDMultihop)
	optional(f, at.Child("transmitIntervalMilliseconds"), bfd.TransmitIntervalMilliseconds, minBFDInterval, maxBFDInterval)
	optional(f, at.Child("receiveIntervalMilliseconds"), bfd.ReceiveIntervalMilliseconds, minBFDInterval, maxBFDInterval)
	optional(f, at.Child("detectMultiplier"), bfd.DetectMultiplier, minBFDMultiplier, maxBFDMultiplier)
	optional(f, at.Child("minimumTTL"), bfd.MinimumTTL, minBFDTTL, maxBFDTTL)
	f.rashBFD(at, bfd)
	address, err := ParseAddress(spec.PeerIP)
	linkLocal := err == nil && netip.MustParsePrefix("fe80::/10").Contains(address)
	multihop := BFDHops(spec) == v1alpha1.BFDMultihop
	switch {
	case multihop && linkLocal:
		f.forbid(at.Child("hops"), "bfd.hops must not be Multi with a link-local peerIP (fe80::/10), which is never more than one hop away: "+
			"leave it out")
	case !multihop && bfd.MinimumTTL != 0:
		f.forbid(at.Child("minimumTTL"), "bfd.minimumTTL must be set only with bfd.hops Multi, which is the default only where "+
			"ebgpMultihopTTL is above 1: set hops, or leave minimumTTL out")
	}
}

// rashBFD warns of a detection time that a busy machine exceeds.
func (f *Findings) rashBFD(at *field.Path, bfd *v1alpha1.BFD) {
	multiplier := cmp.Or(bfd.DetectMultiplier, defaultBFDMultiplier)
	for _, interval := range []struct {
		name  string
		value int32
	}{
		{"transmitIntervalMilliseconds", bfd.TransmitIntervalMilliseconds},
		{"receiveIntervalMilliseconds", bfd.ReceiveIntervalMilliseconds},
	} {
		if detection := interval.value * multiplier; interval.value > 0 && detection < rashDetectionTime {
			f.warn(at.Child(interval.name), "%d ms x detectMultiplier %d is %d ms, and a busy node or router may be that late, so that a sound path "+
				"is taken for a failed one: %d ms and more is safe, 300 ms x 3 is usual", interval.value, multiplier, detection, rashDetectionTime)
		}
	}
}
