package kube

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/kubeobject"
)

func serviceKind() kind[*corev1.Service] {
	key := func(name cache.ObjectName) advertise.ServiceKey { return advertise.ServiceKey(name) }
	return kind[*corev1.Service]{
		name:    input.KindService,
		example: &corev1.Service{},
		set: func(s *corev1.Service) input.Event {
			return input.Service{Key: key(cache.MetaObjectToName(s)), Spec: kubeobject.Service(s)}
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
			return input.Slice{Key: key(cache.MetaObjectToName(s)), Slice: kubeobject.Slice(s, node)}
		},
		gone: func(name cache.ObjectName) input.Event { return input.Slice{Key: key(name)} },
	}
}

func nodeKind() kind[*corev1.Node] {
	return kind[*corev1.Node]{
		name:    input.KindNode,
		example: &corev1.Node{},
		set: func(n *corev1.Node) input.Event {
			return input.Node{Node: kubeobject.Node(n), Silent: kubeobject.IsSilent(n)}
		},
		gone: func(cache.ObjectName) input.Event { return input.Node{} },
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
