package gobgp_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// What follows builds BGP's bytes by hand, so that they can be wrong in any way.

const (
	kindOpen         = 1
	kindUpdate       = 2
	kindNotification = 3
	kindKeepalive    = 4
	kindRouteRefresh = 5
)

// header returns a header that claims a length.
func header(length int, kind byte) []byte {
	out := bytes.Repeat([]byte{0xff}, 16)
	return append(binary.BigEndian.AppendUint16(out, uint16(length)), kind)
}

func wire(kind byte, body ...byte) []byte { return append(header(19+len(body), kind), body...) }

var rawKeepalive = wire(kindKeepalive)

// rawOpen is an OPEN of AS 64512 in its parts.
type rawOpen struct {
	version    byte
	as         uint16
	holdTime   uint16
	id         [4]byte
	parameters []byte
	length     int // of the parameters as the OPEN claims it, -1 for what it is
}

func openOf(edits ...func(*rawOpen)) []byte {
	o := rawOpen{version: 4, as: 64512, holdTime: 90, id: [4]byte{192, 168, 1, 1}, length: -1}
	o.parameters = parameter(2, capability(1, 0, 1, 0, 1), capability(1, 0, 2, 0, 1), capability(65, 0, 0, 0xfc, 0))
	for _, edit := range edits {
		edit(&o)
	}
	if o.length < 0 {
		o.length = len(o.parameters)
	}
	body := []byte{o.version}
	body = binary.BigEndian.AppendUint16(body, o.as)
	body = binary.BigEndian.AppendUint16(body, o.holdTime)
	body = append(append(body, o.id[:]...), byte(o.length))
	return wire(kindOpen, append(body, o.parameters...)...)
}

func withParameters(parameters ...[]byte) func(*rawOpen) {
	return func(o *rawOpen) { o.parameters = slices.Concat(parameters...) }
}

func parameter(kind byte, parts ...[]byte) []byte {
	value := slices.Concat(parts...)
	return append([]byte{kind, byte(len(value))}, value...)
}

func capability(code byte, value ...byte) []byte {
	return append([]byte{code, byte(len(value))}, value...)
}

// updateOf returns an UPDATE.
func updateOf(withdrawn []byte, attributes [][]byte, nlri ...byte) []byte {
	all := slices.Concat(attributes...)
	body := binary.BigEndian.AppendUint16(nil, uint16(len(withdrawn)))
	body = append(body, withdrawn...)
	body = binary.BigEndian.AppendUint16(body, uint16(len(all)))
	return wire(kindUpdate, slices.Concat(body, all, nlri)...)
}

// attributeOf returns a path attribute whose length is right.
func attributeOf(flags, kind byte, value ...byte) []byte {
	return append([]byte{flags, kind, byte(len(value))}, value...)
}

// The attributes of a sound route.
var (
	rawOrigin  = attributeOf(0x40, 1, 0)
	rawASPath  = attributeOf(0x40, 2)
	rawNextHop = attributeOf(0x40, 3, 192, 168, 1, 1)
)

// soundWith returns the attributes of a sound route and more.
func soundWith(more ...[]byte) [][]byte {
	return append([][]byte{rawOrigin, rawASPath, rawNextHop}, more...)
}

// write sends bytes; what the other side does not take is lost.
func (c *connection) write(messages ...[]byte) { _, _ = c.conn.Write(slices.Concat(messages...)) }

// trickle sends bytes one by one.
func (c *connection) trickle(raw []byte, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for _, b := range raw {
		if _, err := c.conn.Write([]byte{b}); err != nil {
			return
		}
		<-ticker.C
	}
}

// says returns a script that writes bytes.
func says(messages ...[]byte) func(*connection) {
	return func(c *connection) { c.write(messages...) }
}

// handshakes returns a script that writes bytes right behind a handshake.
func handshakes(messages ...[]byte) func(*connection) {
	return says(slices.Concat([][]byte{openOf(), rawKeepalive}, messages)...)
}
