package ipam

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// verdict is a Decision with all that follows from it for the table.
type verdict struct {
	Decision
	// promised are those assigned that the Service does not have yet, and former those that stay kept for it.
	promised, former []netip.Addr
	waits            []wait
	// blockedBy is the family for whose lack the Service gets nothing new; 0 where it may get.
	blockedBy bgp.Family
}

// plan is what can be had of one family.
type plan struct {
	family bgp.Family
	// held is the address that the Service may keep, or get back: landed says that it has it.
	held   netip.Addr
	landed bool
	// fresh is another that it can have instead.
	fresh netip.Addr
	// lack is why it has not what it asks for.
	lack problem
	// isElsewhere says that another load balancer serves the family: nothing is missing.
	isElsewhere bool
}

func (p *plan) isLacking() bool { return !p.held.IsValid() && !p.fresh.IsValid() && !p.isElsewhere }

// decide answers for a Service, and reserves what it answers.
func (t *Table) decide(s *service, now time.Time) Decision {
	t.due.Delete(s)
	waits := t.forgo(s)
	v := t.judge(s, now)
	s.last = &v.Decision
	before := s.claims()
	s.promised, s.Former, s.blockedBy = v.promised, v.former, v.blockedBy
	t.contend(s, t.reclaim(before, s.claims(), now))
	t.await(s, v.waits)
	t.setReason(s, v.Reason, v.Message != "")
	t.pass(s, waits, now)
	return v.Decision
}

// setReason counts a Service for the reason for which it waits.
func (t *Table) setReason(s *service, reason v1alpha1.ConditionReason, waits bool) {
	if s.reason != "" {
		if t.reasons[s.reason]--; t.reasons[s.reason] == 0 {
			delete(t.reasons, s.reason)
		}
	}
	if s.reason = reason; reason != "" {
		t.reasons[reason]++
	}
	delete(t.waiting, s)
	if waits {
		t.waiting[s] = struct{}{}
	}
}

// judge says what a Service is to have.
func (t *Table) judge(s *service, now time.Time) verdict {
	var v verdict
	if s.Deleting {
		for _, a := range s.Assigned {
			v.Assigned = append(v.Assigned, Assignment{a.Addr, a.Kind, t.poolOf(a.Addr)})
		}
		return v
	}
	var plans []plan
	if s.Wants != 0 {
		for _, family := range s.Families {
			plans = append(plans, t.plan(s, family, now))
		}
	}
	t.combine(s, plans, &v)
	v.Moves = t.moves(s, v.Assigned)
	return v
}

// poolOf returns the name of the pool that holds an address; "" where none does.
func (t *Table) poolOf(a netip.Addr) string {
	if owner := t.segments.of(a).owner(); owner != nil {
		return owner.Name
	}
	return ""
}

// plan looks for what a Service can have of one family.
func (t *Table) plan(s *service, family bgp.Family, now time.Time) plan {
	p := plan{family: family, held: t.landed(s, family)}
	p.landed = p.held.IsValid()
	reserved := t.reserved(s, family)
	if !p.landed {
		p.held = reserved
	}
	if p.isElsewhere = s.Wants == advertise.LoadBalancerIP && s.Elsewhere.Has(family); p.isElsewhere {
		return p // It keeps or gets back what is its own, and needs nothing else.
	}
	switch invalid := s.invalid(); {
	case invalid != "":
		p.lack = problem{reason: v1alpha1.ReasonInvalidRequest, text: invalid}
	case p.held.IsValid() && t.satisfies(s, p.held):
	case p.landed && reserved.IsValid() && t.satisfies(s, reserved):
		p.fresh = reserved
	default:
		p.fresh, p.lack = t.fresh(s, family, now)
	}
	if p.landed && !p.fresh.IsValid() && p.lack.reason == "" && !t.segments.of(p.held).allows(s.Wants) {
		p.lack = problem{reason: v1alpha1.ReasonAddressNotAllowlisted, text: keptOutsideText(p.held, s.Wants)}
	}
	return p
}

// landed returns the address of a family that the Service has and may keep; the zero Addr where there is none.
func (t *Table) landed(s *service, family bgp.Family) (landed netip.Addr) {
	for _, a := range s.Assigned {
		if a.Kind != s.Wants || bgp.FamilyOf(a.Addr) != family || !t.mayKeep(s, a.Addr) {
			continue
		}
		if !landed.IsValid() || !t.satisfies(s, landed) && t.satisfies(s, a.Addr) {
			landed = a.Addr
		}
	}
	return landed
}

