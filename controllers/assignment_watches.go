package controllers

import (
	"context"
	"maps"
	"net/netip"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-network/herald/api/v1alpha1"
)

func (r *AssignmentReconciler) onService(ctx context.Context, c change[*corev1.Service], _ assignmentQueue) {
	r.change(ctx, func(l *ledger, now time.Time) {
		if c.deleted {
			l.forget(keyOf(c.old), c.old.UID, now)
			return
		}
		l.learnOfChange(c.new, now)
	})
}

func (r *AssignmentReconciler) onNamespace(ctx context.Context, c change[*corev1.Namespace], _ assignmentQueue) {
	if c.updated() && maps.Equal(c.old.Labels, c.new.Labels) {
		return
	}
	var labels map[string]string
	if !c.deleted {
		labels = c.new.Labels
	}
	r.change(ctx, func(l *ledger, _ time.Time) { l.table.SetNamespace(c.object().Name, labels) })
}

func (r *AssignmentReconciler) onPool(ctx context.Context, c change[*v1alpha1.ExternalIPPool], q assignmentQueue) {
	r.change(ctx, func(l *ledger, now time.Time) {
		if c.deleted {
			l.forgetPool(c.old)
		} else {
			l.learnPool(c.new, now)
		}
		// The two come into the queue once the ledger is filled, and not before.
		q.Add(assignmentKey{task: taskPool, name: c.object().Name})
		if !c.updated() || c.old.UID != c.new.UID || c.old.Generation != c.new.Generation ||
			c.old.DeletionTimestamp.IsZero() != c.new.DeletionTimestamp.IsZero() {
			q.Add(assignmentKey{task: taskConfigure})
		}
	})
}

func (r *AssignmentReconciler) onConfiguration(ctx context.Context, c change[*v1alpha1.BGPConfiguration], q assignmentQueue) {
	if c.updated() && c.old.Generation == c.new.Generation && c.old.UID == c.new.UID {
		return
	}
	r.change(ctx, func(*ledger, time.Time) { q.Add(assignmentKey{task: taskConfigure}) })
}

// onReport notes that a node does not list an address any more.
func (r *AssignmentReconciler) onReport(ctx context.Context, c change[*v1alpha1.BGPNode], _ assignmentQueue) {
	r.change(ctx, func(l *ledger, now time.Time) {
		if len(l.listed) == 0 {
			return
		}
		var lists map[netip.Addr]bool
		if !c.deleted {
			lists = listedBy(c.new)
		}
		for address, nodes := range l.listed {
			if lists[address] {
				continue
			}
			delete(nodes, c.object().Name)
			if len(nodes) == 0 {
				delete(l.listed, address)
				l.table.SetListed(address, false, now)
			}
		}
	})
}

// listedBy returns the addresses of Services that Herald may assign and whose host routes a node lists.
func listedBy(node *v1alpha1.BGPNode) map[netip.Addr]bool {
	listed := map[netip.Addr]bool{}
	for _, a := range node.Status.Advertisements {
		if a.Kind != v1alpha1.KindExternalIP && a.Kind != v1alpha1.KindLoadBalancerIP {
			continue
		}
		if prefix, err := netip.ParsePrefix(a.Prefix); err == nil && prefix.IsSingleIP() {
			listed[prefix.Addr()] = true
		}
	}
	return listed
}

// onDeployment notes that Herald's own Deployment goes, or is back. One that never was there, such as in a manager that runs
// outside of the cluster, is no sign of anything.
func (r *AssignmentReconciler) onDeployment(ctx context.Context, c change[*appsv1.Deployment], q assignmentQueue) {
	own := types.NamespacedName{Namespace: r.Namespace, Name: r.Deployment}
	if object := c.object(); object.Namespace != own.Namespace || object.Name != own.Name {
		return
	}
	r.change(ctx, func(*ledger, time.Time) { q.Add(assignmentKey{task: taskRemoval}) })
}
