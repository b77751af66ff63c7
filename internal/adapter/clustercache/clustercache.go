// Package clustercache reads a whole cluster, as the core sees it, out of a manager's cache.
package clustercache

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/password"
	"github.com/herald-network/herald/internal/kubeobject"
)

// Source is where a cluster's state is read from.
type Source struct {
	// Reader is the manager's cache.
	Reader client.Reader
	// Namespace is Herald's own, where the Secrets of passwords are.
	Namespace string
	// Claims reads of Services which addresses they have from Herald.
	Claims kubeobject.Claims
}

// State returns the cluster as the cache has it now, without its Services.
func (s Source) State(ctx context.Context) (cluster.State, error) {
	var (
		nodes          corev1.NodeList
		configurations v1alpha1.BGPConfigurationList
		peers          v1alpha1.BGPPeerList
		pools          v1alpha1.ExternalIPPoolList
		ranges         networkingv1.ServiceCIDRList
		secrets        corev1.SecretList
	)
	for _, list := range []client.ObjectList{&nodes, &configurations, &peers, &pools, &ranges} {
		if err := s.list(ctx, list); err != nil {
			return cluster.State{}, err
		}
	}
	if err := s.list(ctx, &secrets, client.InNamespace(s.Namespace)); err != nil {
		return cluster.State{}, err
	}
	state := cluster.State{
		Configurations: configurations.Items,
		Peers:          peers.Items,
		Pools:          pools.Items,
		Namespace:      s.Namespace,
		Secrets:        make(map[string]password.Secret, len(secrets.Items)),
	}
	for i := range nodes.Items {
		state.Nodes = append(state.Nodes, *kubeobject.Node(&nodes.Items[i]))
	}
	for i := range ranges.Items {
		for _, text := range ranges.Items[i].Spec.CIDRs {
			if cidr, err := netip.ParsePrefix(text); err == nil {
				state.ServiceCIDRs = append(state.ServiceCIDRs, cidr.Masked())
			}
		}
	}
	for i := range secrets.Items {
		secret := &secrets.Items[i]
		state.Secrets[secret.Name] = password.Secret{Type: string(secret.Type), Data: secret.Data}
	}
	return state, nil
}

// StateWithServices returns the cluster as the cache has it now. It takes time by the number of Services and endpoints.
func (s Source) StateWithServices(ctx context.Context) (cluster.State, error) {
	state, err := s.State(ctx)
	if err != nil {
		return cluster.State{}, err
	}
	var (
		services corev1.ServiceList
		slices   discoveryv1.EndpointSliceList
	)
	for _, list := range []client.ObjectList{&services, &slices} {
		if err := s.list(ctx, list); err != nil {
			return cluster.State{}, err
		}
	}
	endpoints := make(map[advertise.ServiceKey]*cluster.Endpoints, len(services.Items))
	for i := range slices.Items {
		slice := &slices.Items[i]
		key := advertise.ServiceKey{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
		if endpoints[key] == nil {
			endpoints[key] = &cluster.Endpoints{}
		}
		kubeobject.Endpoints(slice, endpoints[key])
	}
	state.Services = make([]cluster.Service, len(services.Items))
	for i := range services.Items {
		service := &services.Items[i]
		key := advertise.ServiceKey{Namespace: service.Namespace, Name: service.Name}
		state.Services[i] = cluster.Service{Key: key, Spec: *kubeobject.Service(service), Assigned: s.assigned(service)}
		if found := endpoints[key]; found != nil {
			state.Services[i].Endpoints = *found
		}
	}
	return state, nil
}

// assigned returns the addresses that a Service has from Herald. Most have none, which is seen at a glance.
func (s Source) assigned(service *corev1.Service) []netip.Addr {
	if len(service.Spec.ExternalIPs)+len(service.Status.LoadBalancer.Ingress) == 0 {
		return nil
	}
	var assigned []netip.Addr
	for _, a := range s.Claims.Of(service).Assigned {
		assigned = append(assigned, a.Addr)
	}
	return assigned
}

// list lists without copying: nothing that is read here is ever changed.
func (s Source) list(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := s.Reader.List(ctx, list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		return fmt.Errorf("read %T from the cache: %w", list, err)
	}
	return nil
}
