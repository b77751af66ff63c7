package gobgp

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// seeds are messages of a peer in their proper order.
func seeds() []message {
	family := packet.NewCapMultiProtocol(packet.RF_IPv6_UC)
	restart := packet.NewCapGracefulRestart(true, false, 120,
		[]*packet.CapGracefulRestartTuple{packet.NewCapGracefulRestartTuple(packet.RF_IPv6_UC, true)})
	var out []message
	for _, m := range []*packet.BGPMessage{
		packet.NewBGPOpenMessage(64513, 90, "192.168.1.1", []packet.OptionParameterInterface{
			packet.NewOptionParameterCapability([]packet.ParameterCapabilityInterface{
				family, restart, packet.NewCapFourOctetASNumber(64513), packet.NewCapFQDN("host", "domain"),
				packet.NewCapExtendedNexthop([]*packet.CapExtendedNexthopTuple{packet.NewCapExtendedNexthopTuple(packet.RF_IPv4_UC, packet.AFI_IP6)}),
			}),
		}),
		packet.NewBGPKeepAliveMessage(),
		packet.NewBGPUpdateMessage(nil, []packet.PathAttributeInterface{
			packet.NewPathAttributeOrigin(0), packet.NewPathAttributeAsPath(nil), packet.NewPathAttributeNextHop("192.168.1.1"),
			packet.NewPathAttributeMpReachNLRI("2001:db8::1", []packet.AddrPrefixInterface{nlriOf(netip.MustParsePrefix("2001:db8::/32"))}),
		}, []*packet.IPAddrPrefix{packet.NewIPAddrPrefix(24, "10.0.0.0")}),
		packet.NewBGPRouteRefreshMessage(packet.AFI_IP6, 0, packet.SAFI_UNICAST),
		packet.NewBGPNotificationMessage(6, 2, []byte{3, 'b', 'y', 'e'}),
	} {
		out = append(out, encode(m))
	}
	return out
}

// FuzzMessagesOfAPeer reads what a peer may send: whatever it is, it must not end the agent.
func FuzzMessagesOfAPeer(f *testing.F) {
	for _, raw := range seeds() {
		f.Add(raw.kind(), raw.body())
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		if len(body) > maxMessageLength-headerLength {
			return
		}
		raw := append(bytes.Repeat([]byte{0xff}, markerLength), 0, 0, kind)
		binary.BigEndian.PutUint16(raw[markerLength:], uint16(headerLength+len(body)))
		m, err := readMessage(bytes.NewReader(append(raw, body...)), make([]byte, maxMessageLength))
		if err != nil {
			return
		}
		_ = receivedCause(m, 64512)
		if kind == packet.BGP_MSG_OPEN {
			checkOpen(t, m)
		}
		if kind == packet.BGP_MSG_UPDATE {
			checkUpdate(t, m)
		}
	})
}

// checkOpen demands that the engine can read what it gets of any OPEN that is taken, and takes the same from it.
func checkOpen(t *testing.T, m message) {
	t.Helper()
	read, err := readOpen(m)
	if err != nil || read.check(enginePeer()) != nil {
		return
	}
	engines, err := readOpen(read.forEngine(enginePeer(), 90*time.Second))
	read.holdTime, read.extendedNextHop = 90*time.Second, false
	if err != nil || engines != read {
		t.Errorf("the engine gets %+v of %+v (%v)", engines, read, err)
	}
}

// checkUpdate demands that whatever is counted is a prefix.
func checkUpdate(t *testing.T, m message) {
	t.Helper()
	read, err := readUpdate(m)
	if err != nil {
		return
	}
	got := read.received(attributeRules{asLength: 4})
	for _, prefix := range append(got.announced, got.withdrawn...) {
		if !prefix.IsValid() || prefix != prefix.Masked() {
			t.Errorf("prefix %s", prefix)
		}
	}
}

// quietSession is a session that nobody watches.
type quietSession struct{ up bool }

func (s *quietSession) restarting() bool      { return false }
func (s *quietSession) opened(offer) error    { return nil }
func (s *quietSession) established()          { s.up = true }
func (s *quietSession) sent(changes)          {}
func (s *quietSession) refused(changes) error { return nil }

// FuzzLink lets a router say anything, in chunks of any size, in any phase, to a link with an engine that answers as one
// does: the link must end, say why, leave no goroutine behind, and be up only after an OPEN and a KEEPALIVE.
func FuzzLink(f *testing.F) {
	all := seeds()
	f.Add(uint8(0), uint8(1), []byte("GET / HTTP/1.1\r\n\r\n"))
	for phase := range 3 {
		for _, m := range all {
			f.Add(uint8(phase), uint8(7), []byte(m))
		}
	}
	f.Fuzz(func(t *testing.T, phase, chunk uint8, said []byte) {
		before := runtime.NumGoroutine()
		var raw []byte
		for _, m := range all[:phase%3] {
			raw = append(raw, m...)
		}
		raw = append(raw, said...)
		up, cause := converse(t, raw, 1+int(chunk))
		if cause == nil {
			t.Error("the link ended without a cause")
		}
		if up && !bytes.Contains(raw, keepalive()) {
			t.Error("the session was up without the router's KEEPALIVE")
		}
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
			}
		}
	})
}

// converse holds a link with a router that says something and hangs up.
func converse(t *testing.T, raw []byte, chunk int) (up bool, cause error) {
	t.Helper()
	router, nearRouter := net.Pipe()
	engine, nearEngine := net.Pipe()
	session := &quietSession{}
	l := newLink(enginePeer(), nearRouter, nearEngine, session, func(bgp.Family) int { return 0 })
	done := make(chan struct{}, 3)
	go func() { // The engine.
		_, _ = engine.Write(encode(packet.NewBGPOpenMessage(64512, 90, "192.168.1.11", nil)))
		buffer := make([]byte, maxMessageLength)
		for {
			m, err := readMessage(engine, buffer)
			if err != nil {
				break
			}
			if _, err := packet.ParseBGPMessage(m); err != nil {
				t.Errorf("the engine gets %x, which it can't read: %v", m, err)
			}
			if m.kind() == packet.BGP_MSG_OPEN {
				_, _ = engine.Write(keepalive())
			}
		}
		done <- struct{}{}
	}()
	go func() { // What the router hears.
		buffer := make([]byte, maxMessageLength)
		for _, err := readMessage(router, buffer); err == nil; _, err = readMessage(router, buffer) {
		}
		done <- struct{}{}
	}()
	go func() { // What it says.
		for len(raw) > 0 {
			n := min(chunk, len(raw))
			if _, err := router.Write(raw[:n]); err != nil {
				break
			}
			raw = raw[n:]
		}
		_ = router.Close()
		done <- struct{}{}
	}()
	cause = l.run()
	_ = engine.Close()
	for range cap(done) {
		<-done
	}
	return session.up, cause
}
