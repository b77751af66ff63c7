package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/internal/core/bgp"
)

// dialTimeout is how long a router may take to answer the TCP handshake.
const dialTimeout = 6 * time.Second

// noInterfaceError says that the interface of a link-local peer is not there.
type noInterfaceError struct{ name string }

func (e *noInterfaceError) Error() string { return "the node has no interface " + e.name }

// dial connects to a peer. What the peer's configuration says of the socket holds from the first packet on.
func dial(ctx context.Context, peer bgp.Peer) (net.Conn, error) {
	if zone := peer.Address.Addr().Zone(); zone != "" {
		// The dialer itself would go on without the zone.
		if _, err := net.InterfaceByName(zone); err != nil {
			return nil, &noInterfaceError{name: zone}
		}
	}
	dialer := net.Dialer{Timeout: dialTimeout, Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error { return prepareSocket(fd, peer) })
	}}
	if peer.SourceAddress.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(peer.SourceAddress, 0))
	}
	return dialer.DialContext(ctx, "tcp", peer.Address.String())
}

// prepareSocket sets what a socket needs to speak to a peer: its password and its TTLs.
func prepareSocket(fd int, peer bgp.Peer) error {
	if peer.Password.IsSet() {
		if err := setKey(fd, peer.Address.Addr(), peer.Password); err != nil {
			return err
		}
	}
	return setTTL(fd, bgp.FamilyOf(peer.Address.Addr()), peer.TTL, peer.MinimumTTL)
}

// setKey lets the socket sign what it sends to an address, and drop what comes from there without the signature of the
// same password (RFC 2385). The zero Password takes the key away.
func setKey(fd int, address netip.Addr, password bgp.Password) error {
	var key unix.TCPMD5Sig
	if address.Is4() {
		key.Addr.Family = unix.AF_INET
		ip := address.As4()
		copy(key.Addr.Data[2:], ip[:]) // Behind the port, as in a sockaddr_in.
	} else {
		key.Addr.Family = unix.AF_INET6
		ip := address.As16()
		copy(key.Addr.Data[6:], ip[:]) // Behind the port and the flow label, as in a sockaddr_in6.
	}
	secret := password.Reveal()
	if len(secret) > len(key.Key) {
		return fmt.Errorf("the password has %d bytes, TCP MD5 takes at most %d", len(secret), len(key.Key))
	}
	key.Keylen = uint16(copy(key.Key[:], secret))
	err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &key)
	if !password.IsSet() && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOPROTOOPT)) {
		return nil // There is none, or the kernel knows of none.
	}
	return os.NewSyscallError("setsockopt TCP_MD5SIG", err)
}

// setTTL sets the TTL (IPv6: hop limit) of what the socket sends, and the lowest that it takes; 0 is the kernel's own, and
// any.
func setTTL(fd int, family bgp.Family, ttl, minimum uint8) error {
	level, send, receive := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_MINTTL
	if family == bgp.IPv6 {
		level, send, receive = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_MINHOPCOUNT
	}
	value := int(ttl)
	if value == 0 {
		value = kernelsChoice
	}
	if err := unix.SetsockoptInt(fd, level, send, value); err != nil {
		return os.NewSyscallError("setsockopt TTL", err)
	}
	return os.NewSyscallError("setsockopt minimum TTL", unix.SetsockoptInt(fd, level, receive, int(minimum)))
}

// kernelsChoice is what resets a socket's TTL.
const kernelsChoice = -1

// retune sets the TTLs of a peer on a connection that is up.
func retune(conn net.Conn, peer bgp.Peer) error {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, func(fd int) error {
		return setTTL(fd, bgp.FamilyOf(peer.Address.Addr()), peer.TTL, peer.MinimumTTL)
	})
}

// hasUnacknowledged reports whether a connection has data that the other side's host has not acknowledged.
func hasUnacknowledged(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	queued := 0
	err = control(raw, func(fd int) (err error) {
		queued, err = unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		return err
	})
	return err == nil && queued > 0
}

// control calls do with the file descriptor of a socket.
func control(raw syscall.RawConn, do func(fd int) error) error {
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// localAddress returns the address of this side of a connection.
func localAddress(conn net.Conn) netip.Addr { return withoutZone(addressOf(conn.LocalAddr())) }

func withoutZone(address netip.Addr) netip.Addr { return address.WithZone("") }

// addressOf returns the address of a socket's end; with the zone where it is link-local.
func addressOf(end net.Addr) netip.Addr {
	if tcp, ok := end.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
