package gobgp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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

	spoken sync.Once
	opened chan struct{} // closed once our OPEN is out, or never will be

	handshake handshake
	rules     attributeRules // of UPDATEs of the router, from its OPEN on
	refreshes refreshes

	mu    sync.Mutex
	cause error // the first thing that went wrong
}

// linkSession is what a link needs of the session that it serves.
type linkSession interface {
	// restarting says whether the OPEN shall be that of a speaker that has restarted and kept its forwarding state.
	restarting() bool
	// opened reports the peer's OPEN. The engine does not see it before that returns.
	opened(offer) error
	// established reports that both sides have confirmed the session. No route is sent before it returns.
	established()
	// sent reports what an UPDATE said that is on the wire.
	sent(changes)
	// refused reports what the peer's UPDATE said; an error ends the session.
	refused(changes) error
}

// newLink returns a link that is not run. The last argument returns how many prefixes of a family are on its wire.
func newLink(peer bgp.Peer, router, engine net.Conn, session linkSession, advertised func(bgp.Family) int) *link {
	l := &link{
		peer:    peer,
		router:  newOutlet(router),
		engine:  newOutlet(engine),
		session: session,
		ended:   make(chan struct{}),
		opened:  make(chan struct{}),
		refreshes: refreshes{
			advertised: advertised, isIdle: func() bool { return !hasUnacknowledged(router) }, asked: map[bgp.Family]*refresh{},
		},
	}
	l.router.setPatience(peer.HoldTime)
	return l
}

// maxTimeForOpen is how long a peer may take for its OPEN, where our hold time is longer.
const maxTimeForOpen = 3 * time.Minute

// lingerTime is how long the peer is given to take note of a NOTIFICATION before the connection is closed under it.
const lingerTime = time.Second

// run relays until either side ends or the link is closed, and returns why. Both connections are closed then, and no
// NOTIFICATION was sent but those of the engine, of cease, and those that refuse what the peer sent.
func (l *link) run() error {
	defer close(l.ended)
	var pumps sync.WaitGroup
	pumps.Go(func() {
		l.fail(l.toRouter())
		l.spoke()
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

// spoke lets what waits for our OPEN go on.
func (l *link) spoke() { l.spoken.Do(func() { close(l.opened) }) }

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
			l.note(unflushed)
			unflushed = unflushed[:0]
		}
	}
}

// note reports UPDATEs that are on the wire. Before the first of them our OPEN was.
func (l *link) note(sent []changes) {
	l.spoke()
	for _, update := range sent {
		l.session.sent(update)
		for _, family := range l.refreshes.sent(update) {
			l.refresh(family)
		}
	}
}

// outgoing returns a message of the engine as the router shall see it, empty where it shall not, and what it says if it
// is an UPDATE.
func (l *link) outgoing(m message) (message, []changes, error) {
	switch m.kind() {
	case packet.BGP_MSG_OPEN:
		out, err := rewriteOpen(m, l.session.restarting(), l.peer.NeedsExtendedNextHop())
		return out, nil, err
	case packet.BGP_MSG_KEEPALIVE:
		if first := l.confirm(engineSide); !first && l.handshake.isTimeless() {
			return nil, nil, nil
		}
		return m, nil, nil
	case packet.BGP_MSG_UPDATE:
		update, err := readUpdate(m)
		return m, []changes{update.changes}, err
	default:
		return m, nil, nil
	}
}

// toEngine relays what the router sends, until that is wrong. What the engine gets is of our own making, and of an UPDATE
// it gets a sign of life only: whatever a router sends, it can't confuse the engine.
func (l *link) toEngine() error {
	reader := bufio.NewReaderSize(l.router.conn, bufferSize)
	buffer := make([]byte, maxMessageLength)
	if err := l.router.conn.SetReadDeadline(time.Now().Add(l.timeForOpen())); err != nil {
		return l.readCause(err)
	}
	for {
		m, err := readMessage(reader, buffer)
		if err == nil {
			m, err = l.incoming(m)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && !l.handshake.isOpened() {
			err = &fault{packet.BGP_ERROR_HOLD_TIMER_EXPIRED, 0, nil, fmt.Errorf("no OPEN from the peer within %s", l.timeForOpen())}
		}
		if wrong := (*fault)(nil); errors.As(err, &wrong) {
			<-l.opened // A router can tell more of a refusal when it has seen our OPEN.
			l.fail(err)
			l.farewell(wrong.notification())
			return nil
		}
		if err != nil {
			return l.readCause(err)
		}
		if m == nil {
			continue
		}
		if err := l.engine.send(m, false); err != nil {
			return nil //nolint:nilerr // The engine hung up, and has said why.
		}
	}
}

// incoming takes a message of the router and returns what the engine gets of it, nil where it gets nothing. Of a *fault
// the router is told.
func (l *link) incoming(m message) (message, error) {
	if err := l.handshake.admit(m.kind()); err != nil {
		return nil, err
	}
	switch m.kind() {
	case packet.BGP_MSG_OPEN:
		return l.takeOpen(m)
	case packet.BGP_MSG_NOTIFICATION:
		return nil, receivedCause(m, l.peer.LocalASN)
	case packet.BGP_MSG_UPDATE:
		return keepalive(), l.refuse(m)
	case packet.BGP_MSG_ROUTE_REFRESH:
		l.takeRefresh(m)
		return nil, nil
	default:
		if first := l.confirm(routerSide); first && l.handshake.isTimeless() {
			go l.reassure()
		}
		return keepalive(), nil
	}
}

// takeOpen notes what the peer offers and returns the OPEN as the engine shall see it.
func (l *link) takeOpen(m message) (message, error) {
	open, err := readOpen(m)
	if err != nil {
		return nil, err
	}
	if err := open.check(l.peer); err != nil {
		return nil, err
	}
	if err := l.session.opened(open); err != nil {
		return nil, err
	}
	l.rules = attributeRules{internal: l.peer.IsInternal(), asLength: 2}
	if open.fourByteAS {
		l.rules.asLength = 4
	}
	l.handshake.open(open.holdTime == 0)
	holdTime := min(l.peer.HoldTime, open.holdTime)
	if holdTime == 0 {
		holdTime = l.peer.HoldTime
	}
	l.router.setPatience(holdTime)
	// Now the engine's hold timer watches.
	return open.forEngine(l.peer, holdTime), l.router.conn.SetReadDeadline(time.Time{})
}

// refuse counts what the peer announces.
func (l *link) refuse(m message) error {
	update, err := readUpdate(m)
	if err != nil {
		return err
	}
	if err := l.session.refused(update.received(l.rules)); err != nil {
		return &fault{packet.BGP_ERROR_CEASE, packet.BGP_ERROR_SUB_MAXIMUM_NUMBER_OF_PREFIXES_REACHED, nil, err}
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

// timeForOpen is how long the peer may take for its OPEN.
func (l *link) timeForOpen() time.Duration { return min(l.peer.HoldTime, maxTimeForOpen) }

// readCause says why nothing more came from the peer; before its OPEN that has reasons of its own.
func (l *link) readCause(err error) error {
	switch cause := readCause(err); {
	case l.handshake.isOpened():
		return cause
	case errors.Is(cause, errClosed), errors.Is(cause, errReset):
		return hangUp{fmt.Errorf("%w before its OPEN: it may not know this node as a neighbor", cause)}
	default:
		return cause
	}
}
