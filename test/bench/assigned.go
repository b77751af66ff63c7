package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

// Groups of the Services that Herald assigns addresses to.
const (
	assignedGroup       = "assigned"
	assignedSingleGroup = "assigned-single"
)

// newAssigned returns a Service of type LoadBalancer as a user writes it, but for node ports, of which there are not enough.
func newAssigned(group, name string) *corev1.Service {
	service := newService(group, name, corev1.ServiceExternalTrafficPolicyCluster)
	service.Spec.LoadBalancerClass = nil
	return service
}

// newExternal returns a Service of type ClusterIP that is to have an external IP.
func newExternal(group, name string) *corev1.Service {
	service := newService(group, name, "")
	service.Annotations = map[string]string{v1alpha1.AnnotationAssignExternalIP: "true"}
	service.Spec = corev1.ServiceSpec{
		Type:  corev1.ServiceTypeClusterIP,
		Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(echoPort)}},
	}
	return service
}

// assignedName returns the name of Service i of those that Herald assigns addresses to. Names are in the order of numbers.
func assignedName(i int) string { return fmt.Sprintf("assigned-%05d", i) }

// burstOf creates Services number first to last-1, many at the same time, and returns when each was begun once all calls have
// returned. Their endpoint slices are Kubernetes' own work.
func (r *rack) burstOf(ctx context.Context, first, last int) (map[string]time.Time, error) {
	begun := make([]time.Time, max(last-first, 0))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelism)
	for i := range begun {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			service := newAssigned(assignedGroup, assignedName(first+i))
			service.Spec.Selector = map[string]string{"app": "echo"}
			begun[i] = time.Now()
			return r.api.Create(ctx, service)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	byName := make(map[string]time.Time, len(begun))
	for i, at := range begun {
		byName[assignedName(first+i)] = at
	}
	return byName, nil
}

// holdAssigned brings the number of Services that Herald assigns addresses to up to count, where there are fewer, and returns
// when all of them are routed.
func (r *rack) holdAssigned(ctx context.Context, count int) error {
	watch, err := r.watchAddresses(ctx, assignedGroup)
	if err != nil {
		return err
	}
	if _, err := r.burstOf(ctx, watch.count(), count); err != nil {
		return errors.Join(err, watch.end())
	}
	found, err := watch.all(ctx, count)
	if err != nil {
		return err
	}
	_, err = r.await(ctx, r.mark(), to(found, r.nextHops()))
	return err
}

// deleteAssigned deletes all Services that Herald assigned addresses to, and returns when no router routes to them any more.
func (r *rack) deleteAssigned(ctx context.Context) error {
	gone := routes{}
	for _, group := range []string{assignedGroup, assignedSingleGroup} {
		selected := []client.ListOption{client.InNamespace(namespace), client.MatchingLabels{groupLabel: group}}
		var services corev1.ServiceList
		var slices discoveryv1.EndpointSliceList
		if err := errors.Join(r.api.List(ctx, &services, selected...), r.api.List(ctx, &slices, selected...)); err != nil {
			return err
		}
		var objects []client.Object
		for i := range services.Items {
			objects = append(objects, &services.Items[i])
			if address := addressIn(&services.Items[i]); address.IsValid() {
				gone[hostRoute(address)] = nil
			}
		}
		for i := range slices.Items {
			objects = append(objects, &slices.Items[i])
		}
		if err := r.deleteAll(ctx, objects); err != nil {
			return err
		}
	}
	_, err := r.await(ctx, r.mark(), gone)
	return err
}

// deleteAll deletes objects, many at the same time. One that is gone already is no error.
func (r *rack) deleteAll(ctx context.Context, objects []client.Object) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelism)
	for _, object := range objects {
		group.Go(func() error { return client.IgnoreNotFound(r.api.Delete(ctx, object)) })
	}
	return group.Wait()
}
