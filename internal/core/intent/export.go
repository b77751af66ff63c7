package intent

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
)

// exportKey is what a compiled export policy, and what of it is in vain, depends on besides the base: the peer, and the
// overlay by its name.
type exportKey struct {
	peer    *v1alpha1.BGPPeer
	overlay string
}

// export is a peer's export rules, compiled for the nodes of one configuration.
type export struct {
	policy   bgp.ExportPolicy
	problems problems
}

// export returns a sound peer's export rules, compiled for a node with a configuration.
func (r *Resolver) export(object Object, p *v1alpha1.BGPPeer, config configuration, peer bgp.Peer) export {
	if len(p.Spec.Export) == 0 {
		return export{}
	}
	key := exportKey{p, config.overlay.object.Name}
	e, known := r.exports[key]
	if !known {
		c := exportCompiler{object: object, named: namedCommunities(config.spec), internal: peer.IsInternal()}
		e = export{c.compile(p.Spec.Export), c.problems}
		r.exports[key] = e
	}
	return e
}

// exportCompiler compiles the export rules of one peer.
type exportCompiler struct {
	object   Object
	named    map[v1alpha1.CommunityRef]bgp.Community
	internal bool
	problems problems
}

func (c *exportCompiler) compile(rules []v1alpha1.ExportRule) bgp.ExportPolicy {
	var compiled []bgp.ExportRule
	for i := range rules {
		at := field.NewPath("spec", "export").Index(i)
		out := bgp.ExportRule{
			Reject:      rules[i].Action == v1alpha1.ExportReject,
			Prefixes:    prefixMatches(rules[i].Prefixes),
			Kinds:       kindsOf(rules[i].Kinds),
			Communities: c.communities(at.Child("communities"), rules[i].Communities, "no route carries it, so it matches none"),
		}
		if set := rules[i].Set; set != nil {
			out.Set = c.changes(at.Child("set"), set)
		}
		if len(rules[i].Communities) > 0 && out.Communities == (bgp.Communities{}) {
			continue // No route carries any of them: without them the rule would match every route.
		}
		compiled = append(compiled, out)
	}
	return bgp.ExportPolicyOf(compiled...)
}

func (c *exportCompiler) changes(at *field.Path, set *v1alpha1.ExportAttributes) bgp.AttributeChanges {
	const leftOut = "the routes are sent without it"
	changes := bgp.AttributeChanges{
		ReplaceCommunities: set.Communities != nil,
		Communities:        c.communities(at.Child("communities"), set.Communities, leftOut),
		AddCommunities:     c.communities(at.Child("addCommunities"), set.AddCommunities, leftOut),
		LocalPreference:    optional(set.LocalPreference),
		MED:                optional(set.MED),
	}
	if set.ASPathPrepend != nil {
		changes.ASPathPrepend = bgp.Some(uint32(*set.ASPathPrepend))
	}
	switch {
	case c.internal && changes.ASPathPrepend.Value > 0:
		c.ignore(at.Child("asPathPrepend"), "asPathPrepend is left out on iBGP sessions, where it would hide the route: use localPreference there")
	case !c.internal && changes.LocalPreference.Set:
		c.ignore(at.Child("localPreference"), "localPreference is left out on eBGP sessions, which never carry it: use med or asPathPrepend there")
	}
	return changes
}

// communities returns the set of the communities that are named or written out, and reports each name without a value.
func (c *exportCompiler) communities(at *field.Path, refs []v1alpha1.CommunityRef, consequence string) bgp.Communities {
	for i, ref := range refs {
		_, known := c.named[ref]
		if _, err := bgp.ParseCommunity(string(ref)); known || err == nil {
			continue
		}
		names := "none"
		if len(c.named) > 0 {
			names = joined(slices.Sorted(maps.Keys(c.named)))
		}
		c.ignore(at.Index(i), fmt.Sprintf("%q is no community of the node's BGPConfiguration (known: %s), and %s: "+
			"add it to spec.communities there, or use a value aa:nn or aa:nn:mm", ref, names, consequence))
	}
	return communitiesOf(refs, c.named)
}

// ignore reports a part of a rule that has no effect. The session and the other rules are what they are all the same.
func (c *exportCompiler) ignore(at *field.Path, message string) {
	c.problems.report(Problem{
		Object:    c.object,
		Field:     at.String(),
		Condition: v1alpha1.ConditionEstablished,
		Reason:    v1alpha1.ReasonExportIgnored,
		Message:   message,
	})
}

// prefixMatches returns the entries, all of which are sound.
func prefixMatches(entries []v1alpha1.PrefixMatch) []bgp.PrefixMatch {
	var matches []bgp.PrefixMatch
	for _, entry := range entries {
		cidr, err := validate.ParseCIDR(string(entry.CIDR))
		if err != nil {
			continue
		}
		least, greatest := validate.Lengths(entry, cidr)
		matches = append(matches, bgp.PrefixMatch{CIDR: cidr, MinLength: uint8(least), MaxLength: uint8(greatest)})
	}
	return matches
}

func kindsOf(names []v1alpha1.AdvertisementKind) bgp.Kinds {
	var kinds bgp.Kinds
	for _, kind := range advertise.Kinds() {
		if slices.Contains(names, v1alpha1.AdvertisementKind(kind.String())) {
			kinds |= kind.Set()
		}
	}
	return kinds
}

func joined(refs []v1alpha1.CommunityRef) string {
	texts := make([]string, len(refs))
	for i, ref := range refs {
		texts[i] = string(ref)
	}
	return strings.Join(texts, ", ")
}
