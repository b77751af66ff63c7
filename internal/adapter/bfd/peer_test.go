package bfd_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/internal/core/bgp"
)

// peer is a BFD system made of bytes: it sends what a test tells it to, and keeps what it gets.
type peer struct {
	t      *testing.T
	socket int
	local  netip.Addr
	to     unix.SockaddrInet4

	mu   sync.Mutex
	got  []arrived
	your uint32 // the discriminator of the other side
}

// arrived is a packet that came.
type arrived struct {
	from     netip.AddrPort
	ttl, tos int
	bytes    []byte
}

func newPeer(t *testing.T, local, remote netip.Addr) *peer {
	t.Helper()
	p := &peer{t: t, local: local, to: unix.SockaddrInet4{Addr: remote.As4()}}
	p.open(3784)
	return p
}

// multihop has the peer speak on the port of RFC 5883.
func (p *peer) multihop(yes bool) {
	if yes {
		p.open(4784)
	}
}

func (p *peer) open(port int) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	p.socket, p.to.Port = socket, port
	p.setTTL(255)
	for _, option := range []int{unix.IP_RECVTTL, unix.IP_RECVTOS} {
		if err := unix.SetsockoptInt(socket, unix.IPPROTO_IP, option, 1); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20_000}); err != nil {
		p.t.Fatal(err)
	}
	if err := unix.Bind(socket, &unix.SockaddrInet4{Port: port, Addr: p.local.As4()}); err != nil {
		p.t.Fatal(err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	p.t.Cleanup(func() {
		close(done)
		<-ended
		_ = unix.Close(socket)
	})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				p.receive(socket)
			}
		}
	}()
}

func (p *peer) setTTL(ttl int) {
	if err := unix.SetsockoptInt(p.socket, unix.IPPROTO_IP, unix.IP_TTL, ttl); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) receive(socket int) {
	buffer, info := make([]byte, 128), make([]byte, 128)
	n, infoLength, _, from, err := unix.Recvmsg(socket, buffer, info, 0)
	if err != nil {
		return
	}
	source, ok := from.(*unix.SockaddrInet4)
	if !ok {
		return
	}
	a := arrived{from: netip.AddrPortFrom(netip.AddrFrom4(source.Addr), uint16(source.Port)), bytes: buffer[:n]}
	messages, _ := unix.ParseSocketControlMessage(info[:infoLength])
	for _, m := range messages {
		switch m.Header.Type {
		case unix.IP_TTL:
			a.ttl = int(m.Data[0])
		case unix.IP_TOS:
			a.tos = int(m.Data[0])
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, a)
	if n >= 8 {
		p.your = binary.BigEndian.Uint32(buffer[4:])
	}
}

func (p *peer) received() []arrived {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

func (p *peer) last() arrived {
	all := p.received()
	return all[len(all)-1]
}

// packet returns one in the given state, with 50 ms and a multiplier of 3. A session that goes down does so because it heard
// nothing.
func (p *peer) packet(state bgp.BFDState) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := make([]byte, 24)
	b[0] = 1 << 5
	if state == bgp.BFDDown {
		b[0] |= 1
	}
	b[1] = byte(state-bgp.BFDAdminDown) << 6
	b[2], b[3] = 3, 24
	binary.BigEndian.PutUint32(b[4:], 0xC0FFEE)
	binary.BigEndian.PutUint32(b[8:], p.your)
	binary.BigEndian.PutUint32(b[12:], 50_000)
	binary.BigEndian.PutUint32(b[16:], 50_000)
	return b
}

// send sends a packet and returns when.
func (p *peer) send(state bgp.BFDState) time.Time {
	p.raw(p.packet(state))
	return time.Now()
}

func (p *peer) raw(packet []byte) {
	if err := unix.Sendto(p.socket, packet, 0, &p.to); err != nil && err != unix.ECONNREFUSED {
		p.t.Error(err)
	}
}

// comeUp takes the session to Up.
func (p *peer) comeUp(h *history) {
	p.t.Helper()
	g := NewWithT(p.t)
	g.Eventually(func() int { return len(p.received()) }, patience, tick).ShouldNot(BeZero(), func() string { return h.last().Cause })
	g.Eventually(func() bgp.BFDState { p.send(bgp.BFDDown); return h.state() }, patience, 10*tick).Should(Equal(bgp.BFDInit))
	g.Eventually(func() bgp.BFDState { p.send(bgp.BFDUp); return h.state() }, patience, 10*tick).Should(Equal(bgp.BFDUp))
}
