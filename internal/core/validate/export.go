package validate

import (
	"math"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Lengths returns the least and the greatest length of the prefixes that an entry with a sound cidr holds, as routers read
// an entry of a prefix list.
func Lengths(entry v1alpha1.PrefixMatch, cidr netip.Prefix) (least, greatest int) {
	least, greatest = cidr.Bits(), cidr.Bits()
	if entry.GE != nil {
		least, greatest = int(*entry.GE), cidr.Addr().BitLen()
	}
	if entry.LE != nil {
		greatest = int(*entry.LE)
	}
	return least, greatest
}

// export checks a peer's export rules, and warns of those that are hardly meant.
func (f *Findings) export(at *field.Path, spec *v1alpha1.BGPPeerSpec) {
	sound := len(f.Errors)
	for i := range spec.Export {
		f.exportRule(at.Index(i), &spec.Export[i])
	}
	if len(f.Errors) == sound {
		f.exportOrder(at, spec)
	}
}

func (f *Findings) exportRule(at *field.Path, rule *v1alpha1.ExportRule) {
	if rule.Action == "" {
		f.require(at.Child("action"), "action must be Accept or Reject")
	}
	oneOf(f, at.Child("action"), rule.Action, v1alpha1.ExportAccept, v1alpha1.ExportReject)
	for i, entry := range rule.Prefixes {
		f.prefixMatch(at.Child("prefixes").Index(i), entry)
	}
	for i, kind := range rule.Kinds {
		oneOf(f, at.Child("kinds").Index(i), kind,
			v1alpha1.KindClusterIP, v1alpha1.KindExternalIP, v1alpha1.KindLoadBalancerIP, v1alpha1.KindPodCIDR)
	}
	f.communityRefs(at.Child("communities"), rule.Communities)
	if rule.Set == nil {
		return
	}
	if rule.Action == v1alpha1.ExportReject {
		f.forbid(at.Child("set"), "set must be left out with action Reject, since a route that is not sent has no attributes: "+
			"remove it, or set action to Accept")
	}
	f.exportAttributes(at.Child("set"), rule.Set)
}

func (f *Findings) prefixMatch(at *field.Path, entry v1alpha1.PrefixMatch) {
	cidr, err := ParseCIDR(string(entry.CIDR))
	if err != nil {
		f.fail(at.Child("cidr"), string(entry.CIDR), err.Error())
		return
	}
	inRange := true
	for _, bound := range []struct {
		name   string
		length *int32
	}{{"ge", entry.GE}, {"le", entry.LE}} {
		if bound.length != nil && (int(*bound.length) < cidr.Bits() || int(*bound.length) > cidr.Addr().BitLen()) {
			f.fail(at.Child(bound.name), *bound.length,
				bound.name+" must be at least the length of cidr, and at most 32 for IPv4 or 128 for IPv6")
			inRange = false
		}
	}
	if inRange && entry.GE != nil && entry.LE != nil && *entry.GE > *entry.LE {
		f.fail(at.Child("le"), *entry.LE, "le must be at least ge: no prefix has a length that is not below ge and not above le")
	}
}

func (f *Findings) exportAttributes(at *field.Path, set *v1alpha1.ExportAttributes) {
	f.communityRefs(at.Child("communities"), set.Communities)
	f.communityRefs(at.Child("addCommunities"), set.AddCommunities)
	f.attributes(at, set.LocalPreference, set.MED, set.ASPathPrepend)
}

// attributes checks the numbers that rules and prefixAdvertisements give to routes; nil where there is none.
func (f *Findings) attributes(at *field.Path, localPreference, med *int64, asPathPrepend *int32) {
	if localPreference != nil {
		within(f, at.Child("localPreference"), *localPreference, 0, math.MaxUint32)
	}
	if med != nil {
		within(f, at.Child("med"), *med, 0, math.MaxUint32)
	}
	if asPathPrepend != nil {
		within(f, at.Child("asPathPrepend"), *asPathPrepend, 0, 10)
	}
}

// communityRefs checks that each is the name or the value of a community.
func (f *Findings) communityRefs(at *field.Path, refs []v1alpha1.CommunityRef) {
	for i, ref := range refs {
		if _, err := bgp.ParseCommunity(string(ref)); err != nil && !isCommunityName(string(ref)) {
			f.fail(at.Index(i), string(ref), "communities must each be a name from spec.communities, "+
				"a standard community aa:nn (each 0 to 65535) or a large community aa:nn:mm (each 0 to 4294967295)")
		}
	}
}

// exportOrder warns of sound rules that decide nothing since those before them match all that they do, and of rules that
// reject every route.
func (f *Findings) exportOrder(at *field.Path, spec *v1alpha1.BGPPeerSpec) {
	accepts := false
	for i := range spec.Export {
		rule := &spec.Export[i]
		earlier := slices.IndexFunc(spec.Export[:i], func(other v1alpha1.ExportRule) bool { return covers(&other, rule) })
		if earlier >= 0 {
			f.warn(at.Index(i), "it decides about no route, since %s matches all that it does: remove it, or move it before that one",
				at.Index(earlier))
			continue
		}
		accepts = accepts || rule.Action == v1alpha1.ExportAccept
		if matchesAll(rule, spec) && !accepts {
			f.warn(at.Index(i), "no route is sent to the peer, since every one is rejected: "+
				"accept those that it shall have in rules before this one, or delete the peer if it shall have none")
			return
		}
	}
}

// covers reports whether a rule matches every route that the other one matches.
func covers(rule, other *v1alpha1.ExportRule) bool {
	return holdsAll(rule.Prefixes, other.Prefixes, func(outer, inner v1alpha1.PrefixMatch) bool {
		wide, narrow := netip.MustParsePrefix(string(outer.CIDR)), netip.MustParsePrefix(string(inner.CIDR)) // Sound.
		low, high := Lengths(outer, wide)
		least, greatest := Lengths(inner, narrow)
		return holds(wide, narrow) && low <= least && greatest <= high
	}) && holdsAll(rule.Kinds, other.Kinds, equal) && holdsAll(rule.Communities, other.Communities, equal)
}

// holdsAll reports whether each of the inner entries is held by one of the outer ones: those of an absent list hold any.
func holdsAll[T any](outer, inner []T, holds func(outer, inner T) bool) bool {
	if len(outer) == 0 {
		return true
	}
	for _, i := range inner {
		if !slices.ContainsFunc(outer, func(o T) bool { return holds(o, i) }) {
			return false
		}
	}
	return len(inner) > 0
}

func equal[T comparable](a, b T) bool { return a == b }

// matchesAll reports whether a rule matches every route that a session with the peer carries.
func matchesAll(rule *v1alpha1.ExportRule, spec *v1alpha1.BGPPeerSpec) bool {
	if len(rule.Kinds) > 0 || len(rule.Communities) > 0 {
		return false
	}
	if len(rule.Prefixes) == 0 {
		return true
	}
	for _, family := range familiesOf(spec) {
		if !slices.ContainsFunc(rule.Prefixes, func(m v1alpha1.PrefixMatch) bool { return holdsFamily(m, family) }) {
			return false
		}
	}
	return true
}

// familiesOf returns the families that a session with the peer carries.
func familiesOf(spec *v1alpha1.BGPPeerSpec) []v1alpha1.AddressFamily {
	if len(spec.AddressFamilies) > 0 {
		return spec.AddressFamilies
	}
	address, _ := ParseAddress(spec.PeerIP) // One that can't be read is reported as such.
	return []v1alpha1.AddressFamily{v1alpha1.AddressFamily(bgp.FamilyOf(address).String())}
}

// holdsFamily reports whether an entry holds every prefix of a family.
func holdsFamily(m v1alpha1.PrefixMatch, family v1alpha1.AddressFamily) bool {
	cidr := netip.MustParsePrefix(string(m.CIDR)) // Sound.
	least, greatest := Lengths(m, cidr)
	return bgp.FamilyOf(cidr.Addr()).String() == string(family) && least == 0 && greatest == cidr.Addr().BitLen()
}
