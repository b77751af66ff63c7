package clustercache_test

import (
	"context"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
	"github.com/herald-network/herald/internal/kubeobject"
)

const namespace = "herald-system"

// cached is what the cache keeps of an object.
func cached[T client.Object](t *testing.T, object T) T {
	t.Helper()
	for kind, by := range clustercache.Objects(namespace) {
		if reflect.TypeOf(kind) != reflect.TypeOf(object) {
			continue
		}
		kept, err := by.Transform(object)
		if err != nil {
			t.Fatal(err)
		}
		return kept.(T)
	}
	t.Fatalf("the cache holds no %T", object)
	return object
}

// managed has what every object of an API server has and no decision needs.
func managed(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:          name,
		Annotations:   map[string]string{corev1.LastAppliedConfigAnnotation: "{}"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
	}
}

// source reads from a cache that holds the objects as it keeps them.
func source(t *testing.T, objects ...client.Object) clustercache.Source {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	// A fake client always copies, so that a cache would not is seen by what it is asked.
	noCopies := interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			o := (&client.ListOptions{}).ApplyOptions(options)
			if o.UnsafeDisableDeepCopy == nil || !*o.UnsafeDisableDeepCopy {
				t.Errorf("%T is copied to be read", list)
			}
			return c.List(ctx, list, options...)
		},
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(noCopies).Build()
	return clustercache.Source{Reader: c, Namespace: namespace}
}

func TestNothingIsKeptThatNoDecisionNeeds(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: managed("tor"), Data: map[string][]byte{"password": []byte("hush"), "other": []byte("hush\n"), "none": nil}}
	want := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Data: map[string][]byte{"password": []byte("x"), "other": []byte("\n"), "none": nil}}
	if diff := cmp.Diff(want, cached(t, secret)); diff != "" {
		t.Errorf("a Secret's keys are kept, and of its values only whether they are fit for a password (-want +got):\n%s", diff)
	}

	node := &corev1.Node{
		ObjectMeta: managed("node-1"),
		Spec:       corev1.NodeSpec{PodCIDRs: []string{"10.48.1.0/24"}, ProviderID: "x"},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.168.1.11"}},
			Images:    []corev1.ContainerImage{{Names: []string{"many"}}},
		},
	}
	node.Labels = map[string]string{"rack": "a"}
	if diff := cmp.Diff(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "node-1", Labels: map[string]string{"rack": "a"}},
		Spec:       corev1.NodeSpec{PodCIDRs: node.Spec.PodCIDRs},
		Status:     corev1.NodeStatus{Addresses: node.Status.Addresses},
	}, cached(t, node)); diff != "" {
		t.Errorf("a Node (-want +got):\n%s", diff)
	}

	space := &corev1.Namespace{
		ObjectMeta: managed("shop"),
		Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"kubernetes"}},
		Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
	}
	space.Labels, space.DeletionTimestamp = map[string]string{"team": "a"}, new(metav1.Unix(1, 0))
	if diff := cmp.Diff(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "shop", Labels: map[string]string{"team": "a"}, DeletionTimestamp: new(metav1.Unix(1, 0)),
	}}, cached(t, space)); diff != "" {
		t.Errorf("a Namespace (-want +got):\n%s", diff)
	}

	peer := &v1alpha1.BGPPeer{ObjectMeta: managed("tor"), Spec: v1alpha1.BGPPeerSpec{PeerIP: "192.168.1.1"}}
	if kept := cached(t, peer); kept.ManagedFields != nil || kept.Spec.PeerIP == "" {
		t.Errorf("a BGPPeer became %+v", kept)
	}
}

// TestSelectorsOfServicesAreKeptWhereTheyDecide: with whom an address may be shared.
func TestSelectorsOfServicesAreKeptWhereTheyDecide(t *testing.T) {
	for key, kept := range map[string]bool{
		"herald.network/shared-address":       true,
		"metallb.universe.tf/allow-shared-ip": true,
		"metallb.io/allow-shared-ip":          true,
		"lbipam.cilium.io/sharing-key":        true,
		"io.cilium/lb-ipam-sharing-key":       true,
		"herald.network/addresses":            false,
		"example.org/shared-address":          false,
		corev1.LastAppliedConfigAnnotation:    false,
	} {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{key: "192.168.3.180"}},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}},
		}
		if selector := cached(t, service).Spec.Selector; (selector != nil) != kept {
			t.Errorf("with the annotation %s the cache keeps the selector %v", key, selector)
		}
	}
}

func TestAStateHoldsWhatTheCacheHolds(t *testing.T) {
	elsewhere := cached(t, &corev1.Secret{ObjectMeta: managed("other"), Data: map[string][]byte{"password": nil}})
	elsewhere.Namespace = "default"
	tor := cached(t, &corev1.Secret{ObjectMeta: managed("tor"), Type: "example.com/one", Data: map[string][]byte{"password": {1}, "b": nil}})
	tor.Namespace = namespace
	ranges := &networkingv1.ServiceCIDR{ObjectMeta: managed("kubernetes")}
	ranges.Spec.CIDRs = []string{"10.49.0.0/16", "fd00:10:49::/108"}

	state, err := source(t,
		cached(t, &corev1.Node{
			ObjectMeta: managed("node-1"),
			Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.168.1.11"}}},
		}),
		cached(t, &v1alpha1.BGPPeer{ObjectMeta: managed("tor")}),
		cached(t, &v1alpha1.BGPConfiguration{ObjectMeta: managed("default")}),
		cached(t, &v1alpha1.ExternalIPPool{ObjectMeta: managed("external")}),
		cached(t, ranges), tor, elsewhere,
	).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]intent.Node{{Name: "node-1", InternalIPs: []netip.Addr{netip.MustParseAddr("192.168.1.11")}}},
		state.Nodes, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]password.Secret{"tor": {Type: "example.com/one", Data: map[string][]byte{"password": []byte("x"), "b": nil}}}, state.Secrets); diff != "" {
		t.Errorf("the Secrets in Herald's own namespace (-want +got):\n%s", diff)
	}
	cidrs := []netip.Prefix{netip.MustParsePrefix("10.49.0.0/16"), netip.MustParsePrefix("fd00:10:49::/108")}
	if diff := cmp.Diff(cidrs, state.ServiceCIDRs, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("ServiceCIDRs (-want +got):\n%s", diff)
	}
	if state.Namespace != namespace {
		t.Errorf("Herald's namespace is %q", state.Namespace)
	}
	if len(state.Peers) != 1 || state.Peers[0].Name != "tor" || len(state.Pools) != 1 || state.Configuration("default") == nil {
		t.Errorf("Herald's own kinds: %+v", state)
	}
	if len(state.Services) != 0 {
		t.Errorf("it has Services, which nobody asked for: %+v", state.Services)
	}
}

