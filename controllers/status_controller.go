package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/liveness"
	"github.com/herald-network/herald/internal/metrics"
)

const (
	// lookInterval is the least time between two computations of one object's status, writeInterval between two writes of it.
	lookInterval  = 100 * time.Millisecond
	writeInterval = time.Second
	// writeTimeout bounds one write, so that a server that does not answer costs no more than that.
	writeTimeout = 5 * time.Second
	// retryAfter is the first and maxRetryAfter the longest time before a write that failed is tried again.
	retryAfter, maxRetryAfter = time.Second, 30 * time.Second
	// writers is how many statuses are written at the same time.
	writers = 4
)

// StatusReconciler keeps the status of every BGPPeer, BGPConfiguration and ExternalIPPool as the nodes' agents report, on
// the leader, and tells of what happens to sessions and Services in events.
//
// What it writes is bounded by the number of these objects, and not by what happens in the cluster: the first change of a
// status goes out at once, then at most one write a second for each object, and none where nothing changed. However much
// happens in between, the last state is written.
//
// What it costs is bounded too: a change on a node touches that node in the view and wakes the objects that it is about; one
// status is computed at a time, by a look at all nodes, and at most ten times a second for each object.
type StatusReconciler struct {
	// Namespace is Herald's own, where agents' Leases and the Secrets of passwords are.
	Namespace string
	// Registry takes the metrics; nil for controller-runtime's own registry.
	Registry prometheus.Registerer
	// Usage knows how much of each ExternalIPPool is in use; nil where nobody does, so that the counts in the status stay.
	Usage PoolUsage

	client  client.Client
	agents  liveness.Agents
	view    *view
	book    book
	news    *newsWatch
	metrics *metrics.Manager
}

// statusKey is an object whose status is kept.
type statusKey struct{ kind, name string }

// The kinds of objects whose status is kept.
const (
	kindPeer          = intent.KindBGPPeer
	kindConfiguration = intent.KindBGPConfiguration
	kindPool          = "ExternalIPPool"
)

// SetupWithManager registers the reconciler. The manager's cache has to hold what Reads says, and its scheme has to know
// core/v1, discovery.k8s.io/v1, networking.k8s.io/v1, coordination.k8s.io/v1, events.k8s.io/v1 and Herald's API. Events are
// the process's, shared with whoever else has news.
func (r *StatusReconciler) SetupWithManager(mgr ctrl.Manager, events *EventWriter) error {
	registry := r.Registry
	if registry == nil {
		registry = ctrlmetrics.Registry
	}
	r.init(mgr.GetClient(), metrics.NewManager(registry, r.agents.Silent), events)
	if err := mgr.Add(r.news); err != nil {
		return fmt.Errorf("set up the status of BGPPeers: %w", err)
	}
	b := builder.TypedControllerManagedBy[statusKey](mgr).
		Named("status").
		WithOptions(statusOptions()).
		WithLogConstructor(func(key *statusKey) logr.Logger {
			if key == nil {
				return mgr.GetLogger().WithName("status")
			}
			return mgr.GetLogger().WithName("status").WithValues(key.kind, key.name)
		})
	for _, w := range r.watches() {
		b.Watches(w.kind, w.handler)
	}
	for _, s := range r.sources() {
		b.WatchesRawSource(s)
	}
	return b.Complete(r)
}

// sources are where signs of change come from that are not of objects.
func (r *StatusReconciler) sources() []source.TypedSource[statusKey] {
	sources := []source.TypedSource[statusKey]{agentChanges(&r.agents, r.agentsChanged)}
	if r.Usage != nil {
		sources = append(sources, usageChanges(r.Usage))
	}
	return sources
}

// statusOptions are those of the controller, whatever it runs in.
func statusOptions() controller.TypedOptions[statusKey] {
	return controller.TypedOptions[statusKey]{
		MaxConcurrentReconciles: writers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[statusKey](retryAfter, maxRetryAfter),
	}
}

func (r *StatusReconciler) init(c client.Client, m *metrics.Manager, events *EventWriter) {
	r.client, r.metrics = c, m
	r.view = newView(clustercache.Source{Reader: c, Namespace: r.Namespace}, &r.agents)
	r.news = newNewsWatch(c, r.view, events)
}

// Reconcile writes the status of one object, if it is not what it should be and if its time has come.
func (r *StatusReconciler) Reconcile(ctx context.Context, key statusKey) (reconcile.Result, error) {
	if rest := r.book.rest(key, time.Now()); rest > 0 {
		return reconcile.Result{RequeueAfter: rest}, nil
	}
	object, err := r.latest(ctx, key)
	if err != nil {
		return reconcile.Result{}, err
	}
	if object == nil {
		r.book.forget(key)
		r.news.forget(key)
		return reconcile.Result{}, nil
	}
	var was, is any
	err = r.view.look(ctx, func(p *picture) {
		now := time.Now()
		was, is = r.aggregate(p, object, now)
		r.news.note(p, object, now)
	})
	r.book.looked(key, time.Now())
	if err != nil || equality.Semantic.DeepEqual(was, is) {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, r.write(ctx, key, object, is)
}
