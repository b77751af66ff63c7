package ipam_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
)

// oracle is the table as slowly and plainly as the rules are written: it asks every Service about every address each time.
type oracle struct {
	config     ipam.Config
	namespaces map[string]map[string]string
	services   map[advertise.ServiceKey]*oracleService
	released   map[netip.Addr]time.Time
	listed     map[netip.Addr]bool
	now        time.Time
}

// oracleService is a Service with what it was promised; its Former are those that are still kept for it.
type oracleService struct {
	ipam.Service
	promised []netip.Addr
	// blocked is the family for whose lack all else is withheld.
	blocked bgp.Family
}

// oracleClaim is a Service's hold on an address: 0 has it from Herald, 1 is promised it, 2 had it, 3 has it from others.
type oracleClaim struct {
	service *oracleService
	hold    int
	kind    advertise.Kind
}

func newOracle() *oracle {
	return &oracle{
		namespaces: map[string]map[string]string{},
		services:   map[advertise.ServiceKey]*oracleService{},
		released:   map[netip.Addr]time.Time{},
		listed:     map[netip.Addr]bool{},
	}
}

func (o *oracle) claims(a netip.Addr) []oracleClaim {
	var claims []oracleClaim
	for _, s := range o.byAge() {
		for _, has := range s.Assigned {
			if has.Addr == a {
				claims = append(claims, oracleClaim{s, 0, has.Kind})
			}
		}
		if slices.Contains(s.promised, a) {
			claims = append(claims, oracleClaim{s, 1, s.Wants})
		}
		if slices.Contains(s.Former, a) {
			claims = append(claims, oracleClaim{s, 2, s.Wants})
		}
		if slices.Contains(s.Others, a) {
			claims = append(claims, oracleClaim{s, 3, 0})
		}
	}
	return claims
}

func (o *oracle) byAge() []*oracleService {
	return slices.SortedFunc(maps.Values(o.services), func(a, b *oracleService) int {
		return cmp.Or(a.Created.Compare(b.Created), a.Key.Compare(b.Key))
	})
}

func (o *oracle) claimed() map[netip.Addr]bool {
	claimed := map[netip.Addr]bool{}
	for h := range o.holders() {
		claimed[h.address] = true
	}
	return claimed
}

// change does something to the Services. What one of them then has no more rests from now on, unless it does not have to.
func (o *oracle) change(rests bool, do func()) {
	before := o.holders()
	do()
	after := o.holders()
	for h := range before {
		if !after[h] && rests {
			o.released[h.address] = o.now
		}
	}
}

type oracleHolder struct {
	uid     types.UID
	address netip.Addr
}

func (o *oracle) holders() map[oracleHolder]bool {
	holders := map[oracleHolder]bool{}
	for _, s := range o.services {
		for _, a := range s.Assigned {
			holders[oracleHolder{s.UID, a.Addr}] = true
		}
		for _, list := range [][]netip.Addr{s.promised, s.Former, s.Others} {
			for _, a := range list {
				holders[oracleHolder{s.UID, a}] = true
			}
		}
	}
	return holders
}

func (o *oracle) set(spec ipam.Service) {
	o.change(true, func() {
		s := o.services[spec.Key]
		if s != nil && s.UID != spec.UID {
			delete(o.services, spec.Key)
			s = nil
		}
		if s == nil {
			s = &oracleService{}
			o.services[spec.Key] = s
		}
		wanted := s.Wants
		s.Service = spec
		s.Former = nil
		for _, a := range spec.Former {
			if spec.Wants != 0 && !spec.Deleting && !s.has(a) {
				s.Former = append(s.Former, a)
			}
		}
		s.promised = slices.DeleteFunc(slices.Clone(s.promised), func(a netip.Addr) bool {
			return spec.Deleting || spec.Wants != wanted || s.has(a)
		})
		s.Former = slices.DeleteFunc(s.Former, func(a netip.Addr) bool { return slices.Contains(s.promised, a) })
	})
}

func (s *oracleService) has(a netip.Addr) bool {
	return slices.Contains(s.Assigned, advertise.Address{Addr: a, Kind: s.Wants})
}

