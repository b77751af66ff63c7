package bfd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/internal/core/bgp"
)

// The source ports of RFC 5881, section 4.
const (
	firstSourcePort = 49152
	lastSourcePort  = 65535
)

const (
	// ttl tells the peer that nothing farther away has sent a packet (RFC 5082).
	ttl = 255
	// trafficClass is CS6, that of what keeps a network together (RFC 4594, section 3.1), in the octet's upper six bits.
	trafficClass = 48 << 2
)

// sender is the socket that a session sends from.
type sender struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	to   unix.Sockaddr
}

// portsTried bounds how many source ports are tried: of 16384, all but a few are free.
const portsTried = 64

// newSender returns a socket with a source port that no other session of this host has.
func newSender(from door, remote netip.Addr) (*sender, error) {
	to, err := sockaddr(netip.AddrPortFrom(remote, from.address().Port()))
	if err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { return control(raw, markPackets(from.local)) }}
	for range portsTried {
		port := uint16(firstSourcePort + rand.IntN(lastSourcePort-firstSourcePort+1)) //nolint:gosec // Not a secret.
		var conn net.PacketConn
		conn, err = config.ListenPacket(context.Background(), network(from.local), netip.AddrPortFrom(from.local, port).String())
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if err != nil {
			break
		}
		udp, ok := conn.(*net.UDPConn)
		if !ok {
			return nil, fmt.Errorf("send BFD: got a %T", conn)
		}
		raw, err := udp.SyscallConn()
		return &sender{udp, raw, to}, err
	}
	return nil, fmt.Errorf("send BFD: %w", err)
}

func (s *sender) close() { _ = s.conn.Close() }

// send sends without ever waiting: a packet that can't go now would be late.
func (s *sender) send(packet []byte) error {
	var err error
	errWrite := s.raw.Write(func(fd uintptr) bool {
		err = unix.Sendto(int(fd), packet, unix.MSG_DONTWAIT, s.to)
		return true
	})
	if errWrite != nil {
		return errWrite
	}
	return err
}

func markPackets(local netip.Addr) []option {
	if bgp.FamilyOf(local) == bgp.IPv4 {
		return []option{{unix.IPPROTO_IP, unix.IP_TTL, ttl}, {unix.IPPROTO_IP, unix.IP_TOS, trafficClass}}
	}
	return []option{{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl}, {unix.IPPROTO_IPV6, unix.IPV6_TCLASS, trafficClass}}
}

func sockaddr(to netip.AddrPort) (unix.Sockaddr, error) {
	address := to.Addr()
	if address.Is4() {
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: address.As4()}, nil
	}
	out := &unix.SockaddrInet6{Port: int(to.Port()), Addr: address.As16()}
	if zone := address.Zone(); zone != "" {
		link, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("send BFD to %s: %w", address, err)
		}
		out.ZoneId = uint32(link.Index)
	}
	return out, nil
}
