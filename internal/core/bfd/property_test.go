package bfd_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/bfd"
	"github.com/herald-network/herald/internal/core/bgp"
)

// pair is two machines, each on one end of a channel, and the time between them.
type pair struct {
	t        *rapid.T
	now      time.Time
	machines [2]*bfd.Machine
	flight   []flying
	changes  [2][]bfd.Change
	sent     [2]int
	// deliver says after how long a packet arrives; false loses it.
	deliver func() (time.Duration, bool)
}

type flying struct {
	to      int
	arrives time.Time
	packet  bfd.Packet
}

func newPair(t *rapid.T) *pair {
	p := &pair{t: t, now: time.Unix(1000, 0)}
	for i := range p.machines {
		p.machines[i] = bfd.New(p.moment(), uint32(10+i), parameters(t))
	}
	return p
}

func parameters(t *rapid.T) bfd.Parameters {
	interval := rapid.SampledFrom([]time.Duration{10 * millisecond, 50 * millisecond, 300 * millisecond, second, 3 * second})
	return bfd.Parameters{
		Transmit:         interval.Draw(t, "transmit"),
		Receive:          interval.Draw(t, "receive"),
		DetectMultiplier: rapid.Uint8Range(2, 6).Draw(t, "multiplier"),
	}
}

func (p *pair) moment() bfd.Moment {
	return bfd.Moment{Now: p.now, Random: float64(rapid.IntRange(0, 99).Draw(p.t, "random")) / 100}
}

func (p *pair) take(i int, out bfd.Output) {
	if out.Change != (bfd.Change{}) {
		p.changes[i] = append(p.changes[i], out.Change)
	}
	for _, packet := range out.Send {
		p.sent[i]++
		if refusal := packet.Check(bfd.Length); refusal != 0 {
			p.t.Fatalf("machine %d sends a packet that is refused for %s: %+v", i, refusal, packet)
		}
		if packet.Poll && packet.Final {
			p.t.Fatalf("machine %d sends Poll and Final: %+v", i, packet)
		}
		if delay, arrives := p.deliver(); arrives {
			p.flight = append(p.flight, flying{1 - i, p.now.Add(delay), packet})
		}
	}
}

// run lets time pass.
func (p *pair) run(d time.Duration) {
	end := p.now.Add(d)
	for {
		next, machine, arrival := end, -1, -1
		for i, m := range p.machines {
			if at := m.Deadline(); !at.IsZero() && at.Before(next) {
				next, machine = at, i
			}
		}
		for i, f := range p.flight {
			if !f.arrives.After(next) && f.arrives.Before(end) && (arrival < 0 || f.arrives.Before(p.flight[arrival].arrives)) {
				next, arrival = f.arrives, i
			}
		}
		if next.Before(p.now) && (machine >= 0 || arrival >= 0) {
			p.t.Fatalf("the deadline %s is in the past of %s", next, p.now)
		}
		switch {
		case arrival >= 0:
			p.now = next
			f := p.flight[arrival]
			p.flight = slices.Delete(p.flight, arrival, arrival+1)
			p.take(f.to, p.machines[f.to].Receive(p.moment(), f.packet))
		case machine >= 0:
			p.now = next
			p.take(machine, p.machines[machine].Advance(p.moment()))
		default:
			p.now = end
			return
		}
	}
}

func (p *pair) expectUp(what string) {
	for i, m := range p.machines {
		if m.State() != bgp.BFDUp {
			p.t.Fatalf("%s: machine %d is %s, its changes: %+v", what, i, m.State(), p.changes[i])
		}
	}
}

// bad is a channel that loses, delays and reorders as it likes.
func (p *pair) bad() {
	p.deliver = func() (time.Duration, bool) {
		lost := rapid.IntRange(0, 9).Draw(p.t, "fate") < 6
		return time.Duration(rapid.IntRange(0, 3000).Draw(p.t, "delay")) * time.Millisecond, !lost
	}
}

// good is a channel in which every packet arrives within the given time.
func (p *pair) good(most time.Duration) {
	p.deliver = func() (time.Duration, bool) {
		return time.Duration(rapid.Int64Range(0, int64(most)).Draw(p.t, "delay")), true
	}
}

func (p *pair) cut() {
	p.flight = nil
	p.deliver = func() (time.Duration, bool) { return 0, false }
}

// settle is long enough for two machines to come up: what they remember of a bad channel has to expire first.
const settle = 60 * time.Second

func TestTwoMachinesOverAChannel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t)
		p.bad()
		p.run(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds of a bad channel")) * time.Second)

		// No packet that is late enough to be taken for a later one: intervals are 10 ms and more.
		p.good(7 * time.Millisecond)
		p.run(settle)
		p.expectUp("after the channel has healed")

		p.changes = [2][]bfd.Change{}
		for range rapid.IntRange(0, 4).Draw(t, "changes of parameters") {
			i := rapid.IntRange(0, 1).Draw(t, "machine")
			p.machines[i].Set(p.moment(), parameters(t))
			p.run(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms until the next change")) * time.Millisecond)
		}
		p.run(settle)
		p.expectUp("after changes of parameters")
		if len(p.changes[0])+len(p.changes[1]) > 0 {
			t.Fatalf("false alarm: %+v", p.changes)
		}

		p.cut()
		limit := time.Duration(0)
		for _, m := range p.machines {
			limit = max(limit, m.DetectionTime())
		}
		p.run(limit + time.Millisecond)
		for i, m := range p.machines {
			if m.State() != bgp.BFDDown || len(p.changes[i]) != 1 || p.changes[i][0].Cause != bfd.Expired {
				t.Fatalf("after the cut machine %d is %s: %+v", i, m.State(), p.changes[i])
			}
			if !p.changes[i][0].IsFailure() {
				t.Fatalf("machine %d does not call it a failure: %+v", i, p.changes[i])
			}
		}

		p.good(7 * time.Millisecond)
		p.run(settle)
		p.expectUp("after the cut")
	})
}

// The rate is what both sides agreed on, once the parameters that were last set are in use: no faster than the peer can
// take, and no slower than it expects.
func TestPacketsGoOutAtTheAgreedRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t)
		p.good(time.Millisecond)
		p.run(settle)
		last := [2]bfd.Parameters{}
		for i := range last {
			last[i] = parameters(t)
			p.machines[i].Set(p.moment(), last[i])
			p.run(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
		}
		p.run(settle)
		p.expectUp("after a change")
		p.sent = [2]int{}
		const span = 5 * time.Minute
		p.run(span)
		for i := range p.machines {
			interval := max(last[i].Transmit, last[1-i].Receive)
			least, most := int(span/interval)-1, int(span/(interval*3/4))+2
			if n := p.sent[i]; n < least || n > most {
				t.Fatalf("machine %d sent %d packets in %s, want %d to %d at %s", i, n, span, least, most, interval)
			}
			want := time.Duration(last[1-i].DetectMultiplier) * max(last[i].Receive, last[1-i].Transmit)
			if got := p.machines[i].DetectionTime(); got != want {
				t.Fatalf("machine %d detects after %s, want %s", i, got, want)
			}
		}
	})
}
