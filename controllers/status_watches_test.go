package controllers

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/metrics"
)

func overlay(name, rack string) *v1alpha1.BGPConfiguration {
	c := &v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1}}
	c.Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"rack": rack}}
	return c
}

// edited is an object after a change.
func edited[T client.Object](object T, edit func(T)) T {
	copied, _ := object.DeepCopyObject().(T)
	edit(copied)
	return copied
}

// Each change wakes the objects that it may concern, and what changes all the time wakes nobody.
func TestWhomAChangeWakes(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1", Labels: map[string]string{"rack": "a"}}}
	peer := &v1alpha1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "peer-1", Generation: 1, ResourceVersion: "7"}}
	pool := &v1alpha1.ExternalIPPool{ObjectMeta: metav1.ObjectMeta{Name: "pool", Generation: 1}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "herald-system", Name: "tor"}, Data: map[string][]byte{"password": []byte("x")}}
	cidr := &networkingv1.ServiceCIDR{ObjectMeta: metav1.ObjectMeta{Name: "kubernetes"}}
	configuration := overlay("rack-a", "a")
	bgpNode := report(0, 2, v1alpha1.SessionEstablished, 0)

	peers := []string{"BGPPeer peer-1", "BGPPeer peer-2"}
	configurations := []string{"BGPConfiguration default", "BGPConfiguration rack-a", "BGPConfiguration rack-b"}
	pools := []string{"ExternalIPPool pool"}
	onNode := []string{"BGPConfiguration default", "BGPConfiguration rack-a"}

	for name, test := range map[string]struct {
		old, new client.Object
		want     []string
	}{
		"a peer's spec changes":                  {old: peer, new: edited(peer, func(p *v1alpha1.BGPPeer) { p.Generation = 2 }), want: slices.Concat(configurations, peers)},
		"a peer is gone":                         {old: edited(peer, func(p *v1alpha1.BGPPeer) { p.Name = "gone" }), want: slices.Concat(configurations, []string{"BGPPeer gone"}, peers)},
		"a peer's status is written here":        {old: edited(peer, func(p *v1alpha1.BGPPeer) { p.ResourceVersion = "6" }), new: peer},
		"a peer's status is written by somebody": {old: peer, new: edited(peer, func(p *v1alpha1.BGPPeer) { p.ResourceVersion = "8" }), want: peers[:1]},
		"a configuration's spec changes": {
			old:  configuration,
			new:  edited(configuration, func(c *v1alpha1.BGPConfiguration) { c.Generation = 2 }),
			want: slices.Concat(configurations, peers, pools),
		},
		"a pool is created": {new: pool, want: pools},
		"a pool is being deleted": {
			old: pool, new: edited(pool, func(p *v1alpha1.ExternalIPPool) { p.ResourceVersion, p.DeletionTimestamp = "2", &metav1.Time{} }), want: pools,
		},
		"a node is created":           {new: node, want: slices.Concat(configurations, peers, pools)},
		"a node's labels change":      {old: node, new: edited(node, func(n *corev1.Node) { n.Labels = nil }), want: slices.Concat(configurations, peers, pools)},
		"a node's heartbeat":          {old: node, new: edited(node, func(n *corev1.Node) { n.Status.Phase = "x"; n.ResourceVersion = "2" })},
		"a node is gone":              {old: node, want: slices.Concat(configurations, peers, pools)},
		"a Secret loses a key":        {old: secret, new: edited(secret, func(s *corev1.Secret) { s.Data = nil }), want: peers},
		"a Secret's value goes":       {old: secret, new: edited(secret, func(s *corev1.Secret) { s.Data["password"] = nil }), want: peers},
		"a Secret changes its type":   {old: secret, new: edited(secret, func(s *corev1.Secret) { s.Type = corev1.SecretTypeTLS }), want: peers},
		"a Secret's value changes":    {old: secret, new: edited(secret, func(s *corev1.Secret) { s.ResourceVersion = "2" })},
		"a Secret of somebody else's": {new: edited(secret, func(s *corev1.Secret) { s.Namespace = "default" })},
		"a ServiceCIDR is created":    {new: cidr, want: slices.Concat(configurations, pools)},
		"a ServiceCIDR gets a second family": {
			old: cidr, new: edited(cidr, func(c *networkingv1.ServiceCIDR) { c.Spec.CIDRs = []string{"10.49.0.0/16", "fd00:49::/112"} }),
			want: slices.Concat(configurations, pools),
		},
		"a ServiceCIDR's status":            {old: cidr, new: edited(cidr, func(c *networkingv1.ServiceCIDR) { c.ResourceVersion = "2" })},
		"a node reports for the first time": {new: bgpNode, want: slices.Concat(onNode, peers)},
		"one session of a node changes": {
			old:  bgpNode,
			new:  edited(bgpNode, func(n *v1alpha1.BGPNode) { n.Status.Sessions[1].State = v1alpha1.SessionActive }),
			want: slices.Concat(onNode, peers[1:]),
		},
		"a node's session is gone": {
			old:  bgpNode,
			new:  edited(bgpNode, func(n *v1alpha1.BGPNode) { n.Status.Sessions = n.Status.Sessions[1:] }),
			want: slices.Concat(onNode, peers[:1]),
		},
		"a node's routes change":        {old: bgpNode, new: edited(bgpNode, func(n *v1alpha1.BGPNode) { n.Status.Routes.IPv4 = 9 }), want: onNode},
		"a node's router ID changes":    {old: bgpNode, new: edited(bgpNode, func(n *v1alpha1.BGPNode) { n.Status.RouterID = "1.2.3.4" }), want: configurations},
		"a node reports the same again": {old: bgpNode, new: edited(bgpNode, func(n *v1alpha1.BGPNode) { n.ResourceVersion = "2" })},
		"a BGPNode is gone":             {old: bgpNode, want: slices.Concat(onNode, peers)},
		"a node without a Node reports": {
			new:  edited(bgpNode, func(n *v1alpha1.BGPNode) { n.Name, n.Status.Sessions = "stray", nil }),
			want: []string{"BGPConfiguration default"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			second := edited(peer, func(p *v1alpha1.BGPPeer) { p.Name = "peer-2" })
			base := &v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
			c := fake.NewClientBuilder().WithScheme(testScheme(t)).
				WithObjects(node, edited(peer, func(*v1alpha1.BGPPeer) {}), second, pool, base, configuration, overlay("rack-b", "b")).Build()
			r := &StatusReconciler{Namespace: "herald-system"}
			registry := prometheus.NewRegistry()
			r.init(c, metrics.NewManager(registry, r.agents.Silent), NewEventWriter(c, registry))
			r.book.wrote(statusKey{kindPeer, "peer-1"}, peer)
			q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[statusKey]())
			tell(t, r, test.old, test.new, q)
			if diff := cmp.Diff(test.want, woken(q)); diff != "" {
				t.Errorf("woken are (-want +got):\n%s", diff)
			}
		})
	}
}

// tell passes a change to the handler of its kind, as the informer does.
func tell(t *testing.T, r *StatusReconciler, before, after client.Object, q queue) {
	t.Helper()
	kind := after
	if after == nil {
		kind = before
	}
	for _, w := range r.watches() {
		if reflect.TypeOf(w.kind) == reflect.TypeOf(kind) {
			send(t, w.handler, before, after, q)
			return
		}
	}
	t.Fatalf("no %T is watched", kind)
}

func send[K comparable](
	t *testing.T, h handler.TypedEventHandler[client.Object, K], before, after client.Object, q workqueue.TypedRateLimitingInterface[K],
) {
	t.Helper()
	switch {
	case before == nil:
		h.Create(t.Context(), event.CreateEvent{Object: after}, q)
	case after == nil:
		h.Delete(t.Context(), event.DeleteEvent{Object: before}, q)
	default:
		h.Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, q)
	}
}

// woken returns the objects in a queue.
func woken(q queue) []string {
	var keys []string
	for q.Len() > 0 {
		key, _ := q.Get()
		keys = append(keys, key.kind+" "+key.name)
		q.Done(key)
	}
	slices.Sort(keys)
	return keys
}