// owner is the pool that gives an address.
func (o *oracle) owner(a netip.Addr) *ipam.Pool {
	for _, p := range o.pools() {
		if p.Addresses.Contains(a) {
			return &p
		}
	}
	return nil
}

func (o *oracle) pools() []ipam.Pool {
	return slices.SortedFunc(slices.Values(o.config.Pools), func(a, b ipam.Pool) int {
		return cmp.Or(strings.Compare(a.Closed, b.Closed), int(b.Priority-a.Priority), strings.Compare(a.Name, b.Name))
	})
}

func (o *oracle) inBlock(a netip.Addr, kind advertise.Kind) bool {
	blocks := o.config.LoadBalancerIPBlocks
	if kind == advertise.ExternalIP {
		blocks = o.config.ExternalIPBlocks
	}
	return slices.ContainsFunc(blocks, func(b netip.Prefix) bool { return b.Contains(a) })
}

func mayShare(a *oracleService, aKind advertise.Kind, b *oracleService, bKind advertise.Kind) bool {
	if a.Request.SharingKey == "" || a.Request.SharingKey != b.Request.SharingKey || a.Key.Namespace != b.Key.Namespace ||
		aKind != bKind || a.Backends.Policy != b.Backends.Policy {
		return false
	}
	if a.Backends.Policy == advertise.Local && (a.Backends.Selector == "" || a.Backends.Selector != b.Backends.Selector) {
		return false
	}
	return !slices.ContainsFunc(a.Ports, func(p ipam.Port) bool { return slices.Contains(b.Ports, p) })
}

// keeps reports whether nobody who comes first keeps the Service from an address on which it has a claim.
func (o *oracle) keeps(s *oracleService, a netip.Addr) bool {
	claims := o.claims(a)
	slices.SortStableFunc(claims, func(a, b oracleClaim) int { return a.hold - b.hold })
	var kept []oracleClaim
	for _, c := range claims {
		stays := c.hold < 3 && (c.hold > 0 || c.service.Deleting ||
			c.service.Wants == c.kind && slices.Contains(c.service.Families, bgp.FamilyOf(a)))
		clashes := slices.ContainsFunc(kept, func(k oracleClaim) bool {
			return k.service != c.service && !mayShare(k.service, k.kind, c.service, c.kind)
		})
		if stays && clashes && c.service == s {
			return false
		}
		if stays && !clashes {
			kept = append(kept, c)
		}
	}
	return true
}

// isBlocked reports whether somebody keeps the Service from an address on which it has no claim.
func (o *oracle) isBlocked(s *oracleService, a netip.Addr) bool {
	return slices.ContainsFunc(o.claims(a), func(c oracleClaim) bool {
		return c.hold == 3 || c.service != s && !mayShare(s, s.Wants, c.service, c.kind)
	})
}

func (o *oracle) named(s *oracleService, family bgp.Family) netip.Addr {
	for _, a := range s.Request.Addresses {
		if bgp.FamilyOf(a) == family {
			return a
		}
	}
	return netip.Addr{}
}

func (o *oracle) isInvalid(s *oracleService) bool {
	return s.Request.Problem != "" || slices.ContainsFunc(s.Request.Addresses, func(a netip.Addr) bool {
		return !slices.Contains(s.Families, bgp.FamilyOf(a))
	})
}

func (o *oracle) fits(s *oracleService, p *ipam.Pool, named bool) bool {
	if p.Closed != "" || s.Request.Pool != "" && s.Request.Pool != p.Name {
		return false
	}
	if p.OnRequest && !named && s.Request.Pool == "" {
		return false
	}
	return p.Namespaces.Matches(labelSet(o.namespaces[s.Key.Namespace])) && p.Services.Matches(labelSet(s.Labels))
}

// rests reports whether an address that nobody has must rest, at least so long.
func (o *oracle) rests(a netip.Addr, rest time.Duration) bool {
	released, ok := o.released[a]
	return o.listed[a] || ok && o.now.Before(released.Add(rest))
}

