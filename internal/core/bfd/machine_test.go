package bfd_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/internal/core/bfd"
	"github.com/herald-network/herald/internal/core/bgp"
)

const (
	second      = time.Second
	millisecond = time.Millisecond
)

var start = time.Unix(1000, 0)

// at is a moment so long after the start, with no jitter at all.
func at(d time.Duration) bfd.Moment { return bfd.Moment{Now: start.Add(d), Random: 1} }

func usual() bfd.Parameters {
	return bfd.Parameters{Transmit: 300 * millisecond, Receive: 400 * millisecond, DetectMultiplier: 3}
}

// says is a packet of a peer that knows the session, in the given state.
func says(state bgp.BFDState, edits ...func(*bfd.Packet)) bfd.Packet {
	p := sound()
	p.State, p.YourDiscriminator = state, 42
	for _, edit := range edits {
		edit(&p)
	}
	return p
}

func poll(p *bfd.Packet)   { p.Poll = true }
func final(p *bfd.Packet)  { p.Final = true }
func demand(p *bfd.Packet) { p.Demand = true }

func rate(transmit, receive time.Duration) func(*bfd.Packet) {
	return func(p *bfd.Packet) { p.DesiredMinTransmit, p.RequiredMinReceive = transmit, receive }
}

// in returns a session in a state, that its peer sent a packet at the start.
func in(t *testing.T, state bgp.BFDState) *bfd.Machine {
	t.Helper()
	m := bfd.New(at(0), 42, usual())
	m.Advance(at(0))
	switch state {
	default:
	case bgp.BFDAdminDown:
		m.Receive(at(0), says(bgp.BFDInit))
		m.Disable(at(0))
	case bgp.BFDInit:
		m.Receive(at(0), says(bgp.BFDDown))
	case bgp.BFDUp:
		m.Receive(at(0), says(bgp.BFDInit, rate(200*millisecond, 100*millisecond)))
		m.Receive(at(0), says(bgp.BFDUp, final, rate(200*millisecond, 100*millisecond)))
	}
	if m.State() != state {
		t.Fatalf("the session is %s, want %s", m.State(), state)
	}
	return m
}

// RFC 5880, section 6.8.6: what follows on a packet, by the states of both sides.
func TestStatesFollowOnPackets(t *testing.T) {
	down, init, up, disabled := bgp.BFDDown, bgp.BFDInit, bgp.BFDUp, bgp.BFDAdminDown
	for _, row := range []struct {
		own, peer, want bgp.BFDState
		cause           bfd.Cause
		failure         bool
	}{
		{disabled, disabled, disabled, 0, false},
		{disabled, down, disabled, 0, false},
		{disabled, init, disabled, 0, false},
		{disabled, up, disabled, 0, false},
		{down, disabled, down, 0, false},
		{down, down, init, 0, false},
		{down, init, up, 0, false},
		{down, up, down, 0, false},
		{init, disabled, down, bfd.PeerDisabled, false},
		{init, down, init, 0, false},
		{init, init, up, 0, false},
		{init, up, up, 0, false},
		{up, disabled, down, bfd.PeerDisabled, false},
		{up, down, down, bfd.Signaled, true},
		{up, init, up, 0, false},
		{up, up, up, 0, false},
	} {
		t.Run(row.own.String()+" hears "+row.peer.String(), func(t *testing.T) {
			m := in(t, row.own)
			p := says(row.peer)
			p.Diagnostic = bfd.DetectionTimeExpired
			out := m.Receive(at(millisecond), p)
			if m.State() != row.want {
				t.Fatalf("it is %s, want %s", m.State(), row.want)
			}
			want := bfd.Change{}
			if row.own != row.want {
				want = bfd.Change{From: row.own, To: row.want, Cause: row.cause}
			}
			if row.want == down && row.own != down {
				want.Diagnostic = bfd.DetectionTimeExpired
			}
			if out.Change != want {
				t.Errorf("change %+v, want %+v", out.Change, want)
			}
			if out.Change.IsFailure() != row.failure {
				t.Errorf("failure: %v", out.Change.IsFailure())
			}
			if (len(out.Send) > 0) != (row.own != row.want) {
				t.Errorf("sent %+v: a change of state is told at once, and nothing else", out.Send)
			}
			for _, sent := range out.Send {
				if sent.State != row.want {
					t.Errorf("sent %s", sent.State)
				}
				if row.want == down && sent.Diagnostic != bfd.NeighborSignaledDown {
					t.Errorf("sent %s", sent.Diagnostic)
				}
			}
		})
	}
}

