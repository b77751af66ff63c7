package forecast

import (
	"iter"
	"math/bits"
	"slices"
)

// NodeSet is a set of nodes. It takes a bit for each node of the cluster, so that one for each of 10,000 prefixes is no
// burden.
type NodeSet struct {
	bits nodeBits
	// nodes of the cluster, by name.
	nodes []node
}

// Len returns how many nodes are in the set.
func (s NodeSet) Len() int { return s.bits.len() }

// All yields the names of the nodes in the set, in order.
func (s NodeSet) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, n := range s.nodes {
			if s.bits.has(i) && !yield(n.before.Name) {
				return
			}
		}
	}
}

// nodeBits is a set of nodes by their place. A nil one is empty; two that are combined are of one length or nil.
type nodeBits []uint64

func newNodeBits(nodes int) nodeBits { return make(nodeBits, (nodes+63)/64) }

func (b nodeBits) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b nodeBits) has(i int) bool { return b != nil && b[i/64]&(1<<(i%64)) != 0 }

func (b nodeBits) len() int {
	n := 0
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

// add puts all nodes of the other set into b, which is not nil.
func (b nodeBits) add(other nodeBits) {
	for i, word := range other {
		b[i] |= word
	}
}

func (b nodeBits) intersects(other nodeBits) bool {
	if b == nil || other == nil {
		return false
	}
	for i, word := range b {
		if word&other[i] != 0 {
			return true
		}
	}
	return false
}

// and returns the nodes that are in both sets: nil where there are none, and b itself where it is all of b.
func (b nodeBits) and(other nodeBits) nodeBits {
	if !b.intersects(other) {
		return nil
	}
	rest := b.without(other)
	if rest == nil {
		return b
	}
	return b.without(rest)
}

// without returns the nodes that are not in the other set: nil where none is left, and b itself where all are.
func (b nodeBits) without(other nodeBits) nodeBits {
	if b == nil || other == nil {
		return b
	}
	rest, left := slices.Clone(b), uint64(0)
	for i, word := range other {
		rest[i] &^= word
		left |= rest[i]
	}
	if left == 0 {
		return nil
	}
	return rest
}
