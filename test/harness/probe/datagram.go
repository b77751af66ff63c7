package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Datagram sends one UDP packet and writes what its sender is told of it within a time: what an ICMP error says, or
// nothing.
func Datagram(ctx context.Context, address string, patience time.Duration, out io.Writer) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("herald")); err != nil {
		return fmt.Errorf("send to %s: %w", address, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err = conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		fmt.Fprintln(out, err)
	}
	return nil
}
