package controllers

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/metrics"
)

func testScheme(tb testing.TB) *runtime.Scheme {
	tb.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	return scheme
}

// clusterRig is a small cluster in memory with the reconciler at work, for a bubble of synctest: nodes node-1.., peers
// peer-1.., and a session of each node with each peer.
type clusterRig struct {
	t *testing.T
	client.Client
	reconciler *StatusReconciler
	queue      queue

	mu     sync.Mutex
	writes map[string][]time.Time
	// refuse says with what error a write is refused; nil for none.
	refuse func(name string) error
	// stale are versions that the cache holds on to; silent are agents that give no sign of life.
	stale  map[string]*v1alpha1.BGPPeer
	silent map[string]bool
}

func newClusterRig(t *testing.T, nodes, peers int) *clusterRig {
	t.Helper()
	rig := &clusterRig{t: t, writes: map[string][]time.Time{}, stale: map[string]*v1alpha1.BGPPeer{}, silent: map[string]bool{}}
	b := fake.NewClientBuilder().WithScheme(testScheme(t)).
		WithStatusSubresource(&v1alpha1.BGPPeer{}, &v1alpha1.BGPConfiguration{}, &v1alpha1.ExternalIPPool{}).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: rig.patch, Get: rig.get})
	b.WithObjects(&v1alpha1.BGPConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "default", Generation: 1},
	})
	for i := range peers {
		b.WithObjects(&v1alpha1.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: peerName(i), UID: types.UID(peerName(i)), Generation: 1},
			Spec:       v1alpha1.BGPPeerSpec{PeerIP: fmt.Sprintf("192.168.1.%d", i+1), ASNumber: 64512},
		})
	}
	for i := range nodes {
		b.WithObjects(
			&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(i)}},
			report(i, peers, v1alpha1.SessionEstablished, 0),
		)
	}
	rig.Client = b.Build()
	rig.reconciler = &StatusReconciler{Namespace: "herald-system"}
	registry := prometheus.NewRegistry()
	rig.reconciler.init(rig.Client, metrics.NewManager(registry, func() int { return 0 }), NewEventWriter(rig.Client, registry))
	rig.beat(nodes)
	go func() {
		for ticker := time.NewTicker(10 * time.Second); ; {
			select {
			case <-t.Context().Done():
				ticker.Stop()
				return
			case <-ticker.C:
				rig.beat(nodes)
			}
		}
	}()
	return rig
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i+1) }
func peerName(i int) string { return fmt.Sprintf("peer-%d", i+1) }

// report is the BGPNode of a node whose sessions with all peers are in one state.
func report(node, peers int, state v1alpha1.SessionState, flaps int32) *v1alpha1.BGPNode {
	n := &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: nodeName(node)}}
	n.Status.ASNumber = 64512
	n.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "AllEstablished"}}
	for i := range peers {
		s := v1alpha1.NodeSession{Peer: peerName(i), PeerUID: types.UID(peerName(i)), PeerGeneration: 1}
		s.State, s.Flaps = state, flaps
		if flaps > 0 || state != v1alpha1.SessionEstablished {
			s.LastError = "hold timer expired"
		}
		n.Status.Sessions = append(n.Status.Sessions, s)
	}
	return n
}

func (r *clusterRig) patch(ctx context.Context, c client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
	r.mu.Lock()
	r.writes[object.GetName()] = append(r.writes[object.GetName()], time.Now())
	refuse := r.refuse
	r.mu.Unlock()
	if refuse != nil {
		if err := refuse(object.GetName()); err != nil {
			return err
		}
	}
	return c.SubResource(sub).Patch(ctx, object, patch, options...)
}

func (r *clusterRig) get(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	r.mu.Lock()
	stale := r.stale[key.Name]
	r.mu.Unlock()
	if peer, ok := object.(*v1alpha1.BGPPeer); ok && stale != nil {
		stale.DeepCopyInto(peer)
		return nil
	}
	return c.Get(ctx, key, object, options...)
}

// beat gives a sign of life of each agent that is not silent.
func (r *clusterRig) beat(nodes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range nodes {
		if !r.silent[nodeName(i)] {
			r.reconciler.agents.Heard(nodeName(i), time.Now(), time.Now())
		}
	}
}

// set changes what the rig does.
func (r *clusterRig) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// start runs the controller, the real one, until the test ends; and wakes every object as the first list does.
func (r *clusterRig) start() {
	r.t.Helper()
	options := statusOptions()
	options.Reconciler = r.reconciler
	options.SkipNameValidation = new(true)
	options.LogConstructor = func(*statusKey) logr.Logger { return logr.Discard() }
	c, err := controller.NewTypedUnmanaged("status", options)
	if err != nil {
		r.t.Fatal(err)
	}
	started := make(chan struct{})
	err = c.Watch(source.TypedFunc[statusKey](func(ctx context.Context, q queue) error {
		r.queue = q
		r.reconciler.wakeAll(ctx, q, kindPeer, kindConfiguration, kindPool)
		close(started)
		for _, s := range r.reconciler.sources() {
			if err := s.Start(ctx, q); err != nil {
				return err
			}
		}
		return nil
	}))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, run := range []func(context.Context) error{c.Start, r.reconciler.news.Start} {
		go func() {
			if err := run(r.t.Context()); err != nil {
				r.t.Error(err)
			}
		}()
	}
	<-started
	synctest.Wait()
}

// reports changes what a node reports, and tells the reconciler.
func (r *clusterRig) reports(after *v1alpha1.BGPNode) {
	r.t.Helper()
	before := &v1alpha1.BGPNode{}
	if err := r.Get(r.t.Context(), client.ObjectKey{Name: after.Name}, before); err != nil {
		r.t.Fatal(err)
	}
	after.ResourceVersion = before.ResourceVersion
	if err := r.Update(r.t.Context(), after); err != nil {
		r.t.Fatal(err)
	}
	r.reconciler.onReport(r.t.Context(), change[*v1alpha1.BGPNode]{old: before, new: after}, r.queue)
}

// pass lets time pass.
func (r *clusterRig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (r *clusterRig) peer(i int) v1alpha1.BGPPeerStatus {
	r.t.Helper()
	peer := &v1alpha1.BGPPeer{}
	if err := r.Get(r.t.Context(), client.ObjectKey{Name: peerName(i)}, peer); err != nil {
		r.t.Fatal(err)
	}
	return peer.Status
}

func (r *clusterRig) written(name string) []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes[name]
}

func (r *clusterRig) eventsOf(reason string) []eventsv1.Event {
	r.t.Helper()
	list := &eventsv1.EventList{}
	if err := r.List(r.t.Context(), list); err != nil {
		r.t.Fatal(err)
	}
	var of []eventsv1.Event
	for _, e := range list.Items {
		if e.Reason == reason {
			of = append(of, e)
		}
	}
	return of
}
