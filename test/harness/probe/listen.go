package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Listen accepts TCP connections and closes them until the context ends.
func Listen(ctx context.Context, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() }) // Accept says so.
	defer stop()
	for {
		connection, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		_ = connection.Close() // Nothing was said on it.
	}
}
