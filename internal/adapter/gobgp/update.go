package gobgp

import (
	"encoding/binary"
	"net/netip"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// changes is what an UPDATE says about prefixes of IPv4 and IPv6 unicast; both lists are empty for an End-of-RIB.
type changes struct {
	announced, withdrawn []netip.Prefix
}

// attribute is a path attribute as it is on the wire (RFC 4271, section 4.3).
type attribute struct {
	flags uint8
	kind  packet.BGPAttrType
	value []byte
}

// update is an UPDATE, taken apart.
type update struct {
	changes
	attributes []attribute
	plain      bool // it announces prefixes outside of MP_REACH_NLRI
	broken     bool // an attribute's length is beyond what is there
}

// readUpdate takes an UPDATE apart. It returns a *fault where it can't be told which prefixes it is about: then nothing
// less than the end of the session will do (RFC 7606, section 3).
func readUpdate(m message) (update, error) {
	var u update
	body := cursor(m.body())
	withdrawn, okWithdrawn := body.takeSized(2)
	attributes, okAttributes := body.takeSized(2)
	if !okWithdrawn || !okAttributes {
		return update{}, badUpdate(packet.BGP_ERROR_SUB_MALFORMED_ATTRIBUTE_LIST, "an UPDATE's lengths are beyond its end")
	}
	var ok bool
	if u.withdrawn, ok = appendPrefixes(nil, bgp.IPv4, withdrawn); ok {
		u.announced, ok = appendPrefixes(nil, bgp.IPv4, body)
	}
	if !ok {
		return update{}, badUpdate(packet.BGP_ERROR_SUB_INVALID_NETWORK_FIELD, "an UPDATE has something that is not an IPv4 prefix")
	}
	u.plain = len(u.announced) > 0
	if err := u.readAttributes(attributes); err != nil {
		return update{}, err
	}
	return u, nil
}

func (u *update) readAttributes(list cursor) error {
	var seen [256]bool
	for len(list) > 0 {
		a, ok := list.takeAttribute()
		if !ok {
			u.broken = true
			return nil
		}
		multiprotocol := a.kind == packet.BGP_ATTR_TYPE_MP_REACH_NLRI || a.kind == packet.BGP_ATTR_TYPE_MP_UNREACH_NLRI
		switch {
		case multiprotocol && seen[a.kind]:
			return badUpdate(packet.BGP_ERROR_SUB_MALFORMED_ATTRIBUTE_LIST, "an UPDATE has attribute %d twice", a.kind)
		case seen[a.kind]:
			continue // All but the first are nothing (RFC 7606, section 3).
		}
		seen[a.kind] = true
		u.attributes = append(u.attributes, a)
		if multiprotocol && !u.readMultiprotocol(a) {
			return badUpdate(packet.BGP_ERROR_SUB_OPTIONAL_ATTRIBUTE_ERROR,
				"the prefixes of attribute %d of an UPDATE can't be read", a.kind)
		}
	}
	return nil
}

func (c *cursor) takeAttribute() (attribute, bool) {
	head, ok := c.take(2)
	if !ok {
		return attribute{}, false
	}
	sizeLength := 1
	if head[0]&uint8(packet.BGP_ATTR_FLAG_EXTENDED_LENGTH) != 0 {
		sizeLength = 2
	}
	value, ok := c.takeSized(sizeLength)
	return attribute{flags: head[0], kind: packet.BGPAttrType(head[1]), value: value}, ok
}

// readMultiprotocol enters the prefixes of an MP_REACH_NLRI or MP_UNREACH_NLRI (RFC 4760), and reports whether they could
// be read.
func (u *update) readMultiprotocol(a attribute) bool {
	value := cursor(a.value)
	head, ok := value.take(3)
	if !ok {
		return false
	}
	family := familyOf(packet.AfiSafiToRouteFamily(binary.BigEndian.Uint16(head), head[2]))
	if a.kind == packet.BGP_ATTR_TYPE_MP_UNREACH_NLRI {
		u.withdrawn, ok = appendPrefixes(u.withdrawn, family, value)
		return ok
	}
	nextHop, okNextHop := value.takeSized(1)
	_, okReserved := value.take(1)
	if !okNextHop || !okReserved || !fitsNextHop(family, len(nextHop)) {
		return false
	}
	u.announced, ok = appendPrefixes(u.announced, family, value)
	return ok
}

// fitsNextHop reports whether a next hop of MP_REACH_NLRI may be so long: an IPv6 one with or without its link-local
// address (RFC 2545), which IPv4 routes may have too (RFC 8950).
func fitsNextHop(family bgp.Family, length int) bool {
	switch family {
	case bgp.IPv4:
		return length == 4 || length == 16 || length == 32
	case bgp.IPv6:
		return length == 16 || length == 32
	default:
		return true
	}
}

// appendPrefixes reads prefixes of a family, which fill the bytes, and reports whether they do. What is of no family that
// Herald speaks is passed over.
func appendPrefixes(prefixes []netip.Prefix, family bgp.Family, raw cursor) ([]netip.Prefix, bool) {
	if family == 0 {
		return prefixes, true
	}
	for len(raw) > 0 {
		bits := int(raw[0])
		whole, ok := raw.take(1 + (bits+7)/8)
		if !ok || bits > family.Bits() {
			return nil, false
		}
		var bytes [16]byte
		copy(bytes[:], whole[1:])
		address := netip.AddrFrom16(bytes)
		if family == bgp.IPv4 {
			address = netip.AddrFrom4([4]byte(bytes[:4]))
		}
		prefixes = append(prefixes, netip.PrefixFrom(address, bits).Masked())
	}
	return prefixes, true
}

// received returns what an UPDATE of the peer says: where its attributes are malformed, what it announces counts as
// withdrawn (RFC 7606, section 2).
func (u *update) received(rules attributeRules) changes {
	if len(u.announced) == 0 || (!u.broken && rules.hold(u)) {
		return u.changes
	}
	return changes{withdrawn: append(u.withdrawn, u.announced...)}
}