// fresh returns the address that the Service should take, or the reason why there is none.
func (o *oracle) fresh(s *oracleService, family bgp.Family) (netip.Addr, v1alpha1.ConditionReason) {
	if a := o.named(s, family); a.IsValid() {
		owner := o.owner(a)
		switch {
		case owner == nil || !o.fits(s, owner, true):
			return netip.Addr{}, v1alpha1.ReasonAddressNotInPool
		case !o.inBlock(a, s.Wants):
			return netip.Addr{}, v1alpha1.ReasonAddressNotAllowlisted
		case o.isBlocked(s, a) || len(o.claims(a)) == 0 && o.rests(a, ipam.ShortRest):
			return netip.Addr{}, v1alpha1.ReasonAddressInUse
		}
		return a, ""
	}
	var fit, holds, allowed bool
	var free, shared, rested []netip.Addr
	for _, p := range o.pools() {
		if !o.fits(s, &p, false) {
			continue
		}
		fit = true
		for _, a := range everyAddress(p.Addresses) {
			if bgp.FamilyOf(a) != family || o.owner(a).Name != p.Name {
				continue
			}
			holds = true
			if !o.inBlock(a, s.Wants) {
				continue
			}
			allowed = true
			claims := o.claims(a)
			own := func(c oracleClaim) bool { return c.service == s }
			group := func(c oracleClaim) bool { return c.hold < 2 }
			switch {
			case len(claims) == 0 && !o.rests(a, ipam.Rest):
				free = append(free, a)
			case len(claims) == 0 && !o.rests(a, ipam.ShortRest):
				rested = append(rested, a)
			case slices.ContainsFunc(claims, group) && !slices.ContainsFunc(claims, own) && !o.isBlocked(s, a):
				shared = append(shared, a)
			}
		}
	}
	slices.SortFunc(shared, netip.Addr.Compare)
	slices.SortStableFunc(rested, func(a, b netip.Addr) int { return o.released[a].Compare(o.released[b]) })
	for _, list := range [][]netip.Addr{shared, free, rested} {
		if len(list) > 0 {
			return list[0], ""
		}
	}
	switch {
	case !fit || !holds:
		return netip.Addr{}, v1alpha1.ReasonNoMatchingPool
	case !allowed:
		return netip.Addr{}, v1alpha1.ReasonAddressNotAllowlisted
	}
	return netip.Addr{}, v1alpha1.ReasonPoolExhausted
}

func (o *oracle) satisfies(s *oracleService, a netip.Addr) bool {
	if named := o.named(s, bgp.FamilyOf(a)); named.IsValid() && named != a {
		return false
	}
	owner := o.owner(a)
	return s.Request.Pool == "" || owner != nil && owner.Name == s.Request.Pool
}

// held returns what of a family the Service has and may keep, and what is reserved for it.
func (o *oracle) held(s *oracleService, family bgp.Family) (landed, reserved netip.Addr) {
	var has []netip.Addr
	for _, a := range s.Assigned {
		if a.Kind == s.Wants && bgp.FamilyOf(a.Addr) == family && o.keeps(s, a.Addr) && (o.owner(a.Addr) != nil || o.isInvalid(s)) {
			has = append(has, a.Addr)
		}
	}
	slices.SortStableFunc(has, func(a, b netip.Addr) int {
		switch {
		case o.satisfies(s, a) == o.satisfies(s, b):
			return 0
		case o.satisfies(s, a):
			return -1
		}
		return 1
	})
	if len(has) > 0 {
		landed = has[0]
	}
	for _, a := range append(slices.Clone(s.promised), s.Former...) {
		owner := o.owner(a)
		if bgp.FamilyOf(a) == family && owner != nil && owner.Closed == "" && o.inBlock(a, s.Wants) && o.keeps(s, a) &&
			!slices.ContainsFunc(o.claims(a), func(c oracleClaim) bool { return c.hold == 3 }) {
			return landed, a
		}
	}
	return landed, netip.Addr{}
}

