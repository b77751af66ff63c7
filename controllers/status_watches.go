package controllers

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/kubeobject"
	"github.com/herald-network/herald/internal/logkey"
)

type queue = workqueue.TypedRateLimitingInterface[statusKey]

// watched is a kind that the reconciler watches, and what acts on its changes.
type watched struct {
	kind    client.Object
	handler handler.TypedEventHandler[client.Object, statusKey]
}

// watches wake each object whose status may differ after a change, and no other:
//
//   - a BGPPeer, a BGPConfiguration: of its spec, all peers and configurations, which may contradict it, and for the blocks of
//     a configuration all pools;
//   - an ExternalIPPool: of its spec, and when it is being deleted, all pools; and itself of whose addresses are in use;
//   - a Node: of what decides about it, everything; of the rest, which kubelets write all the time, nothing;
//   - a BGPNode: the peers of the sessions that changed, and the configurations that hold on the node;
//   - a Secret: of its keys and whether a value is fit for a password, all peers. A ServiceCIDR: all configurations and pools.
//
// The status that was written here wakes nothing. One that somebody else wrote wakes its object, which puts it back.
func (r *StatusReconciler) watches() []watched {
	return []watched{
		{&v1alpha1.BGPPeer{}, changes(onSpec[*v1alpha1.BGPPeer](r, kindPeer, kindConfiguration))},
		{&v1alpha1.BGPConfiguration{}, changes(onSpec[*v1alpha1.BGPConfiguration](r, kindConfiguration, kindPeer, kindPool))},
		{&v1alpha1.ExternalIPPool{}, changes(onSpec[*v1alpha1.ExternalIPPool](r, kindPool))},
		{&corev1.Node{}, changes(r.onNode)},
		{&v1alpha1.BGPNode{}, changes(r.onReport)},
		{&coordinationv1.Lease{}, changes(r.onLease)},
		{&corev1.Secret{}, changes(r.onSecret)},
		{&networkingv1.ServiceCIDR{}, changes(r.onServiceCIDR)},
	}
}

// onSpec acts on a change of an object whose own status is kept, which wakes all objects of some kinds, its own first.
func onSpec[T client.Object](r *StatusReconciler, kinds ...string) func(context.Context, change[T], queue) {
	return func(ctx context.Context, c change[T], q queue) {
		key := statusKey{kind: kinds[0], name: c.object().GetName()}
		if !c.updated() || c.old.GetGeneration() != c.new.GetGeneration() || c.old.GetUID() != c.new.GetUID() {
			q.Add(key) // It may be gone, so that no list has it.
			r.wakeAll(ctx, q, kinds...)
			return
		}
		if !r.book.isOwn(key, c.new) {
			q.Add(key)
		}
	}
}

func (r *StatusReconciler) onNode(ctx context.Context, c change[*corev1.Node], q queue) {
	if c.updated() && decidesTheSame(c.old, c.new) {
		return
	}
	r.wakeAll(ctx, q, kindPeer, kindConfiguration, kindPool)
	r.news.routesChanged()
}

// decidesTheSame reports whether nothing of a Node changed that kubeobject.Node reads.
func decidesTheSame(a, b *corev1.Node) bool {
	return maps.Equal(a.Labels, b.Labels) &&
		slices.Equal(a.Status.Addresses, b.Status.Addresses) &&
		slices.Equal(a.Spec.PodCIDRs, b.Spec.PodCIDRs) &&
		(kubeobject.Shutdown(a) == nil) == (kubeobject.Shutdown(b) == nil) &&
		a.DeletionTimestamp.IsZero() == b.DeletionTimestamp.IsZero()
}

func (r *StatusReconciler) onServiceCIDR(ctx context.Context, c change[*networkingv1.ServiceCIDR], q queue) {
	if !c.updated() || !slices.Equal(c.old.Spec.CIDRs, c.new.Spec.CIDRs) { // It has no generation.
		r.wakeAll(ctx, q, kindConfiguration, kindPool)
	}
}

