package removal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
)

// pageSize is how many Services are read at a time.
const pageSize = 500

// clearServices takes Herald's marks off all Services, and the addresses that they mark where these are to go.
func (r *Removal) clearServices(ctx context.Context) error {
	r.Log.Info("Taking the marks off Services", "addresses", string(r.Addresses))
	var errs []error
	var services corev1.ServiceList
	for {
		if err := r.Client.List(ctx, &services, client.Limit(pageSize), client.Continue(services.Continue)); err != nil {
			return errors.Join(append(errs, fmt.Errorf("list Services: %w", err))...)
		}
		for i := range services.Items {
			errs = append(errs, r.clearService(ctx, &services.Items[i]))
		}
		if services.Continue == "" {
			return errors.Join(errs...)
		}
	}
}

func (r *Removal) clearService(ctx context.Context, service *corev1.Service) error {
	key := client.ObjectKeyFromObject(service)
	err := r.clearMarks(ctx, service)
	if apierrors.IsConflict(err) {
		err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			if err := r.Client.Get(ctx, key, service); err != nil {
				return err
			}
			return r.clearMarks(ctx, service)
		})
	}
	if err = ignoreAbsent(err); err != nil {
		return fmt.Errorf("take the marks off Service %s: %w", key, err)
	}
	return nil
}

// clearMarks clears the Service as it was read, which becomes what the API server made of it.
func (r *Removal) clearMarks(ctx context.Context, service *corev1.Service) error {
	if fields := r.specChange(service); fields != nil {
		patch, err := mergePatch(service, fields)
		if err != nil {
			return err
		}
		if err := r.Client.Patch(ctx, service, patch); err != nil {
			return err
		}
	}
	if fields := r.statusChange(service); fields != nil {
		patch, err := mergePatch(service, fields)
		if err != nil {
			return err
		}
		return r.Client.Status().Patch(ctx, service, patch)
	}
	return nil
}

// specChange returns what takes the mark off spec.externalIPs, nil where there is none.
func (r *Removal) specChange(service *corev1.Service) map[string]any {
	mark, isMarked := service.Annotations[v1alpha1.AnnotationAssigned]
	if !isMarked {
		return nil
	}
	patch := map[string]any{"metadata": map[string]any{
		"annotations": map[string]any{v1alpha1.AnnotationAssigned: nil},
	}}
	if r.Addresses == Release {
		marked := ipam.ParseMarkAnnotation(mark)
		addresses := slices.DeleteFunc(slices.Clone(service.Spec.ExternalIPs), func(text string) bool { return names(marked, text) })
		patch["spec"] = map[string]any{"externalIPs": addresses}
	}
	return patch
}

// statusChange returns what takes the condition off, which is the mark of status.loadBalancer; nil where there is none.
func (r *Removal) statusChange(service *corev1.Service) map[string]any {
	condition := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionAddressAssigned)
	if condition == nil {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(service.Status.Conditions), func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionAddressAssigned
	})
	status := map[string]any{"conditions": others}
	if r.Addresses == Release {
		marked := ipam.ParseMarkMessage(condition.Message)
		ingress := slices.DeleteFunc(slices.Clone(service.Status.LoadBalancer.Ingress), func(i corev1.LoadBalancerIngress) bool {
			return names(marked, i.IP)
		})
		status["loadBalancer"] = map[string]any{"ingress": ingress}
	}
	return map[string]any{"status": status}
}

// names reports whether a text is one of the addresses.
func names(marked []netip.Addr, text string) bool {
	address, ok := advertise.ParseAddress(text)
	return ok && slices.Contains(marked, address)
}

// mergePatch makes a patch of fields that holds for the version of the object that it was made from.
func mergePatch(object client.Object, fields map[string]any) (client.Patch, error) {
	metadata, ok := fields["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
	}
	metadata["resourceVersion"] = object.GetResourceVersion()
	fields["metadata"] = metadata
	content, err := json.Marshal(fields)
	return client.RawPatch(types.MergePatchType, content), err
}

// clearPool takes the finalizer off a pool. It tries again for a while: an API server may go on for a moment to ask webhooks
// that are deleted, and nobody answers them any more.
func (r *Removal) clearPool(ctx context.Context, name string) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, settle, true, func(ctx context.Context) (bool, error) {
		last = ignoreAbsent(r.releasePool(ctx, name))
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("take the finalizer off ExternalIPPool %q: %w", name, cmp.Or(last, err))
	}
	return nil
}

// releasePool takes the finalizer off a pool, once.
func (r *Removal) releasePool(ctx context.Context, name string) error {
	pool := &v1alpha1.ExternalIPPool{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, pool); err != nil {
		return err
	}
	before := pool.DeepCopy()
	if !controllerutil.RemoveFinalizer(pool, v1alpha1.PoolFinalizer) {
		return nil
	}
	// A merge patch has lists as a whole: it must be of the list that was read.
	return r.Client.Patch(ctx, pool, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
