package bfd

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/internal/core/bfd"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Session is one BFD session, from Watch to Close.
type Session struct {
	monitor       *Monitor
	ends          bfd.Ends
	discriminator uint32
	minimumTTL    uint8
	ended         chan struct{}

	// mu is taken after that of a receiver and before that of the monitor.
	mu       sync.Mutex
	machine  *bfd.Machine
	timer    *time.Timer   // runs tick
	sockets  *sockets      // nil where they can't be had
	worn     bool          // the sockets are to be replaced
	pause    time.Duration // until the sockets are tried again
	notify   func(bgp.BFDEvent)
	cause    string
	counters bgp.BFDCounters
	// farewell is until when the peer is told that the session is closed; zero before Close.
	farewell time.Time
	over     bool
}

// sockets are what a session receives and sends with.
type sockets struct {
	receiver *receiver
	sender   *sender
}

const (
	// retryTime is the time between attempts to open ports, closingTime that while one of our own is being closed.
	retryTime   = time.Second
	closingTime = 5 * time.Millisecond
	// late is how late a timer may be that nobody takes for a busy machine, and grace the most that the network gets then.
	late  = 5 * time.Millisecond
	grace = 50 * time.Millisecond
	// longestFarewell bounds how long a peer is told that a session is closed.
	longestFarewell = 3 * time.Second
)

// Set changes the timers. A change of what else there is takes another session.
func (s *Session) Set(parameters bgp.BFD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.minimumTTL = minimumTTL(parameters)
	s.machine.Set(moment(time.Now()), parametersOf(parameters))
	s.arm()
}

// Counters returns what the session did so far.
func (s *Session) Counters() bgp.BFDCounters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counters
}

// Close tells the peer that the session is shut down, which says nothing about the path (AdminDown), and returns at once:
// for the peer's detection time it goes on to be said, see Monitor.Close.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || !s.farewell.IsZero() {
		return
	}
	s.notify = func(bgp.BFDEvent) {}
	now := time.Now()
	if s.machine.DetectionTime() == 0 || s.sockets == nil {
		s.stop() // The peer knows of no session.
		return
	}
	out := s.machine.Disable(moment(now))
	s.farewell = now.Add(min(s.machine.PeerDetectionTime(), longestFarewell))
	s.carryOut(out)
	s.arm()
}

// end ends the session without another word.
func (s *Session) end() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	<-s.ended
}

// stop ends the session. The lock is held.
func (s *Session) stop() {
	if s.over {
		return
	}
	s.over = true
	s.timer.Stop()
	s.closeSockets()
	s.monitor.remove(s)
	close(s.ended)
}

// tick does what is due. It is called by the timer, in a goroutine of its own.
func (s *Session) tick() {
	now := time.Now()
	flush, wait := s.begin(now)
	if flush != nil {
		// The silence may be our own: what came in time counts, however late it is read.
		flush()
		if wait > 0 {
			<-time.After(wait)
			flush()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	if !s.farewell.IsZero() && !now.Before(s.farewell) {
		s.stop()
		return
	}
	// Of the time before the socket was read: what did not come until then was too late.
	s.carryOut(s.machine.Advance(moment(now)))
	s.arm()
}

// begin sends what is due. It returns how to read the socket where the peer seems to be silent, and how long the network has
// to be waited for because this process was late.
func (s *Session) begin(now time.Time) (flush func(), wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || !s.hasSockets() {
		return nil, 0
	}
	s.carryOut(s.machine.Transmit(moment(now)))
	if !s.machine.IsExpired(now) {
		return nil, 0
	}
	if behind := now.Sub(s.machine.Expiry()); behind > late {
		wait = min(behind, grace)
	}
	return s.sockets.receiver.flush, wait
}

// take takes a packet in, or returns why it is dropped.
func (s *Session) take(packet bfd.Packet, ttl int) bfd.Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return bfd.UnknownSession
	}
	if ttl < int(s.minimumTTL) {
		s.drop(ttl)
		return bfd.LowTTL
	}
	s.counters.Received++
	s.carryOut(s.machine.Receive(moment(time.Now()), packet))
	s.arm()
	return 0
}

// refuse notes a packet of the peer that came from too far away.
func (s *Session) refuse(ttl int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(ttl)
}

func (s *Session) drop(ttl int) {
	s.counters.Dropped++
	if s.machine.DetectionTime() == 0 {
		s.say(fmt.Sprintf("packets of the peer come with TTL %d, and count from %d on", ttl, s.minimumTTL))
	}
}

// say tells why the session is down, where that was not said before.
func (s *Session) say(cause string) {
	if s.cause != cause {
		s.cause = cause
		s.notify(bgp.BFDEvent{State: s.machine.State(), Cause: cause})
	}
}

// carryOut sends packets and tells of a change.
func (s *Session) carryOut(out bfd.Output) {
	for _, packet := range out.Send {
		s.send(packet)
	}
	change := out.Change
	if change == (bfd.Change{}) {
		return
	}
	event := bgp.BFDEvent{State: change.To, Cause: change.String(), Failed: change.IsFailure()}
	if event.Cause == "" && change.To != bgp.BFDUp {
		event.Cause = "it is coming up"
	}
	if event.Failed {
		s.counters.Flaps++
	}
	s.cause = event.Cause
	s.notify(event)
}

// send sends a packet. One that can't be sent is lost like one on the way; where the socket itself has had its day, for
// instance because its network interface is gone, another is opened.
func (s *Session) send(packet bfd.Packet) {
	if s.sockets == nil {
		return
	}
	bytes, err := encode(packet)
	if err == nil {
		err = s.sockets.sender.send(bytes)
	}
	switch {
	case err == nil:
		s.counters.Sent++
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EADDRNOTAVAIL),
		// What a socket gets that is bound to the index of an interface which was made anew.
		errors.Is(err, unix.ENETUNREACH) && s.ends.Remote.Zone() != "":
		s.worn = true
	}
}

// arm sets the timer to what is next due.
func (s *Session) arm() {
	if s.over {
		return
	}
	next := s.machine.Deadline()
	if s.sockets == nil {
		next = time.Now().Add(s.pause)
	}
	if !s.farewell.IsZero() && (next.IsZero() || s.farewell.Before(next)) {
		next = s.farewell
	}
	if next.IsZero() {
		s.timer.Stop()
		return
	}
	s.timer.Reset(time.Until(next))
}

// hasSockets opens the sockets where they are not, or are no good any more.
func (s *Session) hasSockets() bool {
	if s.worn {
		s.closeSockets()
	}
	if s.sockets != nil {
		return true
	}
	s.pause = retryTime
	err := s.openSockets()
	switch {
	case err == nil:
		return true
	case errors.Is(err, errClosing):
		s.pause = closingTime
	default:
		s.say(err.Error())
	}
	return false
}

func (s *Session) openSockets() error {
	d := door{s.ends.Local, s.ends.Multihop}
	receiver, err := s.monitor.enter(d)
	if err != nil {
		return err
	}
	sender, err := newSender(d, s.ends.Remote)
	if err != nil {
		s.monitor.leave(d)
		return err
	}
	s.sockets, s.worn = &sockets{receiver, sender}, false
	return nil
}

func (s *Session) closeSockets() {
	if s.sockets == nil {
		return
	}
	s.sockets.sender.close()
	s.monitor.leave(door{s.ends.Local, s.ends.Multihop})
	s.sockets = nil
}
