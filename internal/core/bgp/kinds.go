package bgp

// Kinds is a set of the kinds that a path is of, a bit for each: what it is advertised for. Which kinds there are, and
// which bit stands for which, is said by whom the paths come from, internal/core/advertise. The zero value is empty.
type Kinds uint8

// Intersects reports whether the two sets have a kind in common.
func (k Kinds) Intersects(other Kinds) bool { return k&other != 0 }
