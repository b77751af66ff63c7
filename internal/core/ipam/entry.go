package ipam

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tidwall/btree"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// hold is how a Service is connected with an address. The lower one comes first where two can't share it.
type hold uint8

const (
	// assigned: it has the address from Herald.
	assigned hold = iota
	// promised: it is to have the address from Herald.
	promised
	// former: it lost the address that Herald assigned, and gets it back.
	former
	// other: it has the address from somebody else.
	other
)

// claim is one Service's hold on an address. It is comparable: what is the same is the same claim.
type claim struct {
	service *service
	hold    hold
	// kind is 0 for the hold other.
	kind  advertise.Kind
	group group
}

// place is where an address is.
type place uint8

const (
	// free: nobody has it; without a pool that gives it, it is nowhere.
	free place = iota
	// inUse: somebody has it.
	inUse
	// atRest: nobody has it any more since a moment ago.
	atRest
	// listed: nobody has it, and yet some node lists its route.
	listed
)

// entry is an address that is not just free.
type entry struct {
	address netip.Addr
	// segment is nil where no pool holds the address.
	segment *segment
	place   place
	claims  []claim
	// listed says that a node lists its host route.
	listed bool
	// released is when a Service lost it last; the zero Time where it is long ago.
	released time.Time
}

func newEntryTree() *btree.BTreeG[*entry] {
	return newTree(func(a, b *entry) bool { return a.compare(b) < 0 })
}

// compare orders entries by the time of their release, then by address.
func (e *entry) compare(other *entry) int {
	if c := e.released.Compare(other.released); c != 0 {
		return c
	}
	return e.address.Compare(other.address)
}

// restedShort reports whether the address has rested long enough for one that has no other.
func (e *entry) restedShort(now time.Time) bool { return !now.Before(e.released.Add(ShortRest)) }

// isReady reports whether the address, which nobody has, can be given to who asks for it by name.
func (e *entry) isReady(now time.Time) bool {
	return !e.listed && (e.released.IsZero() || e.restedShort(now))
}

// due returns where the address should be.
func (e *entry) due() place {
	switch {
	case len(e.claims) > 0:
		return inUse
	case e.listed:
		return listed
	case !e.released.IsZero():
		return atRest
	default:
		return free
	}
}

// stock returns the stock that gives the address; nil where no pool holds it.
func (e *entry) stock() *stock {
	if e.segment == nil {
		return nil
	}
	return e.segment.owner().stock(bgp.FamilyOf(e.address))
}

// entry returns the entry of an address, which is a new one where the address was free. It is to be settled.
func (t *Table) entry(a netip.Addr) *entry {
	e := t.entries[a]
	if e == nil {
		e = &entry{address: a, segment: t.segments.of(a)}
		t.entries[a] = e
	}
	return e
}

// settle brings an address to the place where it should be, and forgets it where it is free.
func (t *Table) settle(e *entry) {
	to := e.due()
	if to != e.place {
		t.leave(e)
		e.place = to
		t.arrive(e)
	}
	if to == free {
		delete(t.entries, e.address)
	}
}

func (t *Table) leave(e *entry) {
	stock := e.stock()
	switch e.place {
	case free:
		if stock != nil {
			stock.free[e.segment.class].take(e.address)
		}
	case atRest:
		t.resting.Delete(e)
		if stock != nil {
			stock.resting[e.segment.class].Delete(e)
		}
	case inUse:
		t.count(e, -1)
	case listed:
	}
}

func (t *Table) arrive(e *entry) {
	stock := e.stock()
	switch e.place {
	case free:
		if stock != nil {
			stock.free[e.segment.class].give(e.address)
		}
	case atRest:
		t.resting.Set(e)
		if stock != nil {
			stock.resting[e.segment.class].Set(e)
		}
	case inUse:
		t.count(e, 1)
	case listed:
	}
}

// mature sets those addresses free that have rested long enough.
func (t *Table) mature(now time.Time) {
	for {
		e, ok := t.resting.Min()
		if !ok || now.Before(e.released.Add(Rest)) {
			return
		}
		t.leave(e)
		e.released, e.place = time.Time{}, free
		t.arrive(e)
		delete(t.entries, e.address)
	}
}

// claim adds a claim on an address.
func (t *Table) claim(a netip.Addr, c claim) {
	e := t.entry(a)
	e.claims = append(e.claims, c)
	t.settle(e)
	t.hold(e, c, 1)
	t.countGroup(e, c, 1)
}

// unclaim takes a claim away. An address on which the Service then has no other has been released by it at the given time;
// with the zero Time it never used the address.
func (t *Table) unclaim(a netip.Addr, c claim, now time.Time) {
	e := t.entries[a]
	i := slices.Index(e.claims, c)
	e.claims = slices.Delete(e.claims, i, i+1)
	if !now.IsZero() && !e.isHeldBy(c.service) {
		e.released = now
	}
	t.hold(e, c, -1)
	t.settle(e)
	t.countGroup(e, c, -1)
}
