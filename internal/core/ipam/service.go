package ipam

import (
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Service is what of a Service bears on its addresses. Its maps and slices are kept: they must not change afterwards.
type Service struct {
	Key advertise.ServiceKey
	// UID tells a Service from a later one of the same name.
	UID types.UID
	// Created orders Services: where two want one address, or the last one, the older is served. Equal times go by the key.
	Created time.Time
	// Deleting says that the Service has a deletionTimestamp: it keeps what it has and gets nothing.
	Deleting bool
	// Wants is LoadBalancerIP or ExternalIP, whichever Herald is to assign to the Service; 0 for a Service that asks for none,
	// and for one that is somebody else's to serve.
	Wants advertise.Kind
	// Families are those that the Service has, its primary one first.
	Families []bgp.Family
	// Policy says what is to become of a Service that can't have an address of each of its families.
	Policy FamilyPolicy
	// Labels are the Service's, for pools' selectors.
	Labels map[string]string
	// Request is what its annotations ask for.
	Request Request
	// Ports and Backends decide with whom an address may be shared.
	Ports    []Port
	Backends Backends
	// Assigned are addresses that the Service has and that its marks say Herald assigned.
	Assigned []advertise.Address
	// Former are addresses that its marks name but that it does not have, since somebody took them away: it gets them back
	// where nobody else has them.
	Former []netip.Addr
	// Others are the external IPs and the addresses of ingresses that it has from somebody else. They are never touched, and
	// never given to another Service.
	Others []netip.Addr
	// Elsewhere are the families of which a load balancer other than Herald has given the Service an ingress. Herald
	// assigns no LoadBalancerIP of these, but gives back one that it assigned before.
	Elsewhere bgp.Families
}

// FamilyPolicy says what becomes of a Service that can't have an address of each of its families.
type FamilyPolicy uint8

// The family policies, after a Service's spec.ipFamilyPolicy.
const (
	// RequireAll gives it none: SingleStack and RequireDualStack.
	RequireAll FamilyPolicy = iota
	// PreferAll gives it what there is, and the rest as soon as it can be had: PreferDualStack.
	PreferAll
)

// Port is one port that a Service listens on.
type Port struct {
	// Protocol is TCP, UDP or SCTP.
	Protocol string
	Number   uint16
}

// Backends is where a Service's traffic goes: Services with the same Backends attract the traffic of an address to the same
// nodes.
type Backends struct {
	// Policy is the externalTrafficPolicy.
	Policy advertise.Policy
	// Selector is the Service's selector as text, the same for equal selectors. It matters with Local only. An empty one is
	// not known to be equal to any other.
	Selector string
}

// compare orders Services by age, the older first.
func (s *Service) compare(other *Service) int {
	if c := s.Created.Compare(other.Created); c != 0 {
		return c
	}
	return s.Key.Compare(other.Key)
}
