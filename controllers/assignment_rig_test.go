package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/kubeobject"
	"github.com/herald-network/herald/internal/metrics"
)

// leaseFor is a Lease with so long to go.
type leaseFor time.Duration

func (l *leaseFor) Remaining() time.Duration { return time.Duration(*l) }

// assignmentRig is a small cluster in memory with the reconciler, for a bubble of synctest. Nothing happens by itself: the test
// says when the reconciler hears of changes, and when it works.
type assignmentRig struct {
	*testing.T
	client.Client
	reconciler *AssignmentReconciler
	queue      assignmentQueue
	lease      leaseFor
	// seen is what the reconciler was told of.
	seen map[client.ObjectKey]client.Object

	mu sync.Mutex
	// writes are those of the reconciler, without events, as "status web: PATCH"; reads are its live reads.
	writes, reads []string
	// longest is the most time that a write had.
	longest time.Duration
	// hidden are Services that the cache has not heard of.
	hidden map[string]bool
	// refuse says with what error a write is refused, and lose with what error one is answered that went through.
	refuse, lose func(write string) error
}

// newAssignmentRig is a cluster with blocks for both kinds, the pool public of LoadBalancer addresses 192.168.4.1 to .4, and
// the pool external of external addresses 192.168.3.1 to .4.
func newAssignmentRig(t *testing.T, objects ...client.Object) *assignmentRig {
	t.Helper()
	rig := &assignmentRig{T: t, seen: map[client.ObjectKey]client.Object{}, lease: leaseFor(15 * time.Second)}
	configuration := &v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "default", Generation: 1}}
	configuration.Spec.ServiceExternalIPs = []v1alpha1.Block{{CIDR: "192.168.3.0/24"}}
	configuration.Spec.ServiceLoadBalancerIPs = []v1alpha1.Block{{CIDR: "192.168.4.0/24"}}
	rig.Client = fake.NewClientBuilder().WithScheme(testScheme(t)).
		WithStatusSubresource(&corev1.Service{}, &v1alpha1.ExternalIPPool{}).
		WithObjects(configuration, poolOf("public", "192.168.4.1-192.168.4.4"), poolOf("external", "192.168.3.1-192.168.3.4")).
		WithObjects(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "default"}}).
		WithObjects(objects...).Build()
	watched, ok := rig.Client.(client.WithWatch)
	if !ok {
		t.Fatal("the fake client can't watch")
	}
	cached := func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		err := c.List(ctx, list, options...)
		if services, ok := list.(*corev1.ServiceList); ok {
			services.Items = slices.DeleteFunc(services.Items, func(s corev1.Service) bool { return rig.hidden[s.Name] })
		}
		return err
	}
	c := interceptor.NewClient(watched, interceptor.Funcs{
		List: cached,
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return rig.write(ctx, "object", object, patch, func() error { return c.Patch(ctx, object, patch, options...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			return rig.write(ctx, sub, object, patch, func() error { return c.SubResource(sub).Patch(ctx, object, patch, options...) })
		},
	})
	live := interceptor.NewClient(watched, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			rig.mu.Lock()
			rig.reads = append(rig.reads, fmt.Sprintf("%T %s", object, key.Name))
			rig.mu.Unlock()
			return c.Get(ctx, key, object, options...)
		},
	})
	registry := prometheus.NewRegistry()
	rig.reconciler = &AssignmentReconciler{
		Namespace: "herald-system", Deployment: "herald-manager", Claims: kubeobject.Claims{DefaultLoadBalancer: true}, Lease: &rig.lease,
	}
	r := rig.reconciler
	r.init(c, live, metrics.NewAssignment(registry, r.samplePools, r.sampleWaiting), NewEventWriter(watched, registry))
	rig.queue = workqueue.NewTypedRateLimitingQueue(assignmentOptions().RateLimiter)
	t.Cleanup(rig.queue.ShutDown)
	return rig
}

func poolOf(name string, addresses ...v1alpha1.AddressRange) *v1alpha1.ExternalIPPool {
	return &v1alpha1.ExternalIPPool{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1},
		Spec:       v1alpha1.ExternalIPPoolSpec{Addresses: addresses},
	}
}