func TestEndpointsOfAllSlicesGoToTheirServicesAndNodes(t *testing.T) {
	slice := func(name, service, node string) *discoveryv1.EndpointSlice {
		s := &discoveryv1.EndpointSlice{
			ObjectMeta:  managed(name),
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.48.1.9"}, NodeName: &node, Hostname: new("pod")}},
			Ports:       []discoveryv1.EndpointPort{{Port: new(int32(80))}},
		}
		s.Namespace, s.Labels = "shop", map[string]string{discoveryv1.LabelServiceName: service}
		return cached(t, s)
	}
	service := func(name, address string) *corev1.Service {
		s := &corev1.Service{ObjectMeta: managed(name), Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: address, ClusterIPs: []string{address}, Selector: map[string]string{"app": name},
		}}
		s.Namespace = "shop"
		return cached(t, s)
	}
	state, err := source(t,
		service("web", "10.49.0.1"), service("idle", "10.49.0.2"),
		slice("web-1", "web", "node-1"), slice("web-2", "web", "node-2"), slice("gone-1", "gone", "node-1"),
	).StateWithServices(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	services := map[string]cluster.Service{}
	for _, s := range state.Services {
		services[s.Key.String()] = s
	}
	if len(services) != 2 {
		t.Fatalf("Services are %v, want shop/web and shop/idle", services)
	}
	web, idle := services["shop/web"], services["shop/idle"]
	if seen := web.Endpoints.SeenFrom("node-2"); seen.Of(bgp.IPv4).Ready != 2 || seen.Of(bgp.IPv4).ReadyHere != 1 {
		t.Errorf("node-2 sees of shop/web %+v, want 2 ready endpoints, 1 of them here", seen)
	}
	if seen := idle.Endpoints.SeenFrom("node-1"); seen != (advertise.EndpointsByFamily{}) {
		t.Errorf("node-1 sees of shop/idle, which has no endpoint, %+v", seen)
	}
	if addresses := web.Spec.Addresses; len(addresses) != 1 || addresses[0].Addr != netip.MustParseAddr("10.49.0.1") {
		t.Errorf("shop/web has the addresses %v", addresses)
	}
}

// Only what is both on a Service and marked is Herald's.
func TestAddressesThatHeraldAssignedAreTold(t *testing.T) {
	service := func(name string, edit func(*corev1.Service)) *corev1.Service {
		s := &corev1.Service{ObjectMeta: managed(name)}
		s.Namespace = "shop"
		edit(s)
		return cached(t, s)
	}
	external := service("external", func(s *corev1.Service) {
		s.Annotations = map[string]string{v1alpha1.AnnotationAssigned: "192.168.3.1"}
		s.Spec.ExternalIPs = []string{"192.168.3.1", "192.168.3.9"}
	})
	balanced := service("balanced", func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.168.4.1"}, {IP: "2001:db8:4::1"}}
		s.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionAddressAssigned, Message: "192.168.4.1 from ExternalIPPool public, 2001:db8:4::1 from ExternalIPPool public",
		}}
	})
	byHand := service("by-hand", func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"192.168.3.2"} })
	words := service("words", func(s *corev1.Service) {
		s.Annotations = map[string]string{v1alpha1.AnnotationAssigned: "192.168.3.3"}
	})
	for sentence, row := range map[string]struct {
		claims kubeobject.Claims
		want   map[string][]netip.Addr
	}{
		"with load balancers of no class": {
			kubeobject.Claims{DefaultLoadBalancer: true},
			map[string][]netip.Addr{
				"shop/external": {netip.MustParseAddr("192.168.3.1")},
				"shop/balanced": {netip.MustParseAddr("192.168.4.1"), netip.MustParseAddr("2001:db8:4::1")},
			},
		},
		"without them": {kubeobject.Claims{}, map[string][]netip.Addr{"shop/external": {netip.MustParseAddr("192.168.3.1")}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			from := source(t, external, balanced, byHand, words)
			from.Claims = row.claims
			state, err := from.StateWithServices(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]netip.Addr{}
			for _, s := range state.Services {
				if s.Assigned != nil {
					got[s.Key.String()] = s.Assigned
				}
			}
			if diff := cmp.Diff(row.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("assigned (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnUnreadableCacheIsAnErrorAndNoEmptyCluster(t *testing.T) {
	empty := clustercache.Source{Reader: fake.NewClientBuilder().WithScheme(runtime.NewScheme()).Build(), Namespace: namespace}
	if _, err := empty.State(t.Context()); err == nil {
		t.Error("a cache that knows no kind was read")
	}
	if _, err := empty.StateWithServices(t.Context()); err == nil {
		t.Error("a cache that knows no kind was read")
	}
}
