package gobgp

import (
	"bufio"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// outlet is the sending side of a connection: whole messages, from any goroutine.
type outlet struct {
	conn net.Conn

	mu     sync.Mutex // held while a message is written
	writer *bufio.Writer
	closed bool // the last message is out

	deadline sync.Mutex // held while a deadline is set; those who hold both took mu first
	patience time.Duration
	leaving  bool // the last message is to go out: its deadline holds for whatever is being written
}

// bufferSize holds the messages that go together.
const bufferSize = 4 * maxMessageLength

// newOutlet returns the sending side of a connection whose other side may keep a message waiting for ever.
func newOutlet(conn net.Conn) *outlet {
	return &outlet{conn: conn, writer: bufio.NewWriterSize(conn, bufferSize)}
}

// setPatience bounds how long the other side may keep a message waiting, here and in the kernel, which takes megabytes
// before anything waits here. It is what RFC 9687 is for.
func (o *outlet) setPatience(patience time.Duration) {
	o.deadline.Lock()
	o.patience = patience
	o.deadline.Unlock()
	tcp, ok := o.conn.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		// It fails on a closed connection only.
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(patience/time.Millisecond))
		})
	}
}

// send sends a message, or keeps it with those that are to go together where more is known to come.
func (o *outlet) send(m message, more bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return net.ErrClosed
	}
	return o.write(m, more)
}

func (o *outlet) write(m message, more bool) error {
	if err := o.setDeadline(); err != nil {
		return err
	}
	if _, err := o.writer.Write(m); err != nil {
		return err
	}
	if more {
		return nil
	}
	return o.writer.Flush()
}

// setDeadline gives what is about to be written as long as the other side's patience; but what is written while the last
// message waits has the last message's.
func (o *outlet) setDeadline() error {
	o.deadline.Lock()
	defer o.deadline.Unlock()
	if o.leaving || o.patience == 0 {
		return nil
	}
	return o.conn.SetWriteDeadline(time.Now().Add(o.patience))
}

// leave gives what is being written, and the last message, no more than lingerTime.
func (o *outlet) leave() error {
	o.deadline.Lock()
	defer o.deadline.Unlock()
	o.leaving = true
	return o.conn.SetWriteDeadline(time.Now().Add(lingerTime))
}

// farewell sends a last message and closes this direction, so that what the other side still sends cannot take the
// message from it, as it could on a connection that is closed both ways. It gives up after lingerTime, also where a
// message before it can't be got rid of.
func (o *outlet) farewell(m message) error {
	if err := o.leave(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return net.ErrClosed
	}
	if err := o.write(m, false); err != nil {
		return err
	}
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
