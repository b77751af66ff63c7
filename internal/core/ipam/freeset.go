package ipam

import (
	"net/netip"

	"github.com/tidwall/btree"
)

// span is a range of addresses of one family, both ends included.
type span struct{ from, to netip.Addr }

// freeSet is a set of addresses, kept as ranges that neither overlap nor touch.
type freeSet struct{ spans *btree.BTreeG[span] }

func newFreeSet() freeSet {
	return freeSet{newTree(func(a, b span) bool { return a.from.Less(b.from) })}
}

// newTree returns a tree for one goroutine.
func newTree[T any](less func(a, b T) bool) *btree.BTreeG[T] {
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
}

// lowest returns the lowest address of the set; false where the set is empty.
func (f freeSet) lowest() (netip.Addr, bool) {
	s, ok := f.spans.Min()
	return s.from, ok
}

// take removes an address of the set.
func (f freeSet) take(a netip.Addr) {
	s, ok := f.around(a)
	if !ok {
		return
	}
	f.spans.Delete(s)
	if s.from != a {
		f.spans.Set(span{s.from, a.Prev()})
	}
	if s.to != a {
		f.spans.Set(span{a.Next(), s.to})
	}
}

// give adds an address.
func (f freeSet) give(a netip.Addr) { f.giveRange(span{a, a}) }

// giveRange adds a range of which the set holds nothing yet.
func (f freeSet) giveRange(s span) {
	if below, ok := f.around(s.from.Prev()); ok {
		f.spans.Delete(below)
		s.from = below.from
	}
	if above, ok := f.spans.Get(span{from: s.to.Next()}); ok {
		f.spans.Delete(above)
		s.to = above.to
	}
	f.spans.Set(s)
}

// around returns the range that holds an address.
func (f freeSet) around(a netip.Addr) (found span, ok bool) {
	if !a.IsValid() {
		return span{}, false
	}
	f.spans.Descend(span{from: a}, func(s span) bool {
		found, ok = s, !s.to.Less(a) && s.from.BitLen() == a.BitLen()
		return false
	})
	return found, ok
}
