package bgp

import (
	"iter"
	"slices"
	"unique"
)

// list is an immutable list that is compared with ==, which takes constant time: lists with the same items in the same
// order are one and the same. It is one word, and may be read by several goroutines. The zero list is empty.
type list[T comparable] struct{ first unique.Handle[cell[T]] }

type cell[T comparable] struct {
	item T
	rest list[T]
}

func listOf[T comparable](items []T) list[T] {
	var l list[T]
	for _, item := range slices.Backward(items) {
		l = list[T]{unique.Make(cell[T]{item, l})}
	}
	return l
}

func (l list[T]) isEmpty() bool { return l == list[T]{} }

func (l list[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for !l.isEmpty() {
			c := l.first.Value()
			if !yield(c.item) {
				return
			}
			l = c.rest
		}
	}
}
