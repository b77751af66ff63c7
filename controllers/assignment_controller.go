package controllers

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/kubeobject"
	"github.com/herald-network/herald/internal/metrics"
)

const (
	// assigners is how many Services are written at the same time: each costs one round trip to the API server.
	assigners = 16
	// assignAfter is the first and maxAssignAfter the longest time before a Service that failed is tried again.
	assignAfter, maxAssignAfter = 10 * time.Millisecond, 30 * time.Second
)

// Lease knows for how long nobody else can lead.
type Lease interface {
	// Remaining returns how long from now no other replica can have become the leader; 0 or less where one may lead already.
	Remaining() time.Duration
}

// AssignmentReconciler assigns addresses of ExternalIPPools to Services, on the leader.
//
//	Service, Namespace, ExternalIPPool, BGPConfiguration ──> ledger: what everybody has ──> Reconcile: decide, write ──┐
//	                                                              ^─── the API server's answer ───────────────────────┘
//
// Decisions are made one at a time, in microseconds, on the ledger, which follows every event. Writes are made outside of it,
// many at a time: one for each Service that gets an address. What a decision promises is nobody else's from then on, whether
// its write succeeds, fails, or is not heard of again.
//
// Before the first decision the ledger is filled with all Services, read from the API server itself: the cache may not have
// what a former leader wrote last. No write is made that could arrive after another replica began to lead.
type AssignmentReconciler struct {
	// Namespace is Herald's own.
	Namespace string
	// Deployment is the name of the manager's own Deployment, in Herald's namespace: once it goes, no ExternalIPPool is held
	// back from being deleted. "" where there is none.
	Deployment string
	// Claims reads from Services what they ask for.
	Claims kubeobject.Claims
	// Lease bounds every write; nil where there is only one manager ever.
	Lease Lease
	// Registry takes the metrics; nil for controller-runtime's own registry.
	Registry prometheus.Registerer

	client  client.Client
	live    client.Reader
	source  clustercache.Source
	events  *EventWriter
	metrics *metrics.Assignment
	ledger  ledger
	// queue takes what is to be done. It is set before the ledger is filled.
	queue assignmentQueue
	// finalizers is held while the finalizer of a pool is put on or taken off.
	finalizers sync.Mutex
	// leaving says that Herald is being removed.
	leaving atomic.Bool

	listeners struct {
		sync.Mutex
		tell []func(pools []string)
	}
}

type assignmentQueue = workqueue.TypedRateLimitingInterface[assignmentKey]

// assignmentKey is something to be done: about a Service, about a pool, or about all.
type assignmentKey struct {
	task            task
	namespace, name string
}

type task uint8

const (
	// taskService decides on a Service and writes what it is to have.
	taskService task = iota + 1
	// taskPool puts the finalizer on a pool, or takes it off.
	taskPool
	// taskFill reads everything, once.
	taskFill
	// taskConfigure takes over pools and blocks.
	taskConfigure
	// taskServe serves Services that wait for an address to have rested.
	taskServe
	// taskUnlist ends the rest of addresses that nodes listed when this leader began.
	taskUnlist
	// taskRemoval looks whether Herald is being removed.
	taskRemoval
)

// String returns what a log record says of the task.
func (k assignmentKey) String() string {
	switch k.task {
	case taskService:
		return "Service " + k.namespace + "/" + k.name
	case taskPool:
		return kindPool + " " + k.name
	default:
		return [...]string{taskFill: "fill", taskConfigure: "configure", taskServe: "serve", taskUnlist: "unlist", taskRemoval: "removal"}[k.task]
	}
}

// SetupWithManager registers the reconciler. The manager's cache has to hold what clustercache.Objects says, BGPNodes, and
// the Deployment. Events are the process's, shared with whoever else has news.
func (r *AssignmentReconciler) SetupWithManager(mgr ctrl.Manager, events *EventWriter) error {
	registry := r.Registry
	if registry == nil {
		registry = ctrlmetrics.Registry
	}
	r.init(mgr.GetClient(), mgr.GetAPIReader(), metrics.NewAssignment(registry, r.samplePools, r.sampleWaiting), events)
	b := builder.TypedControllerManagedBy[assignmentKey](mgr).
		Named("assignment").
		WithOptions(assignmentOptions()).
		WithLogConstructor(func(key *assignmentKey) logr.Logger {
			if key == nil {
				return mgr.GetLogger().WithName("assignment")
			}
			return mgr.GetLogger().WithName("assignment").WithValues("task", key.String())
		}).
		WatchesRawSource(source.TypedFunc[assignmentKey](r.begin))
	for _, w := range r.watches() {
		b.Watches(w.kind, w.handler)
	}
	return b.Complete(r)
}

