package gobgp

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestDialCause(t *testing.T) {
	failed := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	const noAnswer = "NoAnswer: the host resolves but the port does not answer: a password or a filter differs"
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"refused":           {failed(syscall.ECONNREFUSED), "connection refused"},
		"kernel gives up":   {failed(syscall.ETIMEDOUT), noAnswer},
		"we give up":        {&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, noAnswer},
		"nothing answers":   {failed(syscall.EHOSTUNREACH), "host unreachable: nothing answers at the peer's address"},
		"no route":          {failed(syscall.ENETUNREACH), "network unreachable: this node has no route to the peer"},
		"foreign address":   {failed(syscall.EADDRNOTAVAIL), "the source address is not an address of this node"},
		"anything else":     {failed(syscall.EACCES), "connect: dial tcp: connect: permission denied"},
		"wrapped once more": {fmt.Errorf("x: %w", failed(syscall.ECONNREFUSED)), "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := dialCause(test.err).Error(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
