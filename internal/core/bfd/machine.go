package bfd

import (
	"fmt"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// slow is the least time between packets of a session that is not Up (RFC 5880, section 6.8.3).
const slow = time.Second

// Moment is when something happens, with a random number of [0, 1) for the jitter of what is scheduled then.
type Moment struct {
	Now    time.Time
	Random float64
}

// Parameters are what a session tells its peer.
type Parameters struct {
	// Transmit is the least time between packets that this side wants to send, Receive the least that it can take: whole
	// microseconds above 0.
	Transmit, Receive time.Duration
	// DetectMultiplier is after how many of this side's packets the peer calls it down: at least 1.
	DetectMultiplier uint8
}

// Output is what comes of what happened to a session.
type Output struct {
	// Send are packets to be sent at once, in order.
	Send []Packet
	// Change is what the session's state became; the zero Change where it stayed.
	Change Change
}

// Change is a session's change of state.
type Change struct {
	From, To bgp.BFDState
	// Cause says why the session left Up or Init.
	Cause Cause
	// DetectionTime is how long nothing had come, where the Cause is Expired.
	DetectionTime time.Duration
	// Diagnostic is what the peer gave as its reason, where the Cause is Signaled.
	Diagnostic Diagnostic
}

// Cause says why a session is not up.
type Cause uint8

// The causes.
const (
	// NoCause: it goes up.
	NoCause Cause = iota
	// Expired: nothing was heard from the peer within the detection time.
	Expired
	// Signaled: the peer says that it does not hear this side.
	Signaled
	// PeerDisabled: the peer was told to take the session down, which says nothing about the path (RFC 5882, section 3.2).
	PeerDisabled
	// Disabled: this side was.
	Disabled
)

// IsFailure reports whether the path to the peer was up and has failed: what ends the protocols that run over it.
func (c Change) IsFailure() bool {
	return c.From == bgp.BFDUp && (c.Cause == Expired || c.Cause == Signaled)
}

// String says why the session is not up; "" where it is on its way up.
func (c Change) String() string {
	switch c.Cause {
	case Expired:
		return fmt.Sprintf("no packet from the peer within the detection time of %s", c.DetectionTime)
	case Signaled:
		return fmt.Sprintf("the peer says that it is down (%s)", c.Diagnostic)
	case PeerDisabled:
		return "the peer has shut it down (AdminDown)"
	case Disabled:
		return "it was shut down"
	default:
		return ""
	}
}

// Machine is the state machine of one session, always in the active role. The fields are the state variables of RFC 5880,
// section 6.8.1.
type Machine struct {
	state         bgp.BFDState
	diagnostic    Diagnostic
	discriminator uint32
	parameters    Parameters

	remote remote

	// transmit and receive are the intervals in use. They lag behind what packets say while a Poll Sequence has to tell the
	// peer first, lest it calls this side down, or this side the peer (section 6.8.3).
	transmit, receive time.Duration
	polls
	// waiting are parameters that wait for the end of a Poll Sequence, whose Final would pass for theirs.
	waiting *Parameters

	schedule
	lastReceived time.Time
}

// polls is whether a Poll Sequence is under way, and whether a packet of it was sent: no Final before can be meant for it.
type polls struct{ polling, asked bool }

// schedule is when packets go out. interval is the one that next was reckoned with.
type schedule struct {
	last, next time.Time
	interval   time.Duration
}

// remote is what the peer's last packet said.
type remote struct {
	state         bgp.BFDState
	discriminator uint32
	minReceive    time.Duration
	minTransmit   time.Duration
	multiplier    uint8
	demand        bool
}

// unheard is what is assumed of a peer that was not heard.
func unheard() remote { return remote{state: bgp.BFDDown, minReceive: time.Microsecond} }

// New returns a session that is Down and sends its first packet at once. The discriminator is not 0 and that of no other
// session of this system.
func New(at Moment, discriminator uint32, parameters Parameters) *Machine {
	m := &Machine{
		state: bgp.BFDDown, discriminator: discriminator, parameters: parameters, remote: unheard(),
		transmit: max(parameters.Transmit, slow), receive: parameters.Receive,
		schedule: schedule{last: at.Now, next: at.Now},
	}
	m.interval = m.TransmitInterval()
	return m
}

// State returns the session's state.
func (m *Machine) State() bgp.BFDState { return m.state }

// DetectionTime returns after how long a silence the peer is down (RFC 5880, section 6.8.4); 0 before it was heard.
func (m *Machine) DetectionTime() time.Duration {
	return time.Duration(m.remote.multiplier) * max(m.receive, m.remote.minTransmit)
}

// PeerDetectionTime returns after how long a silence of this side the peer calls it down, as far as it can be told: by what
// the peer last said, without what it set since.
func (m *Machine) PeerDetectionTime() time.Duration {
	return time.Duration(m.parameters.DetectMultiplier) * m.TransmitInterval()
}

// TransmitInterval returns the time between packets that are sent, before jitter (RFC 5880, section 6.8.2).
func (m *Machine) TransmitInterval() time.Duration { return max(m.transmit, m.remote.minReceive) }

// Deadline returns when Advance is next due; the zero time where only a packet can change anything.
func (m *Machine) Deadline() time.Time {
	expiry := m.Expiry()
	switch {
	case !m.isPeriodic():
		return expiry
	case expiry.IsZero() || m.next.Before(expiry):
		return m.next
	default:
		return expiry
	}
}

// IsExpired reports whether nothing was heard for longer than the detection time allows: an Advance at that time takes
// the session down. Whoever has packets that wait passes them on first.
func (m *Machine) IsExpired(now time.Time) bool {
	expiry := m.Expiry()
	return !expiry.IsZero() && !now.Before(expiry)
}

// Expiry returns when the silence becomes too long; the zero time where nobody is listened for.
func (m *Machine) Expiry() time.Time {
	if m.remote.discriminator == 0 || m.state == bgp.BFDAdminDown {
		return time.Time{}
	}
	return m.lastReceived.Add(m.DetectionTime())
}

// isPeriodic reports whether packets are sent without being asked for (RFC 5880, section 6.8.7).
func (m *Machine) isPeriodic() bool {
	resting := m.remote.demand && m.state == bgp.BFDUp && m.remote.state == bgp.BFDUp
	return m.remote.minReceive != 0 && (!resting || m.polling)
}

// Advance does what is due by time alone.
func (m *Machine) Advance(at Moment) Output {
	if !m.IsExpired(at.Now) {
		return m.Transmit(at)
	}
	change := m.expire(at)
	if change == (Change{}) {
		return m.Transmit(at)
	}
	return Output{Send: []Packet{m.send(at)}, Change: change}
}

// Transmit is that part of Advance that sends: it changes no state.
func (m *Machine) Transmit(at Moment) Output {
	if !m.isPeriodic() || at.Now.Before(m.next) {
		return Output{}
	}
	return Output{Send: []Packet{m.send(at)}}
}

// expire forgets a peer that has been silent for too long.
func (m *Machine) expire(at Moment) Change {
	silence, from := m.DetectionTime(), m.state
	m.remote = unheard()
	if from != bgp.BFDInit && from != bgp.BFDUp {
		m.polls = polls{}
		m.hasten(at)
		return Change{}
	}
	m.enter(bgp.BFDDown, DetectionTimeExpired)
	return Change{From: from, To: bgp.BFDDown, Cause: Expired, DetectionTime: silence}
}

// Receive takes a packet in that passed Check and is for this session: the second half of RFC 5880, section 6.8.6.
func (m *Machine) Receive(at Moment, p Packet) Output {
	var out Output
	m.remote = remote{
		state: p.State, discriminator: p.MyDiscriminator, minReceive: p.RequiredMinReceive, minTransmit: p.DesiredMinTransmit,
		multiplier: p.DetectMultiplier, demand: p.Demand,
	}
	m.lastReceived = at.Now
	if m.state == bgp.BFDAdminDown {
		return out
	}
	if p.Final && m.polling && m.asked {
		m.endPoll(at, &out)
	}
	if to, cause := m.following(p.State); to != m.state {
		out.Change = Change{From: m.state, To: to, Cause: cause}
		diagnostic := NoDiagnostic
		if to == bgp.BFDDown {
			diagnostic, out.Change.Diagnostic = NeighborSignaledDown, p.Diagnostic
		}
		m.enter(to, diagnostic)
	}
	if p.Poll {
		answer := m.packet()
		answer.Final = true
		m.last = at.Now
		out.Send = append(out.Send, answer)
	}
	if out.Change != (Change{}) && (!p.Poll || m.polling) {
		out.Send = append(out.Send, m.send(at))
	}
	m.hasten(at)
	return out
}

// following returns the state that follows on a packet of the peer in the given state, and why it is a lower one.
func (m *Machine) following(peer bgp.BFDState) (bgp.BFDState, Cause) {
	switch {
	case peer == bgp.BFDAdminDown && m.state != bgp.BFDDown:
		return bgp.BFDDown, PeerDisabled
	case m.state == bgp.BFDDown && peer == bgp.BFDDown:
		return bgp.BFDInit, NoCause
	case m.state == bgp.BFDDown && peer == bgp.BFDInit,
		m.state == bgp.BFDInit && (peer == bgp.BFDInit || peer == bgp.BFDUp):
		return bgp.BFDUp, NoCause
	case m.state == bgp.BFDUp && peer == bgp.BFDDown:
		return bgp.BFDDown, Signaled
	default:
		return m.state, NoCause
	}
}

// enter changes the state, and the timers with it: a session that is not Up is slow, and has nothing to wait for.
func (m *Machine) enter(to bgp.BFDState, diagnostic Diagnostic) {
	before := m.desired()
	m.state, m.diagnostic = to, diagnostic
	if m.waiting != nil {
		m.parameters, m.waiting = *m.waiting, nil
	}
	m.transmit, m.receive = m.desired(), m.parameters.Receive
	switch {
	case m.remote.discriminator == 0:
		m.polls = polls{}
	case m.desired() != before:
		m.polling = true
	}
}

// desired returns the least time between packets that this side says it wants to send.
func (m *Machine) desired() time.Duration {
	if m.state == bgp.BFDUp {
		return m.parameters.Transmit
	}
	return max(m.parameters.Transmit, slow)
}

// Set changes the parameters, without a change of state. On a session that is Up they come into use in the order that
// keeps both sides from taking a change for a failure (RFC 5880, section 6.8.3). The peer learns of them by the next packet,
// not by one in between: one that followed the last too closely could overtake it.
func (m *Machine) Set(at Moment, parameters Parameters) {
	switch {
	case m.state == bgp.BFDUp && m.polling:
		m.waiting = &parameters
	case m.state != bgp.BFDAdminDown && parameters != m.parameters:
		m.adopt(at, parameters)
	}
}

func (m *Machine) adopt(at Moment, parameters Parameters) {
	before, receive := m.desired(), m.parameters.Receive
	m.parameters = parameters
	if m.state != bgp.BFDUp {
		m.transmit, m.receive = m.desired(), parameters.Receive
	}
	m.transmit, m.receive = min(m.transmit, m.desired()), max(m.receive, parameters.Receive)
	if m.remote.discriminator != 0 && (m.desired() != before || receive != parameters.Receive) {
		m.polls = polls{polling: true}
	}
	m.hasten(at)
	if apart := m.last.Add(m.jittered(at)); m.next.Before(apart) {
		m.next = apart
	}
}

// endPoll brings into use what the peer now knows, and goes on to what has waited for that, with a packet in between that
// parts the two Poll Sequences.
func (m *Machine) endPoll(at Moment, out *Output) {
	m.polls = polls{}
	m.transmit, m.receive = m.desired(), m.parameters.Receive
	if m.waiting != nil {
		out.Send = append(out.Send, m.send(at))
		m.adopt(at, *m.waiting)
		m.waiting = nil
	}
}

// Disable takes the session down for good, and tells the peer that this says nothing about the path. Packets go on at the
// rate that the session had, so that one that is lost is made up for before the peer misses it.
func (m *Machine) Disable(at Moment) Output {
	if m.state == bgp.BFDAdminDown {
		return Output{}
	}
	transmit, from := m.transmit, m.state
	m.enter(bgp.BFDAdminDown, AdministrativelyDown)
	m.transmit, m.polls = transmit, polls{}
	return Output{Send: []Packet{m.send(at)}, Change: Change{From: from, To: bgp.BFDAdminDown, Cause: Disabled}}
}

// send returns the packet that is to be sent now, and schedules the next.
func (m *Machine) send(at Moment) Packet {
	p := m.packet()
	p.Poll, m.asked = m.polling, m.polling
	m.last, m.interval = at.Now, m.TransmitInterval()
	m.next = at.Now.Add(m.jittered(at))
	return p
}

// hasten brings the next packet forward where the interval has become shorter since it was scheduled.
func (m *Machine) hasten(at Moment) {
	interval := m.TransmitInterval()
	if !m.isPeriodic() {
		m.interval = 1<<63 - 1 // Whatever comes is shorter.
		return
	}
	if interval >= m.interval {
		return
	}
	m.interval = interval
	next := m.last.Add(m.jittered(at))
	if next.Before(at.Now) {
		next = at.Now
	}
	m.next = next
}

// jittered returns the interval that is in use less up to a quarter; with a multiplier of 1, where the next packet has to
// come before the interval is over, less 10 % to a quarter (RFC 5880, section 6.8.7).
func (m *Machine) jittered(at Moment) time.Duration {
	least, most := 0.75, 1.0
	if m.parameters.DetectMultiplier == 1 {
		most = 0.9
	}
	return time.Duration(float64(m.interval) * (least + (most-least)*at.Random))
}

// packet returns what there is to say, neither asking nor answering.
func (m *Machine) packet() Packet {
	return Packet{
		Version: Version, Diagnostic: m.diagnostic, State: m.state, DetectMultiplier: m.parameters.DetectMultiplier, Length: Length,
		MyDiscriminator: m.discriminator, YourDiscriminator: m.remote.discriminator,
		DesiredMinTransmit: m.desired(), RequiredMinReceive: m.parameters.Receive,
	}
}
