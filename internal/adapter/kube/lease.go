package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const leases = "leases"

// leaseDuration is after how long without a renewal an agent counts as silent.
const leaseDuration = 40 * time.Second

// Lease is a node's sign of life: a Lease of the node's name, in Herald's namespace.
type Lease struct {
	clients         *Clients
	namespace, node string
}

// Lease returns the Lease of a node.
func (c *Clients) Lease(namespace, node string) *Lease {
	return &Lease{clients: c, namespace: namespace, node: node}
}

// Renew says that the agent is alive at a time, and creates the Lease where there is none.
func (l *Lease) Renew(ctx context.Context, now time.Time) error {
	spec := coordinationv1.LeaseSpec{
		HolderIdentity:       &l.node,
		LeaseDurationSeconds: new(int32(leaseDuration / time.Second)),
		RenewTime:            &metav1.MicroTime{Time: now},
	}
	patch, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return err
	}
	err = l.clients.coordination.Patch(types.MergePatchType).Namespace(l.namespace).Resource(leases).Name(l.node).
		Body(patch).Do(ctx).Error()
	if apierrors.IsNotFound(err) {
		err = l.create(ctx, spec)
	}
	if err != nil {
		return fmt.Errorf("renew Lease %s/%s: %w", l.namespace, l.node, err)
	}
	return nil
}

func (l *Lease) create(ctx context.Context, spec coordinationv1.LeaseSpec) error {
	owner, err := l.clients.ownerReference(ctx, l.node)
	if err != nil {
		return err
	}
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name:            l.node,
			Namespace:       l.namespace,
			Labels:          map[string]string{"app.kubernetes.io/name": "herald", "app.kubernetes.io/component": "agent"},
			OwnerReferences: owner,
		},
		Spec: spec,
	}
	return l.clients.coordination.Post().Namespace(l.namespace).Resource(leases).Body(lease).Do(ctx).Error()
}
