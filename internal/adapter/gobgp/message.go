package gobgp

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// message is one BGP message with its header, as it is on the wire (RFC 4271, section 4).
type message []byte

const (
	headerLength     = packet.BGP_HEADER_LENGTH
	maxMessageLength = packet.BGP_MAX_MESSAGE_LENGTH
)

// errNotBGP says that a header's marker or length is wrong: after that no boundary between messages can be found.
var errNotBGP = errors.New("the peer sent something that is not BGP")

func (m message) kind() uint8 { return m[headerLength-1] }

// readMessage reads the next message into buffer, which must hold maxMessageLength bytes, and returns it as a part of
// that buffer.
func readMessage(r io.Reader, buffer []byte) (message, error) {
	header := buffer[:headerLength]
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(header[16:18]))
	if length < headerLength || length > maxMessageLength {
		return nil, errNotBGP
	}
	for _, b := range header[:16] {
		if b != 0xff {
			return nil, errNotBGP
		}
	}
	if _, err := io.ReadFull(r, buffer[headerLength:length]); err != nil {
		return nil, err
	}
	return buffer[:length], nil
}

func keepalive() message { return encode(packet.NewBGPKeepAliveMessage()) }

func notification(code, subcode uint8, data []byte) message {
	return encode(packet.NewBGPNotificationMessage(code, subcode, data))
}

// encode serializes a message that we made ourselves, which cannot fail.
func encode(m *packet.BGPMessage) message {
	raw, err := m.Serialize()
	if err != nil {
		panic("gobgp: a message of our own does not serialize: " + err.Error())
	}
	return raw
}

// changes is what an UPDATE says about prefixes; both lists are empty for an End-of-RIB.
type changes struct {
	announced, withdrawn []netip.Prefix
}

// readUpdate returns what an UPDATE announces and withdraws, of IPv4 and IPv6 unicast.
func readUpdate(m message) (changes, error) {
	parsed, err := packet.ParseBGPMessage(m)
	if err != nil {
		return changes{}, err
	}
	update, ok := parsed.Body.(*packet.BGPUpdate)
	if !ok {
		return changes{}, errNotBGP
	}
	var c changes
	for _, nlri := range update.NLRI {
		c.announced = appendPrefix(c.announced, nlri)
	}
	for _, nlri := range update.WithdrawnRoutes {
		c.withdrawn = appendPrefix(c.withdrawn, nlri)
	}
	for _, attribute := range update.PathAttributes {
		switch a := attribute.(type) {
		case *packet.PathAttributeMpReachNLRI:
			for _, nlri := range a.Value {
				c.announced = appendPrefix(c.announced, nlri)
			}
		case *packet.PathAttributeMpUnreachNLRI:
			for _, nlri := range a.Value {
				c.withdrawn = appendPrefix(c.withdrawn, nlri)
			}
		}
	}
	return c, nil
}

func appendPrefix(prefixes []netip.Prefix, nlri packet.AddrPrefixInterface) []netip.Prefix {
	var plain *packet.IPAddrPrefix
	switch n := nlri.(type) {
	case *packet.IPAddrPrefix:
		plain = n
	case *packet.IPv6AddrPrefix:
		plain = &n.IPAddrPrefix
	default:
		return prefixes
	}
	address, ok := netip.AddrFromSlice(plain.Prefix)
	if !ok {
		return prefixes
	}
	return append(prefixes, netip.PrefixFrom(address, int(plain.Length)).Masked())
}
