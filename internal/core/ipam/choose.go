package ipam

import (
	"net/netip"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
)

// problem is why a Service can't have an address, and what would change that, besides other pools, blocks and namespaces. The
// zero problem is none.
type problem struct {
	reason v1alpha1.ConditionReason
	text   string
	waits  []wait
}

// named returns the address of a family that a Service asks for; the zero Addr where it asks for none.
func (s *service) named(family bgp.Family) netip.Addr {
	for _, a := range s.Request.Addresses {
		if bgp.FamilyOf(a) == family {
			return a
		}
	}
	return netip.Addr{}
}

// fresh returns an address that a Service may have and does not have yet; or why there is none.
func (t *Table) fresh(s *service, family bgp.Family, now time.Time) (netip.Addr, problem) {
	if a := s.named(family); a.IsValid() {
		p := t.refusal(s, a, now)
		if p.reason != "" {
			return netip.Addr{}, p
		}
		return a, problem{}
	}
	fit := func(p *pool) unfit { return t.fit(s, p) }
	if a := t.joinable(s, family, fit); a.IsValid() {
		return a, problem{}
	}
	var rested *entry
	for _, p := range t.candidates(s) {
		if fit(p) != fits {
			continue
		}
		stock := p.stock(family)
		if a, ok := stock.lowest(s.Wants); ok {
			return a, problem{}
		}
		if e := stock.longestRested(s.Wants); e != nil && (rested == nil || e.released.Before(rested.released)) {
			rested = e
		}
	}
	if rested != nil && rested.restedShort(now) {
		return rested.address, problem{}
	}
	return netip.Addr{}, t.shortage(s, family)
}

// candidates returns the pools that a Service may take from as far as its request tells.
func (t *Table) candidates(s *service) []*pool {
	if s.Request.Pool == "" {
		return t.pools
	}
	if p := t.byName[s.Request.Pool]; p != nil {
		return []*pool{p}
	}
	return nil
}

// fit says whether a pool is for a Service that asks for no address in it by name, or why not.
func (t *Table) fit(s *service, p *pool) unfit {
	switch s.Request.Pool {
	case "":
		return p.fit(s, t.namespaces[s.Key.Namespace])
	case p.Name:
		return p.fitOnRequest(s, t.namespaces[s.Key.Namespace])
	default:
		return onRequest
	}
}

// refusal says why a Service can't have an address that it asks for by name; the zero problem where it can.
func (t *Table) refusal(s *service, a netip.Addr, now time.Time) problem {
	segment := t.segments.of(a)
	owner := segment.owner()
	switch {
	case owner == nil:
		return problem{reason: v1alpha1.ReasonAddressNotInPool, text: noPoolText(a)}
	case s.Request.Pool != "" && s.Request.Pool != owner.Name:
		return problem{reason: v1alpha1.ReasonAddressNotInPool, text: otherPoolText(s, a, owner)}
	}
	if why := owner.fitOnRequest(s, t.namespaces[s.Key.Namespace]); why != fits {
		return problem{reason: v1alpha1.ReasonAddressNotInPool, text: unfitAddressText(s, a, owner, why)}
	}
	if !segment.allows(s.Wants) {
		return problem{reason: v1alpha1.ReasonAddressNotAllowlisted, text: outsideText(a, s.Wants)}
	}
	e := t.entries[a]
	if e == nil {
		return problem{}
	}
	waits := []wait{{named: a}}
	if obstacle := e.blocking(s); obstacle.service != nil {
		return problem{v1alpha1.ReasonAddressInUse, inUseText(s, a, obstacle), waits}
	}
	if e.place != inUse && !e.isReady(now) {
		return problem{v1alpha1.ReasonAddressInUse, restingText(a), waits}
	}
	return problem{}
}

// shortage says why a Service can have no address of a family, when no pool has one for it.
func (t *Table) shortage(s *service, family bgp.Family) problem {
	var fitting, holding, allowed []*pool
	for _, p := range t.candidates(s) {
		if t.fit(s, p) != fits {
			continue
		}
		fitting = append(fitting, p)
		stock := p.stock(family)
		if stock.holds {
			holding = append(holding, p)
		}
		if stock.reach.allows(s.Wants) {
			allowed = append(allowed, p)
		}
	}
	switch {
	case len(fitting) == 0:
		return problem{reason: v1alpha1.ReasonNoMatchingPool, text: t.noFitText(s)}
	case len(holding) == 0:
		return problem{reason: v1alpha1.ReasonNoMatchingPool, text: noFamilyText(fitting, family)}
	case len(allowed) == 0:
		return problem{reason: v1alpha1.ReasonAddressNotAllowlisted, text: noneAllowedText(holding, family, s.Wants)}
	}
	var waits []wait
	for _, p := range allowed {
		waits = append(waits, wait{stock: p.stock(family), kind: s.Wants})
	}
	if g := s.group(); g != (group{}) {
		waits = append(waits, wait{group: g})
	}
	return problem{v1alpha1.ReasonPoolExhausted, exhaustedText(allowed, family), waits}
}
