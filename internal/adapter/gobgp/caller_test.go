package gobgp_test

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/internal/core/bgp"
)

// call connects the router to a speaker, from the router's own address.
func (r *testRouter) call(ctx context.Context, to netip.AddrPort) (*connection, error) {
	dialer := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(r.address().Addr(), 0)),
		Timeout:   patience,
		Control:   r.config.Socket,
	}
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return r.take(conn), nil
}

// mustCall connects the router as soon as the speaker listens.
func (r *testRouter) mustCall(tb testing.TB, to netip.AddrPort) *connection {
	tb.Helper()
	var c *connection
	NewWithT(tb).Eventually(func() (err error) {
		c, err = r.call(tb.Context(), to)
		return err
	}, patience, tick).Should(Succeed())
	return c
}

// keepCalling connects the router whenever it has no connection, as a router does that is the one to connect.
func (r *testRouter) keepCalling(tb testing.TB, to netip.AddrPort) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan struct{})
	tb.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		ticker := time.NewTicker(10 * tick)
		defer ticker.Stop()
		for {
			if last := r.last(); last == nil || last.end() != nil {
				_, _ = r.call(ctx, to) // It is tried again.
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// freePort returns a port that nobody listens on.
func freePort(tb testing.TB) uint16 {
	tb.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(tb.Context(), "tcp", ":0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return netip.MustParseAddrPort(listener.Addr().String()).Port()
}

// passive makes a peer one that connects to 127.0.0.1 (::1) and the port.
func passive(port uint16) func(*bgp.Peer) {
	return func(p *bgp.Peer) { p.Passive, p.ListenPort = true, port }
}

// socket calls do with the descriptor of a connection or listener.
func socket(tb testing.TB, of any, do func(fd int) error) {
	tb.Helper()
	raw, err := of.(syscall.Conn).SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil || failed != nil {
		tb.Fatal(err, failed)
	}
}

// signed lets a socket of the router speak to an address with a password only; "" takes it away.
func signed(address, password string) func(fd int) error {
	return func(fd int) error {
		key := unix.TCPMD5Sig{Keylen: uint16(len(password))}
		copy(key.Key[:], password)
		if ip := netip.MustParseAddr(address); ip.Is4() {
			key.Addr.Family = unix.AF_INET
			copy(key.Addr.Data[2:], ip.AsSlice())
		} else {
			key.Addr.Family = unix.AF_INET6
			copy(key.Addr.Data[6:], ip.AsSlice())
		}
		return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &key)
	}
}

func ttl(value int) func(fd int) error {
	return func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, value) }
}

func minimumTTL(value int) func(fd int) error {
	return func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MINTTL, value) }
}

// onEachSocket is for routerConfig.Socket.
func onEachSocket(do ...func(fd int) error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			for _, set := range do {
				if failed == nil {
					failed = set(int(fd))
				}
			}
		})
		if err != nil {
			return err
		}
		return failed
	}
}
