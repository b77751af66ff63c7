package controllers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/metrics"
)

// largeCluster is a cache of 5,000 nodes that holds objects as the manager's does and hands them out without a copy. What is
// written is thrown away, so that every look has something to write.
type largeCluster struct {
	client.Client
	nodes          []corev1.Node
	reports        []v1alpha1.BGPNode
	peers          []v1alpha1.BGPPeer
	configurations []v1alpha1.BGPConfiguration
}

const (
	benchNodes = 5000
	benchPeers = 4
)

func newLargeCluster() *largeCluster {
	c := &largeCluster{configurations: []v1alpha1.BGPConfiguration{{ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "default"}}}}
	for i := range benchPeers {
		c.peers = append(c.peers, v1alpha1.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: peerName(i), UID: "peer", Generation: 1},
			Spec:       v1alpha1.BGPPeerSpec{PeerIP: fmt.Sprintf("192.168.1.%d", i+1), ASNumber: 64512},
		})
	}
	for i := range benchNodes {
		c.nodes = append(c.nodes, corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: nodeName(i), Labels: map[string]string{"kubernetes.io/hostname": nodeName(i), "rack": "a"}},
			Spec:       corev1.NodeSpec{PodCIDRs: []string{fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)}},
			Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("172.16.%d.%d", i/256, i%256)},
			}},
		})
		n := report(i, benchPeers, v1alpha1.SessionEstablished, 0)
		for block := range 20 {
			n.Status.Advertisements = append(n.Status.Advertisements, v1alpha1.NodeAdvertisement{
				Prefix: fmt.Sprintf("192.168.3.%d/32", block), Kind: v1alpha1.KindExternalIP, Services: []string{"default/nginx"},
			})
		}
		c.reports = append(c.reports, *n)
	}
	return c
}

func (c *largeCluster) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch l := list.(type) {
	case *corev1.NodeList:
		l.Items = append(l.Items, c.nodes...)
	case *v1alpha1.BGPNodeList:
		l.Items = append(l.Items, c.reports...)
	case *v1alpha1.BGPPeerList:
		l.Items = append(l.Items, c.peers...)
	case *v1alpha1.BGPConfigurationList:
		l.Items = append(l.Items, c.configurations...)
	}
	return nil
}

func (c *largeCluster) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	switch o := object.(type) {
	case *v1alpha1.BGPNode:
		var number int
		if _, err := fmt.Sscanf(key.Name, "node-%d", &number); err != nil {
			return err
		}
		*o = c.reports[number-1]
		return nil
	case *v1alpha1.BGPPeer:
		for _, peer := range c.peers {
			if peer.Name == key.Name {
				*o = peer
				return nil
			}
		}
	case *v1alpha1.BGPConfiguration:
		*o = c.configurations[0]
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (c *largeCluster) Status() client.SubResourceWriter { return discard{} }

// discard takes status patches and forgets them.
type discard struct{ client.SubResourceWriter }

func (discard) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return nil
}

// What one change costs at 5,000 nodes with 4 sessions each: one BGPNode changes, and one object is computed and written.
func BenchmarkReconcile(b *testing.B) {
	c := newLargeCluster()
	r := &StatusReconciler{Namespace: "herald-system"}
	registry := prometheus.NewRegistry()
	r.init(c, metrics.NewManager(registry, func() int { return 0 }), NewEventWriter(c, registry))
	for i := range benchNodes {
		r.agents.Heard(nodeName(i), time.Now(), time.Now())
	}
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[statusKey]())
	states := []v1alpha1.SessionState{v1alpha1.SessionActive, v1alpha1.SessionEstablished}

	turn := 0
	reconcile := func(b *testing.B, key statusKey) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			turn++
			before, after := c.reports[turn%benchNodes], report(turn%benchNodes, benchPeers, states[turn%2], 1)
			c.reports[turn%benchNodes] = *after
			r.onReport(b.Context(), change[*v1alpha1.BGPNode]{old: &before, new: after}, q)
			r.book.forget(key) // Its time has come.
			if _, err := r.Reconcile(b.Context(), key); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("BGPPeer", func(b *testing.B) { reconcile(b, statusKey{kindPeer, peerName(0)}) })
	b.Run("BGPConfiguration", func(b *testing.B) { reconcile(b, statusKey{kindConfiguration, "default"}) })
	// What a change of a Node, a BGPPeer or a BGPConfiguration costs on top.
	b.Run("ReadEverything", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.view.markEverything()
			if err := r.view.look(b.Context(), func(*picture) {}); err != nil {
				b.Fatal(err)
			}
		}
	})
	// A look at the routes of all nodes, for the events on Services.
	b.Run("Routes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := r.view.look(b.Context(), func(p *picture) { r.news.routes.tracker.Observe(p.nodes) }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What an agent's sign of life costs the leader: a watch event with its Lease, from the wire to the book of agents.
func BenchmarkRenewal(b *testing.B) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		b.Fatal(err)
	}
	lease := renewedLease()
	wire, err := lease.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	r := &StatusReconciler{}
	b.ReportAllocs()
	defer func() { b.ReportMetric(float64(len(wire)), "wire-bytes/op") }()
	for b.Loop() {
		got := &coordinationv1.Lease{}
		if err := got.Unmarshal(wire); err != nil {
			b.Fatal(err)
		}
		kept, err := keepRenewal(got)
		if err != nil {
			b.Fatal(err)
		}
		r.onLease(b.Context(), change[*coordinationv1.Lease]{new: kept.(*coordinationv1.Lease)}, nil)
	}
}

// renewedLease is a Lease as the API server has it after an agent renewed it.
func renewedLease() *coordinationv1.Lease {
	fields := `{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/component":{},"f:app.kubernetes.io/name":{}},` +
		`"f:ownerReferences":{".":{},"k:{\"uid\":\"0d6a4b52-6f0d-4f8f-9f0a-2f6d7f6c1a11\"}":{}}},` +
		`"f:spec":{"f:holderIdentity":{},"f:leaseDurationSeconds":{},"f:renewTime":{}}}`
	now := metav1.Now()
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: "ip-10-0-12-34.eu-central-1.compute.internal", Namespace: "herald-system",
			UID: "5b1cbb1e-4c4e-44a3-9b9d-0d6a4b526f0d", ResourceVersion: "123456789", CreationTimestamp: now,
			Labels: map[string]string{"app.kubernetes.io/name": "herald", "app.kubernetes.io/component": "agent"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "Node", Name: "ip-10-0-12-34.eu-central-1.compute.internal", UID: "0d6a4b52-6f0d-4f8f-9f0a-2f6d7f6c1a11",
			}},
			ManagedFields: []metav1.ManagedFieldsEntry{{
				Manager: "agent", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "coordination.k8s.io/v1",
				Time: &now, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
			}},
		},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("ip-10-0-12-34.eu-central-1.compute.internal"), LeaseDurationSeconds: new(int32(40)),
			RenewTime: &metav1.MicroTime{Time: time.Now()},
		},
	}
}
