package gobgp

import (
	"bufio"
	"net"
	"sync"
	"time"
)

// outlet is the sending side of a connection: whole messages, from any goroutine.
type outlet struct {
	conn net.Conn

	mu       sync.Mutex
	writer   *bufio.Writer
	patience time.Duration // how long the other side may keep a message waiting, 0 for ever
	closed   bool          // the last message is out
}

// bufferSize holds the messages that go together.
const bufferSize = 4 * maxMessageLength

func newOutlet(conn net.Conn) *outlet {
	return &outlet{conn: conn, writer: bufio.NewWriterSize(conn, bufferSize)}
}

// setPatience bounds how long the other side may keep a message waiting.
func (o *outlet) setPatience(patience time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.patience = patience
}

// send sends a message, or keeps it with those that are to go together where more is known to come.
func (o *outlet) send(m message, more bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return net.ErrClosed
	}
	if o.patience > 0 {
		if err := o.conn.SetWriteDeadline(time.Now().Add(o.patience)); err != nil {
			return err
		}
	}
	if _, err := o.writer.Write(m); err != nil {
		return err
	}
	if more {
		return nil
	}
	return o.writer.Flush()
}

// farewell sends a last message and closes this direction, so that what the other side still sends cannot take the
// message from it, as it could on a connection that is closed both ways.
func (o *outlet) farewell(m message) error {
	if err := o.send(m, false); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if half, ok := o.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// isClosed reports whether the last message is out.
func (o *outlet) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}
