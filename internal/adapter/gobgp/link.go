package gobgp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// link is one connection to a router and the one to the engine that speaks on it. It relays messages between the two,
// and tells its session what they mean.
type link struct {
	peer    bgp.Peer // as configured when the connection was made
	router  *outlet
	engine  *outlet
	session linkSession
	ended   chan struct{} // closed when run returns

	handshake handshake

	mu    sync.Mutex
	cause error // the first thing that went wrong
}

// linkSession is what a link needs of the session that it serves.
type linkSession interface {
	// restarting says whether the OPEN shall be that of a speaker that has restarted and kept its forwarding state.
	restarting() bool
	// opened reports the peer's OPEN.
	opened(offer)
	// established reports that both sides have confirmed the session. No route is sent before it returns.
	established()
	// sent reports what an UPDATE said that is on the wire.
	sent(changes)
	// refused reports what the peer's UPDATE said; an error ends the session.
	refused(changes) error
}

// lingerTime is how long the peer is given to take note of a NOTIFICATION before the connection is closed under it.
const lingerTime = time.Second

// run relays until either side ends or the link is closed, and returns why. Both connections are closed then, and no
// NOTIFICATION was sent but those of the engine, of cease, and those that refuse what the peer sent.
func (l *link) run() error {
	defer close(l.ended)
	var pumps sync.WaitGroup
	pumps.Go(func() {
		l.fail(l.toRouter())
		if !l.router.isClosed() {
			l.close()
		}
	})
	pumps.Go(func() {
		l.fail(l.toEngine())
		if l.router.isClosed() {
			l.drain()
		}
		l.close()
	})
	pumps.Wait()
	return l.cause
}

// fail notes why the link ends; the first cause is the one that counts.
func (l *link) fail(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.cause = cause
	}
}

// close ends both connections without a NOTIFICATION.
func (l *link) close() {
	_ = l.router.conn.Close() // There is nobody left to tell.
	_ = l.engine.conn.Close()
}

// cease ends the session with a Cease; run returns once the peer has hung up, or has had time to.
func (l *link) cease(subcode uint8) { l.farewell(notification(packet.BGP_ERROR_CEASE, subcode, nil)) }

// isOver reports whether run has returned.
func (l *link) isOver() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// wait returns once run has, or the context is done.
func (l *link) wait(ctx context.Context) {
	select {
	case <-l.ended:
	case <-ctx.Done():
	}
}

// farewell sends a last message to the router and leaves it to toEngine to wait until the router hangs up.
func (l *link) farewell(m message) {
	if l.router.farewell(m) != nil {
		l.close()
		return
	}
	_ = l.router.conn.SetReadDeadline(time.Now().Add(lingerTime)) // It fails on a closed connection only.
}

// drain waits until the peer has hung up after a last message to it, or has had time to.
func (l *link) drain() {
	_, _ = io.Copy(io.Discard, l.router.conn)
}

// toRouter relays what the engine sends.
func (l *link) toRouter() error {
	reader := bufio.NewReaderSize(l.engine.conn, bufferSize)
	buffer := make([]byte, maxMessageLength)
	var unflushed []changes
	for {
		m, err := readMessage(reader, buffer)
		if err != nil {
			return errors.New("the engine closed the session")
		}
		if m.kind() == packet.BGP_MSG_NOTIFICATION {
			l.fail(sentCause(m))
			l.farewell(m)
			return nil
		}
		out, update, err := l.outgoing(m)
		if err != nil {
			return err
		}
		unflushed = append(unflushed, update...)
		more := reader.Buffered() > 0
		if err := l.router.send(out, more); err != nil {
			return writeCause(err)
		}
		if !more {
			for _, update := range unflushed {
				l.session.sent(update)
			}
			unflushed = unflushed[:0]
		}
	}
}

