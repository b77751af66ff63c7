// Package kubeobject reads Kubernetes' own objects: from each it takes the plain values that the core decides on, so that
// agents and the manager cannot see one object differently.
package kubeobject

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
)

// Service reads a Service. An address that is none, as old API servers took them, is left out.
func Service(s *corev1.Service) *advertise.Service {
	service := &advertise.Service{
		Type:     advertise.ServiceType(s.Spec.Type),
		Headless: s.Spec.ClusterIP == corev1.ClusterIPNone,
		Deleting: s.DeletionTimestamp != nil,
	}
	if s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		service.ExternalTrafficPolicy = advertise.Local
	}
	if p := s.Spec.InternalTrafficPolicy; p != nil && *p == corev1.ServiceInternalTrafficPolicyLocal {
		service.InternalTrafficPolicy = advertise.Local
	}
	add := func(text string, kind advertise.Kind) {
		if a, err := netip.ParseAddr(text); err == nil {
			service.Addresses = append(service.Addresses, advertise.Address{Addr: a, Kind: kind})
		}
	}
	for _, text := range s.Spec.ClusterIPs {
		add(text, advertise.ClusterIP)
	}
	for _, text := range s.Spec.ExternalIPs {
		add(text, advertise.ExternalIP)
	}
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		if ingress.IPMode == nil || *ingress.IPMode == corev1.LoadBalancerIPModeVIP {
			add(ingress.IP, advertise.LoadBalancerIP)
		}
	}
	return service
}

// Slice reads an EndpointSlice, as seen from a node.
func Slice(s *discoveryv1.EndpointSlice, node string) *advertise.Slice {
	slice := &advertise.Slice{Service: s.Labels[discoveryv1.LabelServiceName], Family: familyOf(s)}
	for _, e := range s.Endpoints {
		here := e.NodeName != nil && *e.NodeName == node
		slice.Endpoints.Add(advertise.Conditions(e.Conditions), here)
	}
	return slice
}

// Node reads a Node. Labels are kept whole, since any selector may ask for any of them.
func Node(n *corev1.Node) *intent.Node {
	node := &intent.Node{
		Name: n.Name, Labels: n.Labels,
		Deleting: n.DeletionTimestamp != nil, ShuttingDown: Shutdown(n) != nil,
	}
	for _, address := range n.Status.Addresses {
		if a, err := netip.ParseAddr(address.Address); err == nil && address.Type == corev1.NodeInternalIP {
			node.InternalIPs = append(node.InternalIPs, a.Unmap().WithZone(""))
		}
	}
	for _, text := range n.Spec.PodCIDRs {
		if p, err := netip.ParsePrefix(text); err == nil {
			node.PodCIDRs = append(node.PodCIDRs, p.Masked())
		}
	}
	return node
}

// Endpoints counts the endpoints of an EndpointSlice, by their nodes, into those of its Service.
func Endpoints(s *discoveryv1.EndpointSlice, into *cluster.Endpoints) {
	family := familyOf(s)
	for _, e := range s.Endpoints {
		var node string
		if e.NodeName != nil {
			node = *e.NodeName
		}
		into.Add(node, family, advertise.Conditions(e.Conditions))
	}
}

// familyOf returns the family of a slice's addresses; none for host names, which are no address to route to.
func familyOf(s *discoveryv1.EndpointSlice) bgp.Family {
	switch s.AddressType {
	case discoveryv1.AddressTypeIPv4:
		return bgp.IPv4
	case discoveryv1.AddressTypeIPv6:
		return bgp.IPv6
	default:
		return 0
	}
}
