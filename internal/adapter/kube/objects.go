package kube

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
)

func serviceKind() kind[*corev1.Service] {
	key := func(name cache.ObjectName) advertise.ServiceKey { return advertise.ServiceKey(name) }
	return kind[*corev1.Service]{
		name:    input.KindService,
		example: &corev1.Service{},
		set: func(s *corev1.Service) input.Event {
			return input.Service{Key: key(cache.MetaObjectToName(s)), Spec: serviceOf(s)}
		},
		gone: func(name cache.ObjectName) input.Event { return input.Service{Key: key(name)} },
	}
}

func sliceKind(node string) kind[*discoveryv1.EndpointSlice] {
	key := func(name cache.ObjectName) advertise.SliceKey { return advertise.SliceKey(name) }
	return kind[*discoveryv1.EndpointSlice]{
		name:    input.KindEndpointSlice,
		example: &discoveryv1.EndpointSlice{},
		set: func(s *discoveryv1.EndpointSlice) input.Event {
			return input.Slice{Key: key(cache.MetaObjectToName(s)), Slice: sliceOf(s, node)}
		},
		gone: func(name cache.ObjectName) input.Event { return input.Slice{Key: key(name)} },
	}
}

func nodeKind() kind[*corev1.Node] {
	return kind[*corev1.Node]{
		name:    input.KindNode,
		example: &corev1.Node{},
		set:     func(n *corev1.Node) input.Event { return input.Node{Node: nodeOf(n)} },
		gone:    func(cache.ObjectName) input.Event { return input.Node{} },
	}
}

func peerKind() kind[*v1alpha1.BGPPeer] {
	return kind[*v1alpha1.BGPPeer]{
		name:    input.KindBGPPeer,
		example: &v1alpha1.BGPPeer{},
		set: func(p *v1alpha1.BGPPeer) input.Event {
			p.ManagedFields = nil // The greatest part of many an object, and of no use here.
			return input.Peer{Name: p.Name, Peer: p}
		},
		gone: func(name cache.ObjectName) input.Event { return input.Peer{Name: name.Name} },
	}
}

func configurationKind() kind[*v1alpha1.BGPConfiguration] {
	return kind[*v1alpha1.BGPConfiguration]{
		name:    input.KindBGPConfiguration,
		example: &v1alpha1.BGPConfiguration{},
		set: func(c *v1alpha1.BGPConfiguration) input.Event {
			c.ManagedFields = nil
			return input.Configuration{Name: c.Name, Configuration: c}
		},
		gone: func(name cache.ObjectName) input.Event { return input.Configuration{Name: name.Name} },
	}
}

// serviceOf reads a Service. An address that is none, as old API servers took them, is left out.
func serviceOf(s *corev1.Service) *advertise.Service {
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

// sliceOf reads an EndpointSlice, as seen from a node.
func sliceOf(s *discoveryv1.EndpointSlice, node string) *advertise.Slice {
	slice := &advertise.Slice{Service: s.Labels[discoveryv1.LabelServiceName]}
	switch s.AddressType {
	case discoveryv1.AddressTypeIPv4:
		slice.Family = bgp.IPv4
	case discoveryv1.AddressTypeIPv6:
		slice.Family = bgp.IPv6
	default: // Host names: no address to route to.
	}
	for _, e := range s.Endpoints {
		here := e.NodeName != nil && *e.NodeName == node
		slice.Endpoints.Add(advertise.Conditions(e.Conditions), here)
	}
	return slice
}

// nodeOf reads a Node. Labels are kept whole, since any selector may ask for any of them.
func nodeOf(n *corev1.Node) *intent.Node {
	node := &intent.Node{Name: n.Name, Labels: n.Labels, Deleting: n.DeletionTimestamp != nil}
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