// loadBalancer is a Service of type LoadBalancer.
func loadBalancer(name string, edits ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, UID: types.UID(name), CreationTimestamp: metav1.Now(), Annotations: map[string]string{},
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, ClusterIP: "10.49.0.9", ClusterIPs: []string{"10.49.0.9"},
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, IPFamilyPolicy: new(corev1.IPFamilyPolicySingleStack),
			Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}},
		},
	}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

// annotated is a Service of type ClusterIP that asks for an address in spec.externalIPs.
func annotated(name string, edits ...func(*corev1.Service)) *corev1.Service {
	return loadBalancer(name, append([]func(*corev1.Service){func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeClusterIP
		s.Annotations[v1alpha1.AnnotationAssignExternalIP] = "true"
	}}, edits...)...)
}

// asks is an edit that sets an annotation.
func asks(annotation, value string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Annotations[annotation] = value }
}

func (rig *assignmentRig) write(ctx context.Context, what string, object client.Object, patch client.Patch, do func() error) error {
	content, err := patch.Data(object)
	if err != nil {
		return err
	}
	write := fmt.Sprintf("%s %s: %s", what, object.GetName(), content)
	deadline, _ := ctx.Deadline()
	rig.mu.Lock()
	rig.writes = append(rig.writes, write)
	rig.longest = max(rig.longest, time.Until(deadline))
	refuse, lose := rig.refuse, rig.lose
	rig.mu.Unlock()
	if refuse != nil {
		if err := refuse(write); err != nil {
			return err
		}
	}
	err = do()
	if err == nil && lose != nil {
		err = lose(write)
	}
	return err
}

// took returns the reconciler's writes that begin so, since the last call for any, and forgets all.
func (rig *assignmentRig) took(prefix string) []string {
	rig.mu.Lock()
	defer rig.mu.Unlock()
	writes := slices.DeleteFunc(rig.writes, func(w string) bool { return !strings.HasPrefix(w, prefix) })
	rig.writes = nil
	return writes
}

// start fills the ledger and has everything be done.
func (rig *assignmentRig) start() {
	rig.Helper()
	if err := rig.reconciler.begin(rig.Context(), rig.queue); err != nil {
		rig.Fatal(err)
	}
	rig.work()
	rig.hear()
	rig.work()
}

