package ipam

import (
	"net/netip"
	"time"

	"github.com/herald-network/herald/internal/core/advertise"
)

// wait is one thing that a Service waits for: an address of a kind from a stock, an address by name, or one of its group.
type wait struct {
	stock *stock
	kind  advertise.Kind
	named netip.Addr
	group group
}

// alarm is when an address that is waited for by name has rested long enough.
type alarm struct {
	at      time.Time
	address netip.Addr
}

func (a alarm) isBefore(b alarm) bool {
	if c := a.at.Compare(b.at); c != 0 {
		return c < 0
	}
	return a.address.Less(b.address)
}

// await registers a Service with all that it waits for.
func (t *Table) await(s *service, waits []wait) {
	s.waits = waits
	for _, w := range waits {
		switch {
		case w.stock != nil:
			w.stock.waiters[w.kind].Set(s)
			t.waited[w.stock] = struct{}{}
		case w.named.IsValid():
			t.awaitNamed(s, w.named)
		default:
			t.members(w.group).waiters[s] = struct{}{}
		}
	}
}

func (t *Table) awaitNamed(s *service, a netip.Addr) {
	waiters := t.named[a]
	if waiters == nil {
		waiters = newServiceTree()
		t.named[a] = waiters
	}
	waiters.Set(s)
	if e := t.entries[a]; e != nil && e.place == atRest {
		t.alarms.Set(alarm{e.released.Add(ShortRest), a})
	}
}

// forgo undoes await, and returns what the Service waited for.
func (t *Table) forgo(s *service) []wait {
	waits := s.waits
	s.waits = nil
	for _, w := range waits {
		switch {
		case w.stock != nil:
			w.stock.waiters[w.kind].Delete(s)
			if w.stock.isUnwaited() {
				delete(t.waited, w.stock)
			}
		case w.named.IsValid():
			if waiters := t.named[w.named]; waiters != nil {
				waiters.Delete(s)
				if waiters.Len() == 0 {
					delete(t.named, w.named)
				}
			}
		default:
			delete(t.members(w.group).waiters, s)
			t.forgetGroup(w.group)
		}
	}
	return waits
}

func (s *stock) isUnwaited() bool {
	for _, waiters := range s.waiters {
		if waiters.Len() > 0 {
			return false
		}
	}
	return true
}

// wakeNamed lets the oldest Service try that waits for an address by name.
func (t *Table) wakeNamed(a netip.Addr) {
	if waiters := t.named[a]; waiters != nil {
		oldest, _ := waiters.Min()
		t.due.Set(oldest)
	}
}

func (t *Table) wakeGroup(g group) {
	if m := t.groups[g]; m != nil {
		for s := range m.waiters {
			t.due.Set(s)
		}
	}
}

// pass lets the next younger Services try that wait for the same as one that has tried, where there may be something left.
func (t *Table) pass(from *service, waits []wait, now time.Time) {
	for _, w := range waits {
		waiters := t.named[w.named]
		if w.stock != nil {
			waiters = w.stock.waiters[w.kind]
		}
		if waiters == nil || !t.mayGive(w, now) {
			continue
		}
		waiters.Ascend(from, func(s *service) bool {
			if s == from {
				return true
			}
			t.due.Set(s)
			return false
		})
	}
}

// mayGive reports whether there is something to be had of what is waited for.
func (t *Table) mayGive(w wait, now time.Time) bool {
	if w.stock != nil {
		return w.stock.canGive(w.kind, now)
	}
	e := t.entries[w.named]
	if e == nil {
		return true
	}
	if e.place == inUse {
		return e.claims[0].group != group{}
	}
	return e.isReady(now)
}

// ring lets those Services try that wait for rests which have ended.
func (t *Table) ring(now time.Time) {
	t.mature(now)
	for s := range t.waited {
		for kind, waiters := range s.waiters {
			if oldest, ok := waiters.Min(); ok && s.canGive(kind, now) {
				t.due.Set(oldest)
			}
		}
	}
	for {
		next, ok := t.alarms.Min()
		if !ok || now.Before(next.at) {
			return
		}
		t.alarms.Delete(next)
		t.wakeNamed(next.address)
	}
}

// serve decides, the oldest first, on the Services that may get something by now and are older than a given one; all of
// them where it is nil. Those whose decision differs from what they were told are touched.
func (t *Table) serve(before *service, now time.Time) {
	t.ring(now)
	for {
		s, ok := t.due.Min()
		if !ok || before != nil && s.compare(&before.Service) >= 0 {
			return
		}
		if decision := t.decide(s, now); !s.owed && (s.told == nil || !decision.equal(*s.told)) {
			s.owed = true
			t.touched.Set(s)
		}
	}
}

// nextRest returns when the next rest ends that a Service waits for.
func (t *Table) nextRest(now time.Time) (next time.Time) {
	for s := range t.waited {
		for kind, waiters := range s.waiters {
			if waiters.Len() > 0 {
				next = earlier(next, s.nextRest(kind, now))
			}
		}
	}
	for {
		first, ok := t.alarms.Min()
		if !ok {
			return next
		}
		e := t.entries[first.address]
		if e != nil && e.place == atRest && t.named[first.address] != nil && first.at.Equal(e.released.Add(ShortRest)) {
			return earlier(next, first.at)
		}
		t.alarms.Delete(first)
	}
}