// reserved returns the address of a family that is kept for the Service, and that it may have; the zero Addr where there is none.
func (t *Table) reserved(s *service, family bgp.Family) netip.Addr {
	for _, list := range [...][]netip.Addr{s.promised, s.Former} {
		for _, a := range list {
			if bgp.FamilyOf(a) == family && t.mayGet(s, a) {
				return a
			}
		}
	}
	return netip.Addr{}
}

// mayKeep reports whether an address that the Service has may stay. One that no pool holds stays where the Service's request
// can't be read: a slip of the pen takes nothing away.
func (t *Table) mayKeep(s *service, a netip.Addr) bool {
	e := t.entries[a]
	_, loses := e.contest()[s]
	return !loses && (e.segment != nil || s.invalid() != "")
}

// mayGet reports whether an address that is kept for the Service may become its own.
func (t *Table) mayGet(s *service, a netip.Addr) bool {
	e := t.entries[a]
	if e.segment == nil || e.segment.owner().Closed != "" || !e.segment.allows(s.Wants) {
		return false
	}
	_, loses := e.contest()[s]
	return !loses
}

// satisfies reports whether an address is one that the Service asks for.
func (t *Table) satisfies(s *service, a netip.Addr) bool {
	if named := s.named(bgp.FamilyOf(a)); named.IsValid() && named != a {
		return false
	}
	return s.Request.Pool == "" || s.Request.Pool == t.poolOf(a)
}

// combine makes a verdict of what can be had of each family.
func (t *Table) combine(s *service, plans []plan, v *verdict) {
	withheldFor := s.withheldFor(plans)
	if v.blockedBy = 0; withheldFor >= 0 {
		v.blockedBy = plans[withheldFor].family
	}
	// A Service whose request can't be read gets nothing new either.
	withhold := withheldFor >= 0 || s.invalid() != ""
	for i := range plans {
		p := &plans[i]
		final, isNew := p.outcome(withhold)
		if final.IsValid() {
			v.Assigned = append(v.Assigned, Assignment{final, s.Wants, t.poolOf(final)})
		}
		if isNew {
			v.promised = append(v.promised, final)
		}
		if !final.IsValid() && slices.Contains(s.Former, p.held) {
			v.former = append(v.former, p.held)
		}
	}
	v.explain(s, plans, withheldFor)
}

// withheldFor returns for the lack of which family a Service that requires all gets nothing new; -1 where it may get. It is one
// that only another configuration helps; or else the one that it was before, lest the reason change with whatever happens to be
// free of the other.
func (s *service) withheldFor(plans []plan) int {
	found := -1
	for i := range plans {
		p := &plans[i]
		switch {
		case s.Policy != RequireAll || !p.isLacking():
		case len(p.lack.waits) == 0:
			return i
		case found < 0 || p.family == s.blockedBy:
			found = i
		}
	}
	return found
}

// outcome returns what the Service is to have of the family, and whether it does not have it yet, unless what is new is withheld.
func (p *plan) outcome(withhold bool) (final netip.Addr, isNew bool) {
	switch {
	case !withhold && p.fresh.IsValid():
		return p.fresh, true
	case p.landed:
		return p.held, false
	case !withhold && p.held.IsValid():
		return p.held, true
	default:
		return netip.Addr{}, false
	}
}

// explain sets reason and message, and what the Service waits for. Where everything new is withheld for the lack of one family,
// what happens to be free of the other changes nothing, and is not told.
func (v *verdict) explain(s *service, plans []plan, withheldFor int) {
	var texts []string
	for i := range plans {
		p := &plans[i]
		isWithheld := withheldFor >= 0 && i != withheldFor
		if p.lack.reason == "" || isWithheld && len(p.lack.waits) > 0 {
			continue
		}
		v.waits = append(v.waits, p.lack.waits...)
		if !slices.Contains(texts, p.lack.text) {
			texts = append(texts, p.lack.text)
		}
		isOptional := s.Policy == PreferAll && len(v.Assigned) > 0 && p.isLacking() && !s.named(p.family).IsValid()
		if v.Reason == "" && !isOptional {
			v.Reason = p.lack.reason
		}
	}
	if withheldFor >= 0 && len(plans) > 1 && v.Reason != v1alpha1.ReasonInvalidRequest {
		texts = append(texts, "the Service requires both families, so it gets no new address of either")
	}
	v.Message = strings.Join(texts, "; ")
}
