package gobgp

import (
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// attributeRules say which path attributes are sound on a session. Herald uses none of them; but a route whose attributes
// are not is no route (RFC 7606), and must not be counted as one.
type attributeRules struct {
	internal bool // iBGP
	asLength int  // of an AS number in AS_PATH: 4, or 2 with a peer that has no others (RFC 6793)
}

// attributeRule is what holds for one kind of attribute.
type attributeRule struct {
	flags uint8 // optional and transitive
	sound func(value []byte) bool
}

const (
	wellKnown             = uint8(packet.BGP_ATTR_FLAG_TRANSITIVE)
	optionalNonTransitive = uint8(packet.BGP_ATTR_FLAG_OPTIONAL)
	optionalTransitive    = wellKnown | optionalNonTransitive
)

// hold reports whether the attributes of an UPDATE that announces something are sound, and all there; but for LOCAL_PREF,
// in place of which routers take a default.
func (r attributeRules) hold(u *update) bool {
	var seen [256]bool
	for _, a := range u.attributes {
		seen[a.kind] = true
		rule, known := r.ruleOf(a.kind)
		switch {
		case !known && a.flags&optionalNonTransitive == 0:
			return false // A well-known attribute that nobody knows.
		case known && (a.flags&optionalTransitive != rule.flags || !rule.sound(a.value)):
			return false
		}
	}
	return seen[packet.BGP_ATTR_TYPE_ORIGIN] && seen[packet.BGP_ATTR_TYPE_AS_PATH] &&
		(seen[packet.BGP_ATTR_TYPE_NEXT_HOP] || !u.plain)
}

// ruleOf returns the rule of a kind of attribute, and whether there is one. Values whose fault is just passed over
// (ATOMIC_AGGREGATE, AGGREGATOR, and on eBGP LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST) may be anything (RFC 7606,
// section 7).
func (r attributeRules) ruleOf(kind packet.BGPAttrType) (attributeRule, bool) {
	ofLength := func(n int) func([]byte) bool { return func(v []byte) bool { return len(v) == n } }
	multipleOf := func(n int) func([]byte) bool { return func(v []byte) bool { return len(v) > 0 && len(v)%n == 0 } }
	anything := func([]byte) bool { return true }
	switch kind {
	case packet.BGP_ATTR_TYPE_ORIGIN:
		return attributeRule{wellKnown, func(v []byte) bool { return len(v) == 1 && v[0] <= packet.BGP_ORIGIN_ATTR_TYPE_INCOMPLETE }}, true
	case packet.BGP_ATTR_TYPE_AS_PATH:
		return attributeRule{wellKnown, r.isASPath}, true
	case packet.BGP_ATTR_TYPE_NEXT_HOP:
		return attributeRule{wellKnown, ofLength(4)}, true
	case packet.BGP_ATTR_TYPE_MULTI_EXIT_DISC:
		return attributeRule{optionalNonTransitive, ofLength(4)}, true
	case packet.BGP_ATTR_TYPE_COMMUNITIES:
		return attributeRule{optionalTransitive, multipleOf(4)}, true
	case packet.BGP_ATTR_TYPE_EXTENDED_COMMUNITIES:
		return attributeRule{optionalTransitive, multipleOf(8)}, true
	case packet.BGP_ATTR_TYPE_LARGE_COMMUNITY:
		return attributeRule{optionalTransitive, multipleOf(12)}, true
	case packet.BGP_ATTR_TYPE_MP_REACH_NLRI, packet.BGP_ATTR_TYPE_MP_UNREACH_NLRI:
		return attributeRule{optionalNonTransitive, anything}, true
	case packet.BGP_ATTR_TYPE_ATOMIC_AGGREGATE:
		return attributeRule{wellKnown, anything}, true
	case packet.BGP_ATTR_TYPE_LOCAL_PREF:
		return attributeRule{wellKnown, func(v []byte) bool { return !r.internal || len(v) == 4 }}, true
	case packet.BGP_ATTR_TYPE_ORIGINATOR_ID:
		return attributeRule{optionalNonTransitive, func(v []byte) bool { return !r.internal || len(v) == 4 }}, true
	case packet.BGP_ATTR_TYPE_CLUSTER_LIST:
		return attributeRule{optionalNonTransitive, func(v []byte) bool { return !r.internal || len(v) > 0 && len(v)%4 == 0 }}, true
	default:
		return attributeRule{}, false
	}
}

// isASPath reports whether a value is a sequence of segments, each with its type (1 to 4: RFC 4271, RFC 5065) and at least
// one AS number.
func (r attributeRules) isASPath(value []byte) bool {
	rest := cursor(value)
	for len(rest) > 0 {
		head, ok := rest.take(2)
		if !ok || head[0] < packet.BGP_ASPATH_ATTR_TYPE_SET || head[0] > packet.BGP_ASPATH_ATTR_TYPE_CONFED_SET || head[1] == 0 {
			return false
		}
		if _, ok := rest.take(int(head[1]) * r.asLength); !ok {
			return false
		}
	}
	return true
}