// hear tells the reconciler of all changes since the last time, as the cache does.
func (rig *assignmentRig) hear() {
	rig.Helper()
	now := map[client.ObjectKey]client.Object{}
	for _, list := range []client.ObjectList{&corev1.ServiceList{}, &v1alpha1.ExternalIPPoolList{}, &v1alpha1.BGPConfigurationList{}, &corev1.NamespaceList{}, &v1alpha1.BGPNodeList{}, &appsv1.DeploymentList{}} {
		if err := rig.List(rig.Context(), list); err != nil {
			rig.Fatal(err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			now[client.ObjectKey{Namespace: fmt.Sprintf("%T/%s", object, object.GetNamespace()), Name: object.GetName()}] = object
			return nil
		})
		if err != nil {
			rig.Fatal(err)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(now), func(a, b client.ObjectKey) int { return strings.Compare(a.String(), b.String()) }) {
		before := rig.seen[key]
		if before == nil || before.GetResourceVersion() != now[key].GetResourceVersion() {
			rig.tell(before, now[key])
		}
	}
	for key, before := range rig.seen {
		if now[key] == nil {
			rig.tell(before, nil)
		}
	}
	rig.seen = now
}

func (rig *assignmentRig) tell(before, after client.Object) {
	rig.Helper()
	kind := after
	if after == nil {
		kind = before
	}
	for _, w := range rig.reconciler.watches() {
		if fmt.Sprintf("%T", w.kind) == fmt.Sprintf("%T", kind) {
			send(rig.T, w.handler, before, after, rig.queue)
		}
	}
}

// work does all tasks that are due, and those that follow from them. What fails is tried again once its time has come.
func (rig *assignmentRig) work() {
	rig.Helper()
	for synctest.Wait(); rig.queue.Len() > 0; synctest.Wait() {
		key, _ := rig.queue.Get()
		result, err := rig.reconciler.Reconcile(rig.Context(), key)
		rig.queue.Done(key)
		switch {
		case err != nil:
			rig.queue.AddRateLimited(key)
		case result.RequeueAfter > 0:
			rig.queue.Forget(key)
			rig.queue.AddAfter(key, result.RequeueAfter)
		default:
			rig.queue.Forget(key)
		}
	}
}

// settle has the reconciler hear of everything and work until there is nothing left to do now.
func (rig *assignmentRig) settle() {
	rig.Helper()
	for range 5 {
		rig.work()
		rig.hear()
	}
	rig.work()
}

// pass lets time pass in small steps, while the reconciler works.
func (rig *assignmentRig) pass(d time.Duration) {
	rig.Helper()
	const step = 100 * time.Millisecond
	for ; d > 0; d -= step {
		<-time.After(min(d, step))
		rig.hear()
		rig.work()
	}
}

// create creates Services, a second apart.
func (rig *assignmentRig) create(services ...*corev1.Service) {
	rig.Helper()
	for _, s := range services {
		s.CreationTimestamp = metav1.Now()
		if err := rig.Create(rig.Context(), s); err != nil {
			rig.Fatal(err)
		}
		<-time.After(time.Second)
	}
	rig.settle()
}

// service returns a Service as the API server has it.
func (rig *assignmentRig) service(name string) *corev1.Service {
	rig.Helper()
	s := &corev1.Service{}
	if err := rig.Get(rig.Context(), client.ObjectKey{Namespace: "default", Name: name}, s); err != nil {
		rig.Fatal(err)
	}
	return s
}

// edit changes a Service as a person does, its spec and metadata or, with editStatus, its status.
func (rig *assignmentRig) edit(name string, edit func(*corev1.Service)) {
	rig.Helper()
	s := rig.service(name)
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	edit(s)
	if err := rig.Update(rig.Context(), s); err != nil {
		rig.Fatal(err)
	}
}

func (rig *assignmentRig) editStatus(name string, edit func(*corev1.ServiceStatus)) {
	rig.Helper()
	s := rig.service(name)
	edit(&s.Status)
	if err := rig.Status().Update(rig.Context(), s); err != nil {
		rig.Fatal(err)
	}
}

// addresses returns what a Service has, of both kinds: "192.168.4.1" or "external 192.168.3.1".
func (rig *assignmentRig) addresses(name string) string {
	rig.Helper()
	s := rig.service(name)
	var all []string
	for _, text := range s.Spec.ExternalIPs {
		all = append(all, "external "+text)
	}
	for _, i := range s.Status.LoadBalancer.Ingress {
		all = append(all, i.IP+i.Hostname)
	}
	return strings.Join(all, ", ")
}

// condition returns the condition of a Service as "status reason: message"; "" for none.
func (rig *assignmentRig) condition(name string) string {
	rig.Helper()
	c := conditionOf(rig.service(name))
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
}

// pool returns a pool as the API server has it; nil where it is gone.
func (rig *assignmentRig) pool(name string) *v1alpha1.ExternalIPPool {
	rig.Helper()
	p := &v1alpha1.ExternalIPPool{}
	err := rig.Get(rig.Context(), client.ObjectKey{Name: name}, p)
	if client.IgnoreNotFound(err) != nil {
		rig.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return p
}

// isHeld reports whether a pool has Herald's finalizer.
func (rig *assignmentRig) isHeld(name string) bool {
	rig.Helper()
	return slices.Contains(rig.pool(name).Finalizers, v1alpha1.PoolFinalizer)
}

func (rig *assignmentRig) notes(reason string) []string {
	rig.Helper()
	list := &eventsv1.EventList{}
	if err := rig.List(rig.Context(), list); err != nil {
		rig.Fatal(err)
	}
	var notes []string
	for _, e := range list.Items {
		if e.Reason == reason {
			notes = append(notes, e.Type+" "+e.Regarding.Name+": "+e.Note)
		}
	}
	return notes
}

func (rig *assignmentRig) expect(name, addresses string) {
	rig.Helper()
	if got := rig.addresses(name); got != addresses {
		rig.Errorf("Service %s has %q, want %q; its condition is %q", name, got, addresses, rig.condition(name))
	}
}

var (
	errLost     = errors.New("the connection was lost")
	errConflict = apierrors.NewConflict(corev1.Resource("services"), "web", errors.New("it was changed"))
)

// once returns a fault that strikes the first write with a prefix.
func once(prefix string, err error) func(string) error {
	struck := false
	return func(write string) error {
		if struck || !strings.HasPrefix(write, prefix) {
			return nil
		}
		struck = true
		return err
	}
}