func (r *StatusReconciler) onSecret(ctx context.Context, c change[*corev1.Secret], q queue) {
	if c.object().Namespace != r.Namespace || c.updated() && c.old.Type == c.new.Type && maps.EqualFunc(c.old.Data, c.new.Data, bytes.Equal) {
		return
	}
	r.wakeAll(ctx, q, kindPeer)
}

func (r *StatusReconciler) onReport(ctx context.Context, c change[*v1alpha1.BGPNode], q queue) {
	var before, after v1alpha1.BGPNodeStatus
	if !c.created {
		before = c.old.Status
	}
	if !c.deleted {
		after = c.new.Status
	}
	if equality.Semantic.DeepEqual(before, after) {
		return
	}
	node := c.object().Name
	r.view.markNode(node)
	for _, peer := range changedSessions(before.Sessions, after.Sessions) {
		q.Add(statusKey{kind: kindPeer, name: peer})
	}
	r.wakeConfigurations(ctx, q, node)
	if before.RouterID != after.RouterID {
		r.wake(ctx, q, kindConfiguration) // Two nodes with one router ID may have different overlays.
	}
	if before.Truncated != after.Truncated || !equality.Semantic.DeepEqual(before.Advertisements, after.Advertisements) {
		r.news.routesChanged()
	}
}

// changedSessions returns the peers whose session came, went or changed.
func changedSessions(before, after []v1alpha1.NodeSession) []string {
	rest := make(map[string]*v1alpha1.NodeSession, len(before))
	for i := range before {
		rest[before[i].Peer] = &before[i]
	}
	var changed []string
	for i := range after {
		was := rest[after[i].Peer]
		if was == nil || !equality.Semantic.DeepEqual(was, &after[i]) {
			changed = append(changed, after[i].Peer)
		}
		delete(rest, after[i].Peer)
	}
	return slices.AppendSeq(changed, maps.Keys(rest))
}

// wakeConfigurations wakes the configurations that hold on a node: the base, and its overlay where it has one.
func (r *StatusReconciler) wakeConfigurations(ctx context.Context, q queue, node string) {
	q.Add(statusKey{kind: kindConfiguration, name: v1alpha1.DefaultConfigurationName})
	overlay, err := r.overlayOn(ctx, node)
	if err != nil {
		r.wakeAll(ctx, q, kindConfiguration)
		return
	}
	if overlay != "" {
		q.Add(statusKey{kind: kindConfiguration, name: overlay})
	}
}

func (r *StatusReconciler) overlayOn(ctx context.Context, node string) (string, error) {
	var configurations v1alpha1.BGPConfigurationList
	if err := r.client.List(ctx, &configurations, client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("read BGPConfigurations from the cache: %w", err)
	}
	var object corev1.Node
	if err := r.client.Get(ctx, client.ObjectKey{Name: node}, &object, client.UnsafeDisableDeepCopy); err != nil {
		return "", client.IgnoreNotFound(err)
	}
	return intent.NewOverlays(configurations.Items).On(kubeobject.Node(&object)), nil
}

// agentsChanged acts on agents that fell silent or came.
func (r *StatusReconciler) agentsChanged(ctx context.Context, nodes []string, q queue) {
	for _, node := range nodes {
		r.view.markNode(node)
	}
	r.wake(ctx, q, kindPeer, kindConfiguration)
	r.news.routesChanged()
}

// wakeAll has everything be read again and wakes all objects of some kinds.
func (r *StatusReconciler) wakeAll(ctx context.Context, q queue, kinds ...string) {
	r.view.markEverything()
	r.wake(ctx, q, kinds...)
}

// wake wakes all objects of some kinds.
func (r *StatusReconciler) wake(ctx context.Context, q queue, kinds ...string) {
	for _, kind := range kinds {
		list := newList(kind)
		err := r.client.List(ctx, list, client.UnsafeDisableDeepCopy)
		if err == nil {
			err = meta.EachListItem(list, func(object runtime.Object) error {
				accessor, err := meta.Accessor(object)
				if err == nil {
					q.Add(statusKey{kind: kind, name: accessor.GetName()})
				}
				return err
			})
		}
		if err != nil && ctx.Err() == nil {
			logf.FromContext(ctx).Error(err, "Reading the cache", logkey.Object, kind)
		}
	}
}