func TestTheFirstPacketGoesOutAtOnce(t *testing.T) {
	m := bfd.New(at(0), 42, usual())
	if got := m.Deadline(); !got.Equal(start) {
		t.Fatalf("the deadline is %s after the start", got.Sub(start))
	}
	want := bfd.Packet{
		Version: 1, State: bgp.BFDDown, DetectMultiplier: 3, Length: 24, MyDiscriminator: 42,
		DesiredMinTransmit: second, RequiredMinReceive: 400 * millisecond,
	}
	out := m.Advance(at(0))
	if diff := cmp.Diff(bfd.Output{Send: []bfd.Packet{want}}, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := m.Deadline(); !got.Equal(start.Add(second)) {
		t.Errorf("a session that is not up sends again after %s, want 1 s", got.Sub(start))
	}
}

// Once up, the peer is told of the fast rate by a Poll Sequence, and what it says decides.
func TestRatesAreNegotiated(t *testing.T) {
	m := in(t, bgp.BFDInit)
	out := m.Receive(at(0), says(bgp.BFDUp, rate(200*millisecond, 500*millisecond)))
	if len(out.Send) != 1 || !out.Send[0].Poll || out.Send[0].DesiredMinTransmit != 300*millisecond {
		t.Fatalf("sent %+v, want a poll with the fast rate", out.Send)
	}
	if got := m.TransmitInterval(); got != 500*millisecond {
		t.Errorf("it sends every %s, want the 500 ms that the peer can take", got)
	}
	if got := m.DetectionTime(); got != 3*400*millisecond {
		t.Errorf("it detects after %s, want 3 x the 400 ms that it can take itself", got)
	}
	if out := m.Advance(at(500 * millisecond)); !out.Send[0].Poll {
		t.Error("the poll is not repeated")
	}
	m.Receive(at(600*millisecond), says(bgp.BFDUp, final, rate(700*millisecond, 100*millisecond)))
	if got := m.TransmitInterval(); got != 300*millisecond {
		t.Errorf("it sends every %s, want its own 300 ms", got)
	}
	if got := m.Deadline().Sub(start); got != 800*millisecond {
		t.Errorf("the next packet is due after %s: the shorter interval counts from the last packet, at 500 ms", got)
	}
	if got := m.DetectionTime(); got != 3*700*millisecond {
		t.Errorf("it detects after %s, want 3 x the 700 ms that the peer sends at", got)
	}
	if out := m.Advance(at(800 * millisecond)); out.Send[0].Poll {
		t.Error("the poll has not ended with Final")
	}
}

func TestAPollIsAnsweredAtOnce(t *testing.T) {
	for _, state := range []bgp.BFDState{bgp.BFDDown, bgp.BFDInit, bgp.BFDUp} {
		m := in(t, state)
		due := m.Deadline()
		out := m.Receive(at(millisecond), says(state, poll))
		if state == bgp.BFDDown || state == bgp.BFDInit {
			// It goes up by this packet, and the answer says so.
			if len(out.Send) == 0 || out.Send[0].State == state {
				t.Errorf("%s: answered %+v", state, out.Send)
			}
		}
		if len(out.Send) == 0 || !out.Send[0].Final || out.Send[0].Poll || out.Send[0].YourDiscriminator != 7 {
			t.Errorf("%s: answered %+v", state, out.Send)
		}
		if state == bgp.BFDUp && !m.Deadline().Equal(due) {
			t.Errorf("an answer changes nothing about when the next packet is due")
		}
	}
	if out := in(t, bgp.BFDAdminDown).Receive(at(0), says(bgp.BFDUp, poll)); len(out.Send) > 0 {
		t.Errorf("disabled, it answers %+v", out.Send)
	}
}

// set changes the parameters and returns the packet that tells the peer: the next that is due.
func set(m *bfd.Machine, now time.Duration, parameters bfd.Parameters) bfd.Packet {
	m.Set(at(now), parameters)
	out := m.Advance(at(m.Deadline().Sub(start)))
	if len(out.Send) != 1 {
		return bfd.Packet{}
	}
	return out.Send[0]
}

// RFC 5880, section 6.8.3: no side may take a change of the other's timers for a failure.
func TestParametersComeIntoUseInOrder(t *testing.T) {
	slowly, fast := 1000*millisecond, 50*millisecond
	t.Run("sending slower waits until the peer knows", func(t *testing.T) {
		m := in(t, bgp.BFDUp)
		out := set(m, 0, bfd.Parameters{Transmit: slowly, Receive: 400 * millisecond, DetectMultiplier: 3})
		if !out.Poll || out.DesiredMinTransmit != slowly || out.State != bgp.BFDUp {
			t.Fatalf("sent %+v, want a poll with the slower rate", out)
		}
		if got := m.TransmitInterval(); got != 300*millisecond {
			t.Errorf("it sends every %s before the peer knows", got)
		}
		m.Receive(at(millisecond), says(bgp.BFDUp, rate(200*millisecond, 100*millisecond)))
		if got := m.TransmitInterval(); got != 300*millisecond {
			t.Errorf("it sends every %s after a packet without Final", got)
		}
		m.Receive(at(2*millisecond), says(bgp.BFDUp, final, rate(200*millisecond, 100*millisecond)))
		if got := m.TransmitInterval(); got != slowly {
			t.Errorf("it sends every %s when the peer knows", got)
		}
	})
	t.Run("sending faster begins at once", func(t *testing.T) {
		m := in(t, bgp.BFDUp)
		out := set(m, 0, bfd.Parameters{Transmit: fast, Receive: 400 * millisecond, DetectMultiplier: 3})
		if got := m.TransmitInterval(); got != 100*millisecond || !out.Poll {
			t.Errorf("it sends every %s, polling: %v; the peer can take 100ms", got, out.Poll)
		}
		if got := m.Deadline().Sub(start); got != 200*millisecond {
			t.Errorf("the second packet since is due after %s", got)
		}
	})
	t.Run("expecting packets faster waits until the peer knows", func(t *testing.T) {
		m := in(t, bgp.BFDUp)
		out := set(m, 0, bfd.Parameters{Transmit: 300 * millisecond, Receive: fast, DetectMultiplier: 3})
		if got := m.DetectionTime(); got != 1200*millisecond || out.RequiredMinReceive != fast || !out.Poll {
			t.Errorf("it detects after %s before the peer knows, and says %+v", got, out)
		}
		m.Receive(at(0), says(bgp.BFDUp, final, rate(200*millisecond, 100*millisecond)))
		if got := m.DetectionTime(); got != 600*millisecond {
			t.Errorf("it detects after %s when the peer knows", got)
		}
	})
	t.Run("expecting packets slower begins at once", func(t *testing.T) {
		m := in(t, bgp.BFDUp)
		m.Set(at(0), bfd.Parameters{Transmit: 300 * millisecond, Receive: slowly, DetectMultiplier: 3})
		if got := m.DetectionTime(); got != 3*slowly {
			t.Errorf("it detects after %s", got)
		}
	})
	t.Run("another multiplier is told without a poll", func(t *testing.T) {
		m := in(t, bgp.BFDUp)
		out := set(m, 0, bfd.Parameters{Transmit: 300 * millisecond, Receive: 400 * millisecond, DetectMultiplier: 9})
		if out.Poll || out.DetectMultiplier != 9 {
			t.Errorf("sent %+v", out)
		}
	})
	t.Run("the same again says nothing", func(t *testing.T) {
		if out := set(in(t, bgp.BFDUp), 0, usual()); out.Poll {
			t.Errorf("sent %+v", out)
		}
	})
	t.Run("no packet that tells it follows the last too closely", func(t *testing.T) {
		m := in(t, bgp.BFDUp)
		m.Receive(at(299*millisecond), says(bgp.BFDUp, poll, rate(200*millisecond, 100*millisecond)))
		set(m, 299*millisecond, bfd.Parameters{Transmit: slowly, Receive: 400 * millisecond, DetectMultiplier: 3})
		if got := m.Deadline().Sub(start); got != (299+2*300)*millisecond {
			t.Errorf("the second packet since is due after %s, the answer was sent after 299 ms", got)
		}
	})
	t.Run("a session that is not up is slow whatever is set", func(t *testing.T) {
		m := in(t, bgp.BFDDown)
		out := set(m, 0, bfd.Parameters{Transmit: fast, Receive: fast, DetectMultiplier: 3})
		if out.DesiredMinTransmit != second || m.TransmitInterval() != second {
			t.Errorf("it sends every %s, and says %s", m.TransmitInterval(), out.DesiredMinTransmit)
		}
	})
}

// A Final that answers an earlier Poll Sequence says nothing of what was set since.
func TestChangesDuringAPollWaitForItsEnd(t *testing.T) {
	m := in(t, bgp.BFDUp)
	answer := says(bgp.BFDUp, final, rate(200*millisecond, 100*millisecond))
	m.Set(at(0), bfd.Parameters{Transmit: 600 * millisecond, Receive: 400 * millisecond, DetectMultiplier: 3})
	m.Receive(at(0), answer)
	if got := m.TransmitInterval(); got != 300*millisecond {
		t.Fatalf("a Final counts before it was polled for: it sends every %s", got)
	}
	m.Advance(at(300 * millisecond))
	m.Set(at(300*millisecond), bfd.Parameters{Transmit: 900 * millisecond, Receive: 400 * millisecond, DetectMultiplier: 3})
	if out := m.Advance(at(600 * millisecond)); !out.Send[0].Poll || out.Send[0].DesiredMinTransmit != 600*millisecond {
		t.Fatalf("sent %+v in the middle of a poll", out.Send)
	}
	out := m.Receive(at(601*millisecond), answer)
	if len(out.Send) != 1 || out.Send[0].Poll || m.TransmitInterval() != 600*millisecond {
		t.Fatalf("sent %+v, sends every %s: want a packet that parts the two polls", out.Send, m.TransmitInterval())
	}
	m.Receive(at(602*millisecond), answer)
	if got := m.TransmitInterval(); got != 600*millisecond {
		t.Fatalf("a Final that comes twice counts for the next poll: it sends every %s", got)
	}
	out = m.Advance(at(1201 * millisecond))
	if len(out.Send) != 1 || !out.Send[0].Poll || out.Send[0].DesiredMinTransmit != 900*millisecond {
		t.Fatalf("sent %+v, want a poll with the rate that waited", out.Send)
	}
	m.Receive(at(1202*millisecond), answer)
	if got := m.TransmitInterval(); got != 900*millisecond {
		t.Errorf("it sends every %s", got)
	}
}

func TestSilenceTakesASessionDown(t *testing.T) {
	m := in(t, bgp.BFDUp)
	const detection = 1200 * millisecond
	if m.IsExpired(start.Add(detection - 1)) {
		t.Fatal("expired too early")
	}
	if out := m.Advance(at(detection - 1)); out.Change != (bfd.Change{}) {
		t.Fatalf("change %+v before the detection time is over", out.Change)
	}
	m.Receive(at(detection-1), says(bgp.BFDUp, rate(200*millisecond, 100*millisecond)))
	out := m.Advance(at(detection))
	if out.Change != (bfd.Change{}) {
		t.Fatalf("change %+v, though a packet came", out.Change)
	}
	if out = m.Advance(at(2*detection - 1)); out.Change != (bfd.Change{From: bgp.BFDUp, To: bgp.BFDDown, Cause: bfd.Expired, DetectionTime: detection}) {
		t.Fatalf("change %+v", out.Change)
	}
	if len(out.Send) != 1 || out.Send[0].Diagnostic != bfd.DetectionTimeExpired || out.Send[0].YourDiscriminator != 0 ||
		out.Send[0].DesiredMinTransmit != second || out.Send[0].State != bgp.BFDDown || out.Send[0].Poll {
		t.Errorf("sent %+v", out.Send)
	}
	if got := m.Deadline(); got.Sub(start) != 2*detection-1+second {
		t.Errorf("next is due after %s", got.Sub(start))
	}
}

func TestAPeerThatGoesSilentWhileDownIsForgotten(t *testing.T) {
	m := in(t, bgp.BFDDown)
	m.Receive(at(0), says(bgp.BFDAdminDown, rate(second, 0)))
	if got := m.Deadline(); got.Sub(start) != 3*second {
		t.Fatalf("the deadline is after %s: a peer that takes no packets gets none until it is forgotten", got.Sub(start))
	}
	out := m.Advance(at(3 * second))
	if len(out.Send) != 1 || out.Send[0].YourDiscriminator != 0 || out.Change != (bfd.Change{}) {
		t.Errorf("got %+v", out)
	}
}

func TestAPeerThatTakesNoPacketsGetsNone(t *testing.T) {
	m := in(t, bgp.BFDUp)
	m.Receive(at(0), says(bgp.BFDUp, rate(200*millisecond, 0)))
	if out := m.Advance(at(second)); len(out.Send) > 0 {
		t.Errorf("sent %+v", out.Send)
	}
	out := m.Receive(at(second), says(bgp.BFDUp, poll, rate(200*millisecond, 0)))
	if len(out.Send) != 1 || !out.Send[0].Final {
		t.Errorf("answered a poll with %+v", out.Send)
	}
	m.Receive(at(second), says(bgp.BFDUp, rate(200*millisecond, 100*millisecond)))
	if got := m.Deadline(); got.Sub(start) != 1300*millisecond {
		t.Errorf("when it takes packets again the next is due after %s, want one interval after the answer", got.Sub(start))
	}
}

// A peer in demand mode is not sent to but while this side has a question, and is still expected to send.
func TestDemandModeOfThePeer(t *testing.T) {
	m := in(t, bgp.BFDUp)
	asks := rate(200*millisecond, 100*millisecond)
	m.Receive(at(0), says(bgp.BFDUp, demand, asks))
	if got := m.Deadline().Sub(start); got != 1200*millisecond {
		t.Fatalf("the deadline is after %s, want the detection time", got)
	}
	if out := m.Advance(at(second)); len(out.Send) > 0 {
		t.Errorf("sent %+v", out.Send)
	}
	if out := set(m, second, bfd.Parameters{Transmit: 350 * millisecond, Receive: 400 * millisecond, DetectMultiplier: 3}); !out.Poll {
		t.Fatalf("sent %+v", out)
	}
	m.Receive(at(second), says(bgp.BFDUp, demand, asks))
	if got := m.Deadline().Sub(start); got != 1300*millisecond {
		t.Errorf("the poll is repeated after %s", got)
	}
	m.Receive(at(1100*millisecond), says(bgp.BFDUp, demand, final, asks))
	if got := m.Deadline().Sub(start); got != 2300*millisecond {
		t.Errorf("after the poll the deadline is after %s", got)
	}
	m.Receive(at(1100*millisecond), says(bgp.BFDUp, asks))
	if got := m.Deadline().Sub(start); got != 1350*millisecond {
		t.Errorf("without demand mode the next packet is due after %s, want one interval after the last", got)
	}
}

func TestDisabling(t *testing.T) {
	m := in(t, bgp.BFDUp)
	out := m.Disable(at(0))
	if len(out.Send) != 1 || out.Send[0].State != bgp.BFDAdminDown || out.Send[0].Diagnostic != bfd.AdministrativelyDown || out.Send[0].YourDiscriminator != 7 {
		t.Fatalf("sent %+v", out.Send)
	}
	if out.Change != (bfd.Change{From: bgp.BFDUp, To: bgp.BFDAdminDown, Cause: bfd.Disabled}) || out.Change.IsFailure() {
		t.Errorf("change %+v", out.Change)
	}
	if got := m.Deadline().Sub(start); got != 300*millisecond {
		t.Errorf("it is said again after %s, want before the peer's detection time is over", got)
	}
	if out := m.Advance(at(300 * millisecond)); len(out.Send) != 1 || out.Send[0].State != bgp.BFDAdminDown {
		t.Errorf("sent %+v", out.Send)
	}
	if out := m.Advance(at(time.Hour)); m.State() != bgp.BFDAdminDown || out.Change != (bfd.Change{}) {
		t.Errorf("silence makes it %s", m.State())
	}
	if out := m.Disable(at(0)); len(out.Send) > 0 {
		t.Errorf("disabled twice, it sends %+v", out.Send)
	}
}

// RFC 5880, section 6.8.7: up to a quarter less, and with a multiplier of 1 at least 10 % less.
func TestJitter(t *testing.T) {
	for _, row := range []struct {
		multiplier uint8
		random     float64
		want       time.Duration
	}{
		{3, 0, 750 * millisecond},
		{3, 1, 1000 * millisecond},
		{3, 0.5, 875 * millisecond},
		{1, 0, 750 * millisecond},
		{1, 1, 900 * millisecond},
	} {
		m := bfd.New(at(0), 42, bfd.Parameters{Transmit: second, Receive: second, DetectMultiplier: row.multiplier})
		m.Advance(bfd.Moment{Now: start, Random: row.random})
		if got := m.Deadline().Sub(start); got != row.want {
			t.Errorf("multiplier %d, random number %v: %s, want %s", row.multiplier, row.random, got, row.want)
		}
	}
}
