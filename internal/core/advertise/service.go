package advertise

import (
	"cmp"
	"net/netip"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Kind says where a prefix comes from: for an address of a Service, the field that names it. Users see its name.
type Kind uint8

// The kinds, in the order in which one names a prefix that is of several.
const (
	// ClusterIP is an address in spec.clusterIPs.
	ClusterIP Kind = iota + 1
	// ExternalIP is an address in spec.externalIPs.
	ExternalIP
	// LoadBalancerIP is an address in status.loadBalancer.ingress.
	LoadBalancerIP
	// PodCIDR is a prefix in the spec.podCIDRs of the node itself; no address of a Service is of this kind.
	PodCIDR
)

// String returns the kind's name as the API writes it.
func (k Kind) String() string {
	switch k {
	case ClusterIP:
		return "ClusterIP"
	case ExternalIP:
		return "ExternalIP"
	case LoadBalancerIP:
		return "LoadBalancerIP"
	case PodCIDR:
		return "PodCIDR"
	default:
		return "Unknown"
	}
}

// Kinds returns all kinds, in order.
func Kinds() []Kind { return []Kind{ClusterIP, ExternalIP, LoadBalancerIP, PodCIDR} }

// Set returns the set that holds only this kind.
func (k Kind) Set() bgp.Kinds { return 1 << (k - ClusterIP) }

// ServiceType is a Service's spec.type, as Kubernetes writes it.
type ServiceType string

// The types of Services whose addresses can be advertised.
const (
	TypeClusterIP    ServiceType = "ClusterIP"
	TypeNodePort     ServiceType = "NodePort"
	TypeLoadBalancer ServiceType = "LoadBalancer"
)

// Policy is a traffic policy: which endpoints a node may forward to, and so which nodes attract traffic.
type Policy uint8

// The traffic policies.
const (
	// Cluster lets every node forward to every endpoint.
	Cluster Policy = iota
	// Local lets a node forward to its own endpoints only.
	Local
)

// String returns the policy's name as Kubernetes writes it.
func (p Policy) String() string {
	if p == Local {
		return "Local"
	}
	return "Cluster"
}

// ServiceKey identifies a Service.
type ServiceKey struct{ Namespace, Name string }

// String returns namespace/name.
func (k ServiceKey) String() string { return k.Namespace + "/" + k.Name }

// Compare orders keys by namespace, then name.
func (k ServiceKey) Compare(other ServiceKey) int {
	return cmp.Or(cmp.Compare(k.Namespace, other.Namespace), cmp.Compare(k.Name, other.Name))
}

// Address is one address of a Service.
type Address struct {
	// Addr has no zone and is never IPv4-mapped; one that is lies in no block.
	Addr netip.Addr
	Kind Kind
}

// hostPrefix returns the prefix of the address's host route.
func (a Address) hostPrefix() netip.Prefix { return netip.PrefixFrom(a.Addr, a.Addr.BitLen()) }

// Service is what of a Service bears on its advertisement. Who builds it leaves out what is no address to route to: the
// clusterIP "None", host names, and ingresses whose ipMode is Proxy.
type Service struct {
	Type ServiceType
	// Headless says that spec.clusterIP is "None".
	Headless bool
	// Deleting says that the Service has a deletionTimestamp.
	Deleting bool
	// ExternalTrafficPolicy holds for all addresses, InternalTrafficPolicy for ClusterIPs only.
	ExternalTrafficPolicy, InternalTrafficPolicy Policy
	// Addresses of all kinds. The slice is kept: it must not change afterwards.
	Addresses []Address
}

func (s Service) isSupported() bool {
	switch s.Type {
	case TypeClusterIP, TypeNodePort, TypeLoadBalancer:
		return !s.Headless && !s.Deleting
	default:
		return false
	}
}

// policyFor returns the traffic policy that steers the route of an address of the given kind.
func (s Service) policyFor(kind Kind) Policy {
	if s.ExternalTrafficPolicy == Local || kind == ClusterIP && s.InternalTrafficPolicy == Local {
		return Local
	}
	return Cluster
}
