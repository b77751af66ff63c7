package bgp

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Community is a standard community (RFC 1997: aa:nn, 16 bits each) or a large community (RFC 8092: aa:nn:mm, 32 bits
// each).
type Community struct {
	// Large tells the two kinds apart; Data2 is 0 for a standard community.
	Large                bool
	Global, Data1, Data2 uint32
}

// ParseCommunity reads "aa:nn" or "aa:nn:mm" in decimal.
func ParseCommunity(text string) (Community, error) {
	parts := strings.Split(text, ":")
	bits := 16
	switch len(parts) {
	case 2:
	case 3:
		bits = 32
	default:
		return Community{}, fmt.Errorf("community %q: want aa:nn (each 0..65535) or aa:nn:mm (each 0..4294967295)", text)
	}
	var numbers [3]uint32
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, bits)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return Community{}, fmt.Errorf("community %q: %q is not a decimal number of %d bits without leading zeros", text, part, bits)
		}
		numbers[i] = uint32(n)
	}
	return Community{Large: len(parts) == 3, Global: numbers[0], Data1: numbers[1], Data2: numbers[2]}, nil
}

// Value returns a standard community as its 32 bits on the wire.
func (c Community) Value() uint32 { return c.Global<<16 | c.Data1 }

// String returns the community as ParseCommunity reads it.
func (c Community) String() string {
	if c.Large {
		return fmt.Sprintf("%d:%d:%d", c.Global, c.Data1, c.Data2)
	}
	return fmt.Sprintf("%d:%d", c.Global, c.Data1)
}

// Communities is a set of communities. Sets with the same members are equal under ==, whatever the order they were
// given in.
type Communities struct {
	text string // canonical: sorted, without duplicates, joined by spaces
}

// CommunitiesOf returns the set of the given communities.
func CommunitiesOf(members ...Community) Communities {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, compareCommunities)
	sorted = slices.Compact(sorted)
	words := make([]string, len(sorted))
	for i, c := range sorted {
		words[i] = c.String()
	}
	return Communities{text: strings.Join(words, " ")}
}

// All yields the members in order: standard ones first, then by number.
func (s Communities) All() iter.Seq[Community] {
	return func(yield func(Community) bool) {
		for word := range strings.FieldsSeq(s.text) {
			c, err := ParseCommunity(word)
			if err != nil {
				panic("bgp: a set holds what it did not write: " + err.Error())
			}
			if !yield(c) {
				return
			}
		}
	}
}

// Intersects reports whether the two sets have a member in common.
func (s Communities) Intersects(other Communities) bool {
	for word := range strings.FieldsSeq(s.text) {
		if other.has(word) {
			return true
		}
	}
	return false
}

// With returns the set with the members of the other one besides its own.
func (s Communities) With(other Communities) Communities {
	switch {
	case other.isIn(s):
		return s
	case s.isIn(other):
		return other
	}
	return CommunitiesOf(slices.AppendSeq(slices.Collect(s.All()), other.All())...)
}

// isIn reports whether every member is in the other set.
func (s Communities) isIn(other Communities) bool {
	for word := range strings.FieldsSeq(s.text) {
		if !other.has(word) {
			return false
		}
	}
	return true
}

// has reports whether the set has a member, by its canonical text.
func (s Communities) has(member string) bool {
	for word := range strings.FieldsSeq(s.text) {
		if word == member {
			return true
		}
	}
	return false
}

// String returns the members, joined by spaces.
func (s Communities) String() string { return s.text }

func compareCommunities(a, b Community) int {
	key := func(c Community) []uint32 {
		kind := uint32(0)
		if c.Large {
			kind = 1
		}
		return []uint32{kind, c.Global, c.Data1, c.Data2}
	}
	return slices.Compare(key(a), key(b))
}
