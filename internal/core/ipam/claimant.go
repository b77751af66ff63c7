package ipam

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/tidwall/btree"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// service is a Service with what was decided on it.
type service struct {
	Service
	// promised are addresses that it is to have and does not have yet.
	promised []netip.Addr
	// blockedBy is the family for whose lack it gets nothing new; 0 where it may get.
	blockedBy bgp.Family
	// last is what was decided last, be it for Decide or to serve who waits; nil where nothing was.
	last *Decision
	// told is what the last Decide returned; nil where it was not called since it may have had to answer otherwise.
	told *Decision
	// owed says that Decide is still to be called since the Service was touched.
	owed bool
	// waits are what it waits for, and reason is why, as it is counted.
	waits  []wait
	reason v1alpha1.ConditionReason
}

func newService(spec Service) *service {
	s := &service{Service: Service{Created: spec.Created}}
	s.set(spec)
	return s
}

// set replaces what the Service is. A promise that it has by now is none any more.
func (s *service) set(spec Service) {
	spec.Created = s.Created // It orders the Service in the trees that hold it.
	if spec.Deleting || spec.Wants != s.Wants {
		s.promised = nil
	}
	s.Service = spec
	if s.Deleting || s.Wants == 0 {
		s.Former = nil
	}
	s.promised = without(s.promised, func(a netip.Addr) bool { return s.has(a, s.Wants) })
	s.Former = without(s.Former, func(a netip.Addr) bool { return s.has(a, s.Wants) || slices.Contains(s.promised, a) })
}

// without returns the addresses that don't match, in a new list where it differs.
func without(all []netip.Addr, match func(netip.Addr) bool) []netip.Addr {
	if !slices.ContainsFunc(all, match) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), match)
}

// isLike reports whether all is the same that a decision depends on, but for the addresses that the Service has.
func (s *Service) isLike(other *Service) bool {
	return s.Deleting == other.Deleting && s.Wants == other.Wants && s.Policy == other.Policy && s.Elsewhere == other.Elsewhere &&
		slices.Equal(s.Families, other.Families) && maps.Equal(s.Labels, other.Labels) && s.sharesLike(other) &&
		s.Request.Pool == other.Request.Pool && s.Request.Problem == other.Request.Problem &&
		slices.Equal(s.Request.Addresses, other.Request.Addresses)
}

// sharesLike reports whether all is the same that decides with whom the Service may share addresses.
func (s *Service) sharesLike(other *Service) bool {
	return s.Request.SharingKey == other.Request.SharingKey && s.Backends == other.Backends && slices.Equal(s.Ports, other.Ports)
}

func newServiceTree() *btree.BTreeG[*service] {
	return newTree(func(a, b *service) bool { return a.compare(&b.Service) < 0 })
}

// group returns the group that the Service shares addresses in.
func (s *service) group() group {
	if s.Request.SharingKey == "" {
		return group{}
	}
	return group{s.Key.Namespace, s.Request.SharingKey}
}

// has reports whether the Service has an address from Herald, as a kind.
func (s *service) has(a netip.Addr, kind advertise.Kind) bool {
	return slices.Contains(s.Assigned, advertise.Address{Addr: a, Kind: kind})
}

// isServed reports whether the Service has exactly what was decided last.
func (s *service) isServed() bool {
	if s.last == nil || len(s.Former) > 0 || len(s.last.Assigned) != len(s.Assigned) {
		return false
	}
	for _, a := range s.last.Assigned {
		if !s.has(a.Address, a.Kind) {
			return false
		}
	}
	return true
}

// addressClaim is a claim on an address.
type addressClaim struct {
	address netip.Addr
	claim   claim
}

// claims returns the Service's claims on addresses, each once.
func (s *service) claims() []addressClaim {
	claims := make([]addressClaim, 0, len(s.Assigned)+len(s.promised)+len(s.Former)+len(s.Others))
	add := func(a netip.Addr, hold hold, kind advertise.Kind) {
		c := addressClaim{a.Unmap().WithZone(""), claim{service: s, hold: hold, kind: kind}}
		if hold != other {
			c.claim.group = s.group()
		}
		if c.address.IsValid() && !slices.Contains(claims, c) {
			claims = append(claims, c)
		}
	}
	for _, a := range s.Assigned {
		add(a.Addr, assigned, a.Kind)
	}
	for _, a := range s.promised {
		add(a, promised, s.Wants)
	}
	for _, a := range s.Former {
		add(a, former, s.Wants)
	}
	for _, a := range s.Others {
		add(a, other, 0)
	}
	return claims
}

// reclaim replaces claims of a Service. It returns the addresses on which some changed.
func (t *Table) reclaim(before, after []addressClaim, released time.Time) (changed []netip.Addr) {
	for _, c := range after {
		if !slices.Contains(before, c) {
			t.claim(c.address, c.claim)
			changed = append(changed, c.address)
		}
	}
	for _, c := range before {
		if !slices.Contains(after, c) {
			t.unclaim(c.address, c.claim, released)
			changed = append(changed, c.address)
		}
	}
	return changed
}