// outgoing returns a message of the engine as the router shall see it, empty where it shall not, and what it says if it
// is an UPDATE.
func (l *link) outgoing(m message) (message, []changes, error) {
	switch m.kind() {
	case packet.BGP_MSG_OPEN:
		out, err := rewriteOpen(m, l.session.restarting())
		return out, nil, err
	case packet.BGP_MSG_KEEPALIVE:
		if first := l.confirm(engineSide); !first && l.handshake.isTimeless() {
			return nil, nil, nil
		}
		return m, nil, nil
	case packet.BGP_MSG_UPDATE:
		update, err := readUpdate(m)
		return m, []changes{update}, err
	default:
		return m, nil, nil
	}
}

// toEngine relays what the router sends. Of an UPDATE the engine gets a sign of life only.
func (l *link) toEngine() error {
	reader := bufio.NewReaderSize(l.router.conn, bufferSize)
	buffer := make([]byte, maxMessageLength)
	if err := l.router.conn.SetReadDeadline(time.Now().Add(l.peer.HoldTime)); err != nil {
		return err
	}
	alive := keepalive()
	for {
		m, err := readMessage(reader, buffer)
		if errors.Is(err, errNotBGP) {
			l.farewell(notification(packet.BGP_ERROR_MESSAGE_HEADER_ERROR, packet.BGP_ERROR_SUB_CONNECTION_NOT_SYNCHRONIZED, nil))
			return err
		}
		if err != nil {
			return l.readCause(err)
		}
		switch m.kind() {
		case packet.BGP_MSG_OPEN:
			if m, err = l.takeOpen(m); err != nil {
				return err
			}
		case packet.BGP_MSG_KEEPALIVE:
			l.confirm(routerSide)
		case packet.BGP_MSG_NOTIFICATION:
			return receivedCause(m, l.peer.LocalASN)
		case packet.BGP_MSG_UPDATE:
			if err := l.refuse(m); err != nil {
				return err
			}
			m = alive
		}
		if err := l.engine.send(m, false); err != nil {
			return nil //nolint:nilerr // The engine hung up, and has said why.
		}
	}
}

// takeOpen notes what the peer offers and returns the OPEN as the engine shall see it. The engine is the one to refuse
// what is wrong with it.
func (l *link) takeOpen(m message) (message, error) {
	open, err := readOpen(m)
	if err != nil {
		return m, nil //nolint:nilerr // The engine answers with the right NOTIFICATION.
	}
	if err := asMismatch(l.peer.ASN, open.asn); err != nil {
		l.fail(err)
	}
	l.handshake.open(open.holdTime == 0)
	l.session.opened(open)
	if open.holdTime == 0 {
		m = l.holdForEver(m)
	}
	l.router.setPatience(min(l.peer.HoldTime, open.holdTime))
	return m, l.router.conn.SetReadDeadline(time.Time{}) // Now the engine's hold timer watches.
}

// refuse counts what the peer announces.
func (l *link) refuse(m message) error {
	update, err := readUpdate(m)
	if err != nil {
		return nil //nolint:nilerr // What cannot be read is nothing that is kept.
	}
	if err := l.session.refused(update); err != nil {
		l.cease(packet.BGP_ERROR_SUB_MAXIMUM_NUMBER_OF_PREFIXES_REACHED)
		return err
	}
	return nil
}

// confirm notes a side's KEEPALIVE, and returns whether it is the first.
func (l *link) confirm(by side) (first bool) {
	first, completes := l.handshake.confirm(by)
	if completes {
		l.session.established()
	}
	return first
}

// readCause says why nothing more came from the peer; before its OPEN that has reasons of its own.
func (l *link) readCause(err error) error {
	switch cause := readCause(err); {
	case l.handshake.isOpened():
		return cause
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no OPEN from the peer within %s", l.peer.HoldTime)
	case errors.Is(cause, errClosed), errors.Is(cause, errReset):
		return hangUp{fmt.Errorf("%w before its OPEN: it may not know this node as a neighbor", cause)}
	default:
		return cause
	}
}
