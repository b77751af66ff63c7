package bgp

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// ExportPolicy is a peer's ordered export rules: which paths it gets, and with which attributes. Equal policies are equal
// under ==. The zero value lets every path out as it is.
type ExportPolicy struct{ rules list[exportRule] }

// ExportRule is one rule: what it matches, and what becomes of a path that it matches. A path must match each of
// Prefixes, Kinds and Communities that is not empty.
type ExportRule struct {
	// Reject keeps the path from the peer; Set is of no effect then.
	Reject bool
	// Prefixes, of which one must hold the path's.
	Prefixes []PrefixMatch
	// Kinds, of which the path must be of one.
	Kinds Kinds
	// Communities, of which the path must carry one.
	Communities Communities
	// Set is what the path is sent with in place of its own attributes.
	Set AttributeChanges
}

// PrefixMatch is an entry of a prefix list: it holds the prefixes inside CIDR whose length is MinLength to MaxLength.
type PrefixMatch struct {
	// CIDR has no host bits.
	CIDR                 netip.Prefix
	MinLength, MaxLength uint8
}

// Holds reports whether the entry holds a prefix, which has no host bits.
func (m PrefixMatch) Holds(prefix netip.Prefix) bool {
	bits := prefix.Bits()
	return bits >= int(m.MinLength) && bits <= int(m.MaxLength) && bits >= m.CIDR.Bits() && m.CIDR.Contains(prefix.Addr())
}

// AttributeChanges are what a rule makes of a path's attributes. The zero value leaves them as they are.
type AttributeChanges struct {
	// ReplaceCommunities puts Communities, which may be empty, in the place of the path's own.
	ReplaceCommunities bool
	Communities        Communities
	// AddCommunities are carried besides.
	AddCommunities Communities
	// LocalPreference, MED and ASPathPrepend, each as in PathAttributes.
	LocalPreference, MED, ASPathPrepend Optional
}

func (c AttributeChanges) of(a PathAttributes) PathAttributes {
	if c.ReplaceCommunities {
		a.Communities = c.Communities
	}
	a.Communities = a.Communities.With(c.AddCommunities)
	if c.LocalPreference.Set {
		a.LocalPreference = c.LocalPreference
	}
	if c.MED.Set {
		a.MED = c.MED
	}
	if c.ASPathPrepend.Set {
		a.ASPathPrepend = uint8(c.ASPathPrepend.Value)
	}
	return a
}

// exportRule is an ExportRule as a comparable value.
type exportRule struct {
	reject      bool
	prefixes    list[PrefixMatch]
	kinds       Kinds
	communities Communities
	set         AttributeChanges
}

// ExportPolicyOf returns the policy of some rules, the first of which that matches a path decides.
func ExportPolicyOf(rules ...ExportRule) ExportPolicy {
	compiled := make([]exportRule, len(rules))
	for i, r := range rules {
		compiled[i] = exportRule{r.Reject, listOf(r.Prefixes), r.Kinds, r.Communities, r.Set}
	}
	return ExportPolicy{listOf(compiled)}
}

// IsZero reports whether the policy lets every path out as it is.
func (p ExportPolicy) IsZero() bool { return p == ExportPolicy{} }

// Rules yields the rules, in order.
func (p ExportPolicy) Rules() iter.Seq[ExportRule] {
	return func(yield func(ExportRule) bool) {
		for r := range p.rules.all() {
			if !yield(ExportRule{r.reject, slices.Collect(r.prefixes.all()), r.kinds, r.communities, r.set}) {
				return
			}
		}
	}
}

// Apply returns the attributes that a path goes out with; false where the peer does not get it. A path that no rule
// matches goes out as it is.
func (p ExportPolicy) Apply(path Path) (PathAttributes, bool) {
	for r := range p.rules.all() {
		if r.matches(path) {
			return r.set.of(path.Attributes), !r.reject
		}
	}
	return path.Attributes, true
}

func (r exportRule) matches(path Path) bool {
	return (r.kinds == 0 || r.kinds.Intersects(path.Kinds)) &&
		(r.prefixes.isEmpty() || holdsAny(r.prefixes, path.Prefix)) &&
		(r.communities == Communities{} || r.communities.Intersects(path.Attributes.Communities))
}

func holdsAny(entries list[PrefixMatch], prefix netip.Prefix) bool {
	for entry := range entries.all() {
		if entry.Holds(prefix) {
			return true
		}
	}
	return false
}

// String returns the rules in words, for logs and test failures.
func (p ExportPolicy) String() string {
	var words []string
	for r := range p.Rules() {
		words = append(words, r.String())
	}
	return "[" + strings.Join(words, "; ") + "]"
}

// String returns the rule in words.
func (r ExportRule) String() string {
	var b strings.Builder
	b.WriteString("accept")
	if r.Reject {
		b.Reset()
		b.WriteString("reject")
	}
	for _, m := range r.Prefixes {
		fmt.Fprintf(&b, " %s{%d,%d}", m.CIDR, m.MinLength, m.MaxLength)
	}
	if r.Kinds != 0 {
		fmt.Fprintf(&b, " kinds=%04b", r.Kinds)
	}
	if (r.Communities != Communities{}) {
		fmt.Fprintf(&b, " communities=%s", r.Communities)
	}
	if (r.Set != AttributeChanges{}) {
		fmt.Fprintf(&b, " set=%+v", r.Set)
	}
	return b.String()
}
