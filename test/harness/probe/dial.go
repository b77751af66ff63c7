package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// Dial relays between a stream and a TCP connection until either side ends.
func Dial(ctx context.Context, address string, in io.Reader, out io.Writer) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	defer conn.Close()
	ended := make(chan error, 2)
	go func() { ended <- relay(conn, in) }()
	go func() { ended <- relay(out, conn) }()
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	return err
}

func relay(to io.Writer, from io.Reader) error {
	_, err := io.Copy(to, from)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