// assignmentOptions are those of the controller, whatever it runs in. The rate limiter has no limit for all tasks together: it
// would make a burst of Services wait.
func assignmentOptions() controller.TypedOptions[assignmentKey] {
	return controller.TypedOptions[assignmentKey]{
		MaxConcurrentReconciles: assigners,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[assignmentKey](assignAfter, maxAssignAfter),
	}
}

func (r *AssignmentReconciler) init(c client.Client, live client.Reader, m *metrics.Assignment, events *EventWriter) {
	r.client, r.live, r.metrics, r.events = c, live, m, events
	r.source = clustercache.Source{Reader: c, Namespace: r.Namespace}
	r.ledger.claims = r.Claims
}

// begin has the ledger be filled. Until it is, no other task is in the queue.
func (r *AssignmentReconciler) begin(_ context.Context, q assignmentQueue) error {
	r.queue = q
	q.Add(assignmentKey{task: taskFill})
	return nil
}

// assignmentWatch is a kind that the reconciler watches, and what acts on its changes.
type assignmentWatch struct {
	kind    client.Object
	handler handler.TypedEventHandler[client.Object, assignmentKey]
}

// watches feed the ledger, which says who is to be decided on again.
func (r *AssignmentReconciler) watches() []assignmentWatch {
	watches := []assignmentWatch{
		{&corev1.Service{}, changes(r.onService)},
		{&corev1.Namespace{}, changes(r.onNamespace)},
		{&v1alpha1.ExternalIPPool{}, changes(r.onPool)},
		{&v1alpha1.BGPConfiguration{}, changes(r.onConfiguration)},
		{&v1alpha1.BGPNode{}, changes(r.onReport)},
	}
	if r.Deployment != "" {
		watches = append(watches, assignmentWatch{&appsv1.Deployment{}, changes(r.onDeployment)})
	}
	return watches
}

// Reconcile does one task.
func (r *AssignmentReconciler) Reconcile(ctx context.Context, key assignmentKey) (reconcile.Result, error) {
	switch key.task {
	case taskService:
		return r.assign(ctx, advertise.ServiceKey{Namespace: key.namespace, Name: key.name})
	case taskPool:
		return r.reconcilePool(ctx, key.name)
	case taskFill:
		return reconcile.Result{}, r.fill(ctx)
	case taskConfigure:
		return reconcile.Result{}, r.configure(ctx)
	case taskServe:
		r.change(ctx, func(*ledger, time.Time) {}) // Every change serves those that wait.
	case taskUnlist:
		r.change(ctx, (*ledger).unlistAll)
	case taskRemoval:
		return reconcile.Result{}, r.reconcileRemoval(ctx)
	}
	return reconcile.Result{}, nil
}

// configure takes over pools and blocks as they are now.
func (r *AssignmentReconciler) configure(ctx context.Context) error {
	state, err := r.source.State(ctx)
	if err != nil {
		return fmt.Errorf("read pools and blocks: %w", err)
	}
	config := ipam.ConfigOf(state)
	r.change(ctx, func(l *ledger, now time.Time) { l.configure(config, now) })
	return nil
}

// change changes the ledger, unless it is not filled yet, and sees to what follows from that.
func (r *AssignmentReconciler) change(ctx context.Context, act func(*ledger, time.Time)) {
	r.spread(ctx, r.ledger.change(act))
}

// spread has everybody be decided on again who a change touched, and tells of usage.
func (r *AssignmentReconciler) spread(ctx context.Context, e effects) {
	for _, key := range e.services {
		r.queue.Add(assignmentKey{task: taskService, namespace: key.Namespace, name: key.Name})
	}
	if !e.serve.IsZero() {
		r.queue.AddAfter(assignmentKey{task: taskServe}, time.Until(e.serve))
	}
	for pool, after := range e.idle {
		r.queue.AddAfter(assignmentKey{task: taskPool, name: pool}, after)
	}
	for _, gone := range e.gone {
		r.released(ctx, gone.key, gone.addresses, "deleted")
	}
	if len(e.usage) == 0 {
		return
	}
	r.listeners.Lock()
	tell := r.listeners.tell
	r.listeners.Unlock()
	for _, t := range tell {
		t(e.usage)
	}
}
