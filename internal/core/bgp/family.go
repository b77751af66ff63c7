package bgp

import (
	"iter"
	"net/netip"
	"strings"
)

// ASN is an autonomous system number of two or four bytes (RFC 6793).
type ASN uint32

// Family is an address family with the unicast subsequent address family (RFC 4760).
type Family uint8

// The families that Herald advertises. The zero Family is none.
const (
	IPv4 Family = iota + 1
	IPv6
)

// FamilyOf returns the family of an address; an IPv4-mapped IPv6 address is IPv4. An invalid address has no family.
func FamilyOf(a netip.Addr) Family {
	switch {
	case !a.IsValid():
		return 0
	case a.Unmap().Is4():
		return IPv4
	default:
		return IPv6
	}
}

// Bits returns the length in bits of an address of the family: the length of a host route's prefix.
func (f Family) Bits() int {
	if f == IPv4 {
		return 32
	}
	return 128
}

// String returns the family's name as it stands in the API: IPv4 or IPv6.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	default:
		return "none"
	}
}

// Families is a set of families. Its zero value is empty.
type Families uint8

// FamiliesOf returns the set of the given families; the zero Family adds nothing.
func FamiliesOf(families ...Family) Families {
	var set Families
	for _, f := range families {
		if f != 0 {
			set |= 1 << f
		}
	}
	return set
}

// Has reports whether f is in the set.
func (s Families) Has(f Family) bool { return f != 0 && s&(1<<f) != 0 }

// All yields the members, IPv4 first.
func (s Families) All() iter.Seq[Family] {
	return func(yield func(Family) bool) {
		for _, f := range [...]Family{IPv4, IPv6} {
			if s.Has(f) && !yield(f) {
				return
			}
		}
	}
}

// String returns the members' names, joined with a comma.
func (s Families) String() string {
	var names []string
	for f := range s.All() {
		names = append(names, f.String())
	}
	return strings.Join(names, ",")
}
