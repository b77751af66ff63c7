package clustercache

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/core/password"
	"github.com/herald-network/herald/internal/kubeobject"
)

// Objects says what a cache has to hold for a Source, and how little of it: what no decision needs is dropped on its way in,
// the values of Secrets first of all.
func Objects(namespace string) map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&v1alpha1.BGPConfiguration{}: {Transform: cache.TransformStripManagedFields()},
		&v1alpha1.BGPPeer{}:          {Transform: cache.TransformStripManagedFields()},
		&v1alpha1.ExternalIPPool{}:   {Transform: cache.TransformStripManagedFields()},
		&networkingv1.ServiceCIDR{}:  {Transform: cache.TransformStripManagedFields()},
		&corev1.Namespace{}:          {Transform: transform(keepOfNamespace)},
		&corev1.Node{}:               {Transform: transform(keepOfNode)},
		&corev1.Service{}:            {Transform: transform(keepOfService)},
		&discoveryv1.EndpointSlice{}: {Transform: transform(keepOfSlice)},
		&corev1.Secret{}: {
			Namespaces: map[string]cache.Config{namespace: {}},
			Transform:  transform(keepOfSecret),
		},
	}
}

// transform makes a cache keep of each object what keep leaves of it.
func transform[T client.Object](keep func(T)) func(any) (any, error) {
	return func(object any) (any, error) {
		o, ok := object.(T)
		if !ok {
			return nil, fmt.Errorf("transform %T: not the kind that the cache was told of", object)
		}
		o.SetManagedFields(nil)
		keep(o)
		return o, nil
	}
}

// keepOfNamespace leaves a Namespace its labels, for the selectors of pools.
func keepOfNamespace(n *corev1.Namespace) {
	n.Annotations = nil
	n.Spec, n.Status = corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
}

func keepOfNode(n *corev1.Node) {
	n.Annotations = nil
	n.Spec = corev1.NodeSpec{PodCIDRs: n.Spec.PodCIDRs}
	status := corev1.NodeStatus{Addresses: n.Status.Addresses}
	if ready := kubeobject.Shutdown(n); ready != nil {
		status.Conditions = []corev1.NodeCondition{*ready}
	}
	n.Status = status
}

// keepOfService leaves a Service its selector only where that decides with whom it may share an address.
func keepOfService(s *corev1.Service) {
	delete(s.Annotations, corev1.LastAppliedConfigAnnotation)
	if ipam.ParseRequest(s.Annotations, "").SharingKey == "" {
		s.Spec.Selector = nil
	}
}

func keepOfSlice(s *discoveryv1.EndpointSlice) {
	s.Annotations, s.Ports = nil, nil
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		*e = discoveryv1.Endpoint{NodeName: e.NodeName, Conditions: e.Conditions}
	}
}

// keepOfSecret leaves a Secret its keys and, in place of each value, no more than whether it is fit for a password.
func keepOfSecret(s *corev1.Secret) {
	s.Annotations = nil
	for key, value := range s.Data {
		s.Data[key] = password.StandIn(value)
	}
}