// decide returns what the Service should have and the reason why not more, and promises it.
func (o *oracle) decide(s *oracleService) (assigned []netip.Addr, reason v1alpha1.ConditionReason) {
	var promised, former []netip.Addr
	switch {
	case s.Deleting:
		for _, a := range s.Assigned {
			assigned = append(assigned, a.Addr)
		}
	case s.Wants != 0:
		assigned, promised, former, reason = o.judge(s)
	}
	if s.Deleting || s.Wants == 0 {
		s.blocked = 0
	}
	o.change(true, func() { s.promised, s.Former = promised, former })
	return assigned, reason
}

func (o *oracle) judge(s *oracleService) (assigned, promised, former []netip.Addr, reason v1alpha1.ConditionReason) {
	type part struct {
		held, fresh       netip.Addr
		landed, elsewhere bool
		reason            v1alpha1.ConditionReason
	}
	var parts []part
	for _, family := range s.Families {
		var p part
		landed, reserved := o.held(s, family)
		p.held, p.landed = landed, landed.IsValid()
		if !p.landed {
			p.held = reserved
		}
		p.elsewhere = s.Wants == advertise.LoadBalancerIP && s.Elsewhere.Has(family)
		switch {
		case p.elsewhere:
		case o.isInvalid(s):
			p.reason = v1alpha1.ReasonInvalidRequest
		case p.held.IsValid() && o.satisfies(s, p.held):
		case reserved.IsValid() && o.satisfies(s, reserved):
			p.fresh = reserved
		default:
			p.fresh, p.reason = o.fresh(s, family)
		}
		if !p.elsewhere && p.landed && !p.fresh.IsValid() && p.reason == "" && !o.inBlock(p.held, s.Wants) {
			p.reason = v1alpha1.ReasonAddressNotAllowlisted
		}
		parts = append(parts, p)
	}
	passes := func(reason v1alpha1.ConditionReason) bool {
		return reason == v1alpha1.ReasonAddressInUse || reason == v1alpha1.ReasonPoolExhausted
	}
	lacking, permanent := -1, false
	for i, p := range parts {
		if s.Policy == ipam.PreferAll || p.held.IsValid() || p.fresh.IsValid() || p.elsewhere || permanent {
			continue
		}
		if permanent = !passes(p.reason); permanent || lacking < 0 || s.Families[i] == s.blocked {
			lacking = i
		}
	}
	if s.blocked = 0; lacking >= 0 {
		s.blocked = s.Families[lacking]
	}
	withhold := lacking >= 0 || o.isInvalid(s)
	for _, p := range parts {
		switch {
		case p.fresh.IsValid() && !withhold:
			assigned, promised = append(assigned, p.fresh), append(promised, p.fresh)
		case p.landed:
			assigned = append(assigned, p.held)
		case p.held.IsValid() && !withhold:
			assigned, promised = append(assigned, p.held), append(promised, p.held)
		case slices.Contains(s.Former, p.held):
			former = append(former, p.held)
		}
	}
	for i, p := range parts {
		isOptional := s.Policy == ipam.PreferAll && len(assigned) > 0 && !p.held.IsValid() && !p.fresh.IsValid() &&
			!o.named(s, s.Families[i]).IsValid()
		isTold := lacking < 0 || i == lacking || !passes(p.reason)
		if reason == "" && !isOptional && isTold {
			reason = p.reason
		}
	}
	return assigned, promised, former, reason
}

// serve decides on all Services, or those older than one, until nothing changes.
func (o *oracle) serve(before *oracleService) {
	for changed := true; changed; {
		changed = false
		for _, s := range o.byAge() {
			if s == before {
				break
			}
			promised, former := slices.Clone(s.promised), slices.Clone(s.Former)
			o.decide(s)
			if !slices.Equal(promised, s.promised) || !slices.Equal(former, s.Former) {
				changed = true
				break
			}
		}
	}
}

// String lists the Services with what they have and are promised, and the pools.
func (o *oracle) String() string {
	var text strings.Builder
	for _, s := range o.byAge() {
		fmt.Fprintf(&text, "%s: has %v, was promised %v, had %v, others %v, wants %v of %v\n", s.Key, s.Assigned, s.promised, s.Former, s.Others, s.Wants, s.Families)
	}
	for _, p := range o.pools() {
		fmt.Fprintf(&text, "pool %s: %v\n", p.Name, p.Addresses.Ranges())
	}
	return text.String()
}
