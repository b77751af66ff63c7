package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The benchmark takes addresses from two ranges: one for the Services that come in bulk, one for those that are timed one by
// one. Herald takes those of LoadBalancers from a third.
const (
	bulkRange   = "10.100.0.0"
	singleRange = "10.101.0.0"
	poolRange   = "10.102.0.0"
)

// parallelism is how many Services are created at the same time.
const parallelism = 16

// Labels of the benchmark's Services.
const (
	groupLabel  = "bench.herald.network/group"
	bulkGroup   = "bulk"
	singleGroup = "single"
)

// addressOf returns the address of Service i of a range.
func addressOf(first string, i int) netip.Addr {
	bytes := netip.MustParseAddr(first).As4()
	bytes[2], bytes[3] = byte(i>>8), byte(i)
	return netip.AddrFrom4(bytes)
}

func hostRoute(address netip.Addr) netip.Prefix { return netip.PrefixFrom(address, address.BitLen()) }

// byHand is the class of the Services of type LoadBalancer that the benchmark itself gives their addresses.
const byHand = "bench.herald.network/by-hand"

// newService returns a Service of type LoadBalancer whose addresses are the benchmark's own business, without node ports, of
// which there are not enough.
func newService(group, name string, policy corev1.ServiceExternalTrafficPolicy) *corev1.Service {
	allocate, class := false, byHand
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{groupLabel: group}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, ExternalTrafficPolicy: policy, AllocateLoadBalancerNodePorts: &allocate,
			LoadBalancerClass: &class,
			Ports:             []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(echoPort)}},
		},
	}
}

// newSlice returns an EndpointSlice that is managed by hand: every node's echo server, ready or not.
func (r *rack) newSlice(service *corev1.Service, isReady func(n node) bool) *discoveryv1.EndpointSlice {
	port := int32(echoPort)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, Name: service.Name,
			Labels: map[string]string{
				discoveryv1.LabelServiceName: service.Name, discoveryv1.LabelManagedBy: "bench.herald.network",
				groupLabel: service.Labels[groupLabel],
			},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Port: &port}},
	}
	for _, n := range r.nodes {
		ready := isReady(n)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{n.echo.String()}, NodeName: &n.name, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	return slice
}

func always(node) bool { return true }
func never(node) bool  { return false }

// createSingle creates a Service that is served on every node but has no address yet.
func (r *rack) createSingle(ctx context.Context, name string, isReady func(n node) bool, policy corev1.ServiceExternalTrafficPolicy) (
	*corev1.Service, *discoveryv1.EndpointSlice, error,
) {
	service := newService(singleGroup, name, policy)
	if err := r.api.Create(ctx, service); err != nil {
		return nil, nil, err
	}
	slice := r.newSlice(service, isReady)
	return service, slice, r.api.Create(ctx, slice)
}

// setAddress gives a Service its address, as whoever assigns addresses does.
func (r *rack) setAddress(ctx context.Context, service *corev1.Service, address netip.Addr) error {
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address.String()}}
	return r.api.Status().Update(ctx, service)
}

// setReady says on which nodes a Service is served.
func (r *rack) setReady(ctx context.Context, slice *discoveryv1.EndpointSlice, isReady func(n node) bool) error {
	for i, n := range r.nodes {
		ready := isReady(n)
		slice.Endpoints[i].Conditions.Ready = &ready
	}
	return r.api.Update(ctx, slice)
}

// deleteSingles deletes what createSingle created and returns when no router routes to it any more.
func (r *rack) deleteSingles(ctx context.Context, count int) error {
	for _, kind := range []client.Object{&discoveryv1.EndpointSlice{}, &corev1.Service{}} {
		if err := r.api.DeleteAllOf(ctx, kind, client.InNamespace(namespace), client.MatchingLabels{groupLabel: singleGroup}); err != nil {
			return err
		}
	}
	gone := routes{}
	for i := range count {
		gone[hostRoute(addressOf(singleRange, i))] = nil
	}
	_, err := r.await(ctx, r.mark(), gone)
	return err
}

// bulkRoutes returns the routes of the first Services that come in bulk.
func bulkRoutes(count int, hops []netip.Addr) routes {
	want := make(routes, count)
	for i := range count {
		want[hostRoute(addressOf(bulkRange, i))] = hops
	}
	return want
}

// bulkName returns the name of Service i of those that come in bulk. Names are in the order of numbers.
func bulkName(i int) string { return fmt.Sprintf("bulk-%05d", i) }

// createBulk creates Services number first to last-1, many at the same time, with their addresses. The endpoint slices are
// Kubernetes' own work. It returns when the last call of the API has returned.
func (r *rack) createBulk(ctx context.Context, first, last int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelism)
	for i := first; i < last && ctx.Err() == nil; i++ {
		group.Go(func() error {
			service := newService(bulkGroup, bulkName(i), corev1.ServiceExternalTrafficPolicyCluster)
			service.Spec.Selector = map[string]string{"app": "echo"}
			if err := r.api.Create(ctx, service); err != nil {
				return err
			}
			return r.setAddress(ctx, service, addressOf(bulkRange, i))
		})
	}
	return group.Wait()
}

// scale brings the number of Services that come in bulk to count, and returns when all of them are routed.
func (r *rack) scale(ctx context.Context, count int) error {
	var have corev1.ServiceList
	bulk := []client.ListOption{client.InNamespace(namespace), client.MatchingLabels{groupLabel: bulkGroup}}
	if err := r.api.List(ctx, &have, bulk...); err != nil {
		return err
	}
	for i := range have.Items {
		if have.Items[i].Name < bulkName(count) {
			continue
		}
		if err := r.api.Delete(ctx, &have.Items[i]); err != nil {
			return err
		}
	}
	if err := r.createBulk(ctx, len(have.Items), count); err != nil {
		return err
	}
	want := bulkRoutes(len(have.Items), nil)
	maps.Copy(want, bulkRoutes(count, r.nextHops()))
	_, err := r.await(ctx, r.mark(), want)
	return err
}
