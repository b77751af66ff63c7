package bfd

import (
	"math"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/herald-network/herald/internal/core/bfd"
	"github.com/herald-network/herald/internal/core/bgp"
)

// decode reads a packet, and returns why it is refused where it is. The layer of gopacket reads fields and checks lengths
// against the datagram; it leaves the version, the multiplier, the discriminators and the multipoint bit unchecked, and takes
// an authentication bit without a section. Those are the core's to refuse.
func decode(datagram []byte) (bfd.Packet, bfd.Refusal) {
	var layer layers.BFD
	if layer.DecodeFromBytes(datagram, gopacket.NilDecodeFeedback) != nil {
		return bfd.Packet{}, bfd.Malformed
	}
	p := bfd.Packet{
		Version:                 uint8(layer.Version),
		Diagnostic:              bfd.Diagnostic(layer.Diagnostic),
		State:                   stateOf(layer.State),
		Poll:                    layer.Poll,
		Final:                   layer.Final,
		ControlPlaneIndependent: layer.ControlPlaneIndependent,
		Authenticated:           layer.AuthPresent,
		Demand:                  layer.Demand,
		Multipoint:              layer.Multipoint,
		DetectMultiplier:        uint8(layer.DetectMultiplier),
		Length:                  datagram[3],
		MyDiscriminator:         uint32(layer.MyDiscriminator),
		YourDiscriminator:       uint32(layer.YourDiscriminator),
		DesiredMinTransmit:      time.Duration(layer.DesiredMinTxInterval) * time.Microsecond,
		RequiredMinReceive:      time.Duration(layer.RequiredMinRxInterval) * time.Microsecond,
		RequiredMinEchoReceive:  time.Duration(layer.RequiredMinEchoRxInterval) * time.Microsecond,
	}
	return p, p.Check(len(datagram))
}

// encode writes a packet without an authentication section.
func encode(p bfd.Packet) ([]byte, error) {
	layer := layers.BFD{
		Version:                   layers.BFDVersion(p.Version),
		Diagnostic:                layers.BFDDiagnostic(p.Diagnostic),
		State:                     wireState(p.State),
		Poll:                      p.Poll,
		Final:                     p.Final,
		ControlPlaneIndependent:   p.ControlPlaneIndependent,
		Demand:                    p.Demand,
		DetectMultiplier:          layers.BFDDetectMultiplier(p.DetectMultiplier),
		MyDiscriminator:           layers.BFDDiscriminator(p.MyDiscriminator),
		YourDiscriminator:         layers.BFDDiscriminator(p.YourDiscriminator),
		DesiredMinTxInterval:      microseconds(p.DesiredMinTransmit),
		RequiredMinRxInterval:     microseconds(p.RequiredMinReceive),
		RequiredMinEchoRxInterval: microseconds(p.RequiredMinEchoReceive),
	}
	buffer := gopacket.NewSerializeBufferExpectedSize(0, bfd.Length)
	err := layer.SerializeTo(buffer, gopacket.SerializeOptions{})
	return buffer.Bytes(), err
}

func microseconds(d time.Duration) layers.BFDTimeInterval {
	return layers.BFDTimeInterval(min(d.Microseconds(), math.MaxUint32))
}

func stateOf(state layers.BFDState) bgp.BFDState {
	switch state {
	case layers.BFDStateAdminDown:
		return bgp.BFDAdminDown
	case layers.BFDStateDown:
		return bgp.BFDDown
	case layers.BFDStateInit:
		return bgp.BFDInit
	default:
		return bgp.BFDUp // Two bits: there is no other.
	}
}

func wireState(state bgp.BFDState) layers.BFDState {
	switch state {
	case bgp.BFDDown:
		return layers.BFDStateDown
	case bgp.BFDInit:
		return layers.BFDStateInit
	case bgp.BFDUp:
		return layers.BFDStateUp
	default:
		return layers.BFDStateAdminDown
	}
}
