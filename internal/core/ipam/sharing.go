package ipam

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tidwall/btree"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// group is the Services that may share addresses, as far as their annotations tell. The zero group is none.
type group struct{ namespace, key string }

// members is what a group has.
type members struct {
	// addresses are those that Services of the group have from Herald or are promised, with the number of claims.
	addresses *btree.BTreeG[groupAddress]
	// waiters wait for any of them.
	waiters map[*service]struct{}
}

type groupAddress struct {
	address netip.Addr
	claims  int
}

func (t *Table) members(g group) *members {
	m := t.groups[g]
	if m == nil {
		m = &members{
			addresses: newTree(func(a, b groupAddress) bool { return a.address.Less(b.address) }),
			waiters:   map[*service]struct{}{},
		}
		t.groups[g] = m
	}
	return m
}

// countGroup counts a claim for a group, or no more.
func (t *Table) countGroup(e *entry, c claim, change int) {
	g := c.group
	if g == (group{}) || c.hold != assigned && c.hold != promised {
		return
	}
	m := t.members(g)
	counted, _ := m.addresses.Get(groupAddress{address: e.address})
	counted.address = e.address
	if counted.claims += change; counted.claims > 0 {
		m.addresses.Set(counted)
	} else {
		m.addresses.Delete(counted)
	}
	t.wakeGroup(g)
	t.forgetGroup(g)
}

func (t *Table) forgetGroup(g group) {
	if m := t.groups[g]; m != nil && m.addresses.Len() == 0 && len(m.waiters) == 0 {
		delete(t.groups, g)
	}
}

// joinable returns the lowest address that a Service can have together with others of its group.
func (t *Table) joinable(s *service, family bgp.Family, fit func(*pool) unfit) (found netip.Addr) {
	m := t.groups[s.group()]
	if m == nil {
		return netip.Addr{}
	}
	m.addresses.Scan(func(counted groupAddress) bool {
		e := t.entries[counted.address]
		if bgp.FamilyOf(e.address) == family && e.segment.allows(s.Wants) && fit(e.segment.owner()) == fits &&
			!e.isHeldBy(s) && !e.isBlockedFor(s) {
			found = e.address
		}
		return !found.IsValid()
	})
	return found
}

// isHeldBy reports whether a Service has a claim on the address.
func (e *entry) isHeldBy(s *service) bool {
	return slices.ContainsFunc(e.claims, func(c claim) bool { return c.service == s })
}

// terms is what Services that share an address must have in common.
type terms struct {
	group    group
	kind     advertise.Kind
	policy   advertise.Policy
	selector string
}

// termsOf returns the terms on which a Service shares an address of a kind; false where it shares with nobody.
func termsOf(s *service, kind advertise.Kind) (terms, bool) {
	t := terms{group: s.group(), kind: kind, policy: s.Backends.Policy}
	if t.policy == advertise.Local {
		t.selector = s.Backends.Selector
	}
	return t, t.group != group{} && (t.policy == advertise.Cluster || t.selector != "")
}

// obstacle is why a Service can't have an address: the Service that has it, and what keeps them from sharing it. The zero
// obstacle is none.
type obstacle struct {
	service *service
	why     string
}

// apart returns what keeps a Service from sharing an address of a kind with one that has it; "" where nothing does.
func (s *service) apart(kind advertise.Kind, holder claim) string {
	mine, shares := termsOf(s, kind)
	theirs, theyShare := termsOf(holder.service, holder.kind)
	switch {
	case holder.hold == other:
		return "Herald did not assign it there"
	case mine.group.namespace == "" || theirs.group.namespace == "":
		return "both need the same annotation herald.network/shared-address to share it"
	case mine.group.namespace != theirs.group.namespace:
		return "only Services of one namespace share an address"
	case mine.group.key != theirs.group.key:
		return fmt.Sprintf("their annotations herald.network/shared-address differ: %s and %s", quote(mine.group.key), quote(theirs.group.key))
	case mine.kind != theirs.kind:
		return "one has it as an external IP, the other as a load balancer's"
	case mine.policy != theirs.policy:
		return "their externalTrafficPolicy differs"
	case !shares || !theyShare || mine.selector != theirs.selector:
		return "with externalTrafficPolicy Local both need the same selector to share it"
	}
	for _, port := range s.Ports {
		if slices.Contains(holder.service.Ports, port) {
			return fmt.Sprintf("both have the port %d/%s", port.Number, port.Protocol)
		}
	}
	return ""
}

