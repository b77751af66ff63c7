package controllers

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/liveness"
)

// livenessInterval is the time between two looks for agents that fell silent or came: so much later than it could be known
// is it told.
const livenessInterval = time.Second

// Reads says what the manager's cache has to hold for the status besides clustercache.Objects.
//
// Of the agents' Leases it keeps a name and a time. At 5,000 nodes, of which 500 a second renew theirs, the leader, and it
// alone, takes in 500 watch events of 700 bytes (protobuf): 350 kB/s. Decoding and noting one takes 2 µs and 1.9 KiB of
// garbage (BenchmarkRenewal): a thousandth of a core, before what HTTP and the informer add. What it keeps is 4 MiB. To the API
// server and etcd the renewals are 500 small writes a second, as many again as the kubelets make with their own Leases.
func (r *StatusReconciler) Reads() map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&v1alpha1.BGPNode{}: {Transform: cache.TransformStripManagedFields()},
		&coordinationv1.Lease{}: {
			Namespaces: map[string]cache.Config{r.Namespace: {}},
			Label:      labels.SelectorFromSet(labels.Set{"app.kubernetes.io/name": "herald", "app.kubernetes.io/component": "agent"}),
			Transform:  keepRenewal,
		},
	}
}

// keepRenewal leaves of a Lease what the cache needs to tell it from others, and its renewal.
func keepRenewal(object any) (any, error) {
	lease, ok := object.(*coordinationv1.Lease)
	if !ok {
		return nil, fmt.Errorf("transform %T: not a Lease", object)
	}
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: lease.Namespace, Name: lease.Name, UID: lease.UID, ResourceVersion: lease.ResourceVersion,
		},
		Spec: coordinationv1.LeaseSpec{RenewTime: lease.Spec.RenewTime},
	}, nil
}

// onLease takes an agent's sign of life. It wakes nobody: Changes tells of what matters.
func (r *StatusReconciler) onLease(_ context.Context, c change[*coordinationv1.Lease], _ queue) {
	switch {
	case c.deleted:
		r.agents.Gone(c.old.Name)
	case c.new.Spec.RenewTime != nil:
		r.agents.Heard(c.new.Name, c.new.Spec.RenewTime.Time, time.Now())
	}
}

// agentChanges calls a function with the nodes whose agents fell silent or came, as a source of events. There is one ticker
// for all agents.
func agentChanges(agents *liveness.Agents, changed func(context.Context, []string, queue)) source.TypedSource[statusKey] {
	return source.TypedFunc[statusKey](func(ctx context.Context, q queue) error {
		go func() {
			ticker := time.NewTicker(livenessInterval)
			defer ticker.Stop()
			for {
				if nodes := agents.Changes(time.Now()); len(nodes) > 0 {
					changed(ctx, nodes, q)
				}
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
			}
		}()
		return nil
	})
}
