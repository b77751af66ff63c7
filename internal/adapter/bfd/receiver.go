package bfd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/internal/core/bgp"
)

// The UDP ports of RFC 5881, section 4, and RFC 5883, section 5.
const (
	singleHopPort = 3784
	multihopPort  = 4784
)

// door is where packets come in.
type door struct {
	local    netip.Addr
	multihop bool
}

func (d door) address() netip.AddrPort {
	if d.multihop {
		return netip.AddrPortFrom(d.local, multihopPort)
	}
	return netip.AddrPortFrom(d.local, singleHopPort)
}

// datagram is what came in.
type datagram struct {
	door  door
	from  netip.Addr
	ttl   int // 0 where the kernel did not say
	bytes []byte
}

// receiver is the socket at a door. It passes on what comes, from its own goroutine and from that of flush.
type receiver struct {
	door door
	raw  syscall.RawConn
	conn *net.UDPConn
	pass func(datagram)

	// mu is held from the reading of a datagram until it is passed on.
	mu           sync.Mutex
	buffer, info [128]byte
}

// maxFlush bounds how much of a flood flush reads.
const maxFlush = 1024

// open opens a door. Whoever holds the same port on every address of the host, such as a BFD daemon, keeps it shut.
func open(d door, pass func(datagram)) (*receiver, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { return control(raw, revealTTL(d.local)) }}
	conn, err := config.ListenPacket(context.Background(), network(d.local), d.address().String())
	if err != nil {
		return nil, fmt.Errorf("listen for BFD: %w", err)
	}
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return nil, fmt.Errorf("listen for BFD: got a %T", conn)
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("listen for BFD: %w", err)
	}
	r := &receiver{door: d, raw: raw, conn: udp, pass: pass}
	go r.serve()
	return r, nil
}

// close ends the goroutine as well.
func (r *receiver) close() { _ = r.conn.Close() }

func (r *receiver) serve() {
	for {
		if r.raw.Read(func(fd uintptr) bool { return r.read(int(fd), 1) > 0 }) != nil {
			return // It was closed.
		}
	}
}

// flush passes on what waits in the socket. What was read before is passed on when it returns.
func (r *receiver) flush() {
	_ = r.raw.Control(func(fd uintptr) { r.read(int(fd), maxFlush) }) // A socket that was closed holds nothing.
}

// read passes on what waits, but at most so many, and returns how many that were.
func (r *receiver) read(fd, most int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for ; n < most; n++ {
		size, infoSize, _, from, err := unix.Recvmsg(fd, r.buffer[:], r.info[:], unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			break
		}
		r.pass(datagram{r.door, r.source(from), ttlOf(r.info[:infoSize]), r.buffer[:size]})
	}
	return n
}

// source returns the sender's address, with the zone of the door where it is link-local.
func (r *receiver) source(from unix.Sockaddr) netip.Addr {
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(from.Addr)
	case *unix.SockaddrInet6:
		address := netip.AddrFrom16(from.Addr)
		if address.IsLinkLocalUnicast() {
			address = address.WithZone(r.door.local.Zone())
		}
		return address
	default:
		return netip.Addr{}
	}
}

// ttlOf reads the TTL or hop limit from what the kernel says about a datagram.
func ttlOf(info []byte) int {
	messages, err := unix.ParseSocketControlMessage(info)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		ttl := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TTL
		hopLimit := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT
		if (ttl || hopLimit) && len(m.Data) > 0 {
			return int(nativeInt(m.Data))
		}
	}
	return 0
}

func nativeInt(data []byte) byte {
	// An int of 0 to 255 in the host's order: one of its ends is the value, all else is 0.
	var value byte
	for _, b := range data {
		value |= b
	}
	return value
}

func revealTTL(local netip.Addr) []option {
	if bgp.FamilyOf(local) == bgp.IPv4 {
		return []option{{unix.IPPROTO_IP, unix.IP_RECVTTL, 1}}
	}
	return []option{{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1}}
}

// option is a socket option.
type option struct{ level, name, value int }

func control(raw syscall.RawConn, options []option) error {
	var err error
	errControl := raw.Control(func(fd uintptr) {
		for _, o := range options {
			if err = unix.SetsockoptInt(int(fd), o.level, o.name, o.value); err != nil {
				return
			}
		}
	})
	if errControl != nil {
		return errControl
	}
	return err
}

func network(local netip.Addr) string {
	if bgp.FamilyOf(local) == bgp.IPv4 {
		return "udp4"
	}
	return "udp6"
}