// isBlockedFor reports whether somebody keeps a Service from an address that it does not have.
func (e *entry) isBlockedFor(s *service) bool {
	return slices.ContainsFunc(e.claims, func(c claim) bool { return c.blocks(s) })
}

// blocking returns what keeps a Service from an address that it does not have: of several Services the oldest.
func (e *entry) blocking(s *service) obstacle {
	var found *claim
	for i, c := range e.claims {
		if c.blocks(s) && (found == nil || c.compare(*found) < 0) {
			found = &e.claims[i]
		}
	}
	if found == nil {
		return obstacle{}
	}
	return obstacle{found.service, s.apart(s.Wants, *found)}
}

// compare orders claims by the age of their Services.
func (c claim) compare(other claim) int {
	return cmp.Or(c.service.compare(&other.service.Service), cmp.Compare(c.hold, other.hold))
}

// blocks reports whether the claim keeps a Service from the address.
func (c claim) blocks(s *service) bool {
	switch {
	case c.hold == other:
		return true
	case c.service == s:
		return false
	}
	mine, shares := termsOf(s, s.Wants)
	theirs, theyShare := termsOf(c.service, c.kind)
	return !shares || !theyShare || mine != theirs ||
		slices.ContainsFunc(s.Ports, func(p Port) bool { return slices.Contains(c.service.Ports, p) })
}

// contest returns the Services that can't keep an address from Herald, each with what keeps it from that. Those that have it
// come before those that are promised it, and these before those that lost it; then the older before the younger. Who merely
// is to get an address does not where it is somebody else's than Herald's.
func (e *entry) contest() map[*service]obstacle {
	if len(e.claims) < 2 {
		return nil
	}
	ranked := slices.DeleteFunc(slices.Clone(e.claims), func(c claim) bool { return !c.staysAt(e.address) })
	slices.SortFunc(ranked, func(a, b claim) int { return cmp.Or(cmp.Compare(a.hold, b.hold), a.compare(b)) })
	var losers map[*service]obstacle
	var kept []claim
	ports := map[Port]*service{}
	stranger := e.stranger()
	for _, c := range ranked {
		rival := c.rival(kept, ports)
		if stranger != nil && c.hold != assigned {
			rival = obstacle{stranger, c.service.apart(c.kind, claim{service: stranger, hold: other})}
		}
		if rival.service != nil {
			if losers == nil {
				losers = map[*service]obstacle{}
			}
			losers[c.service] = rival
			continue
		}
		kept = append(kept, c)
		for _, port := range c.service.Ports {
			ports[port] = c.service
		}
	}
	return losers
}

// stranger returns the oldest Service that has the address from somebody else than Herald; nil where there is none.
func (e *entry) stranger() (oldest *service) {
	for _, c := range e.claims {
		if c.hold == other && (oldest == nil || c.service.compare(&oldest.Service) < 0) {
			oldest = c.service
		}
	}
	return oldest
}

// rival returns what keeps a claim from being kept besides others, which have some ports.
func (c claim) rival(kept []claim, ports map[Port]*service) obstacle {
	if len(kept) == 0 || c.service == kept[0].service {
		return obstacle{}
	}
	mine, shares := termsOf(c.service, c.kind)
	theirs, theyShare := termsOf(kept[0].service, kept[0].kind)
	if !shares || !theyShare || mine != theirs {
		return obstacle{kept[0].service, c.service.apart(c.kind, kept[0])}
	}
	for _, port := range c.service.Ports {
		if holder := ports[port]; holder != nil && holder != c.service {
			return obstacle{holder, fmt.Sprintf("both have the port %d/%s", port.Number, port.Protocol)}
		}
	}
	return obstacle{}
}

// staysAt reports whether the Service is to keep the address, as far as it alone decides that.
func (c claim) staysAt(a netip.Addr) bool {
	switch s := c.service; c.hold {
	case other:
		return false
	case assigned:
		return s.Deleting || s.Wants == c.kind && slices.Contains(s.Families, bgp.FamilyOf(a))
	default:
		return true
	}
}
