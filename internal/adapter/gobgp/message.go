package gobgp

import (
	"encoding/binary"
	"errors"
	"io"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// message is one BGP message with its header, as it is on the wire (RFC 4271, section 4).
type message []byte

const (
	headerLength     = packet.BGP_HEADER_LENGTH
	maxMessageLength = packet.BGP_MAX_MESSAGE_LENGTH
	markerLength     = 16
)

// errNotBGP says that a header's marker is wrong: after that no boundary between messages can be found.
var errNotBGP = errors.New("the peer sent something that is not BGP")

func (m message) kind() uint8  { return m[headerLength-1] }
func (m message) body() []byte { return m[headerLength:] }

// readMessage reads the next message into buffer, which must hold maxMessageLength bytes, and returns it as a part of
// that buffer. A header that no message can have is a *fault.
func readMessage(r io.Reader, buffer []byte) (message, error) {
	header := buffer[:headerLength]
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	length, err := checkHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(r, buffer[headerLength:length]); err != nil {
		return nil, err
	}
	return buffer[:length], nil
}

// checkHeader returns the length of the message that a header announces (RFC 4271, section 6.1).
func checkHeader(header message) (int, error) {
	const code = packet.BGP_ERROR_MESSAGE_HEADER_ERROR
	for _, b := range header[:markerLength] {
		if b != 0xff {
			return 0, &fault{code, packet.BGP_ERROR_SUB_CONNECTION_NOT_SYNCHRONIZED, nil, errNotBGP}
		}
	}
	kind, field := header.kind(), header[markerLength:markerLength+2]
	length := int(binary.BigEndian.Uint16(field))
	least, most := lengthsOf(kind)
	switch {
	case most == 0:
		return 0, faultOf(code, packet.BGP_ERROR_SUB_BAD_MESSAGE_TYPE, []byte{kind}, "the peer sent %s", kindName(kind))
	case length < least || length > most:
		return 0, faultOf(code, packet.BGP_ERROR_SUB_BAD_MESSAGE_LENGTH, []byte{field[0], field[1]},
			"the peer sent %s of %d bytes, want %d to %d", kindName(kind), length, least, most)
	}
	return length, nil
}

// lengthsOf returns how long a message of a kind may be, header included; 0 where there is no such kind. A NOTIFICATION
// may be too short for what it must hold: that can't be answered with another one.
func lengthsOf(kind uint8) (least, most int) {
	switch kind {
	case packet.BGP_MSG_OPEN:
		return headerLength + openLength, maxMessageLength
	case packet.BGP_MSG_UPDATE:
		return headerLength + 4, maxMessageLength
	case packet.BGP_MSG_NOTIFICATION:
		return headerLength, maxMessageLength
	case packet.BGP_MSG_KEEPALIVE:
		return headerLength, headerLength
	case packet.BGP_MSG_ROUTE_REFRESH:
		return headerLength + 4, headerLength + 4
	default:
		return 0, 0
	}
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

// cursor is what is left of bytes that are read from their front.
type cursor []byte

// take returns the next n bytes, and whether there are so many.
func (c *cursor) take(n int) ([]byte, bool) {
	if n > len(*c) {
		return nil, false
	}
	taken := (*c)[:n]
	*c = (*c)[n:]
	return taken, true
}

// takeSized returns as many bytes as the number says that comes before them, of one byte or two.
func (c *cursor) takeSized(sizeLength int) ([]byte, bool) {
	size, ok := c.take(sizeLength)
	if !ok {
		return nil, false
	}
	n := 0
	for _, b := range size {
		n = n<<8 | int(b)
	}
	return c.take(n)
}
