package gobgp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// FuzzMessagesOfAPeer reads what a peer may send: whatever it is, it must not end the agent.
func FuzzMessagesOfAPeer(f *testing.F) {
	family := packet.NewCapMultiProtocol(packet.RF_IPv6_UC)
	restart := packet.NewCapGracefulRestart(true, false, 120,
		[]*packet.CapGracefulRestartTuple{packet.NewCapGracefulRestartTuple(packet.RF_IPv6_UC, true)})
	for _, m := range []*packet.BGPMessage{
		packet.NewBGPOpenMessage(64512, 90, "192.168.1.1", []packet.OptionParameterInterface{
			packet.NewOptionParameterCapability([]packet.ParameterCapabilityInterface{
				family, restart, packet.NewCapFourOctetASNumber(64512), packet.NewCapFQDN("host", "domain"),
			}),
		}),
		packet.NewBGPUpdateMessage(nil, []packet.PathAttributeInterface{
			packet.NewPathAttributeOrigin(0),
			packet.NewPathAttributeMpReachNLRI("2001:db8::1", []packet.AddrPrefixInterface{nlriOf(netip.MustParsePrefix("2001:db8::/32"))}),
		}, []*packet.IPAddrPrefix{packet.NewIPAddrPrefix(24, "10.0.0.0")}),
		packet.NewBGPNotificationMessage(6, 2, []byte{3, 'b', 'y', 'e'}),
	} {
		raw := encode(m)
		f.Add(raw.kind(), []byte(raw[headerLength:]))
	}
	f.Fuzz(func(_ *testing.T, kind uint8, body []byte) {
		if len(body) > maxMessageLength-headerLength {
			return
		}
		raw := append(bytes.Repeat([]byte{0xff}, 16), 0, 0, kind)
		binary.BigEndian.PutUint16(raw[16:], uint16(headerLength+len(body)))
		m, err := readMessage(bytes.NewReader(append(raw, body...)), make([]byte, maxMessageLength))
		if err != nil {
			return
		}
		_, _ = readOpen(m)
		_, _ = readUpdate(m)
		_ = receivedCause(m, 64512)
	})
}
