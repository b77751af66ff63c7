package manager_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/controllers"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

const heraldNamespace = "herald-system"

// rack is a cluster whose nodes and agents the test plays, with the manager's reconcilers at work.
type rack struct {
	*testing.T
	*WithT
	server *apiserver.Server
	client client.Client
}

func newRack(t *testing.T, with ...func(*controllers.StatusReconciler)) *rack {
	t.Helper()
	r := &rack{T: t, WithT: NewWithT(t), server: apiserver.Start(t)}
	r.SetDefaultEventuallyTimeout(10 * time.Second)
	r.SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	r.SetDefaultConsistentlyDuration(3 * time.Second)
	scheme := runtime.NewScheme()
	r.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	r.Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	var err error
	r.client, err = client.New(r.server.Config, client.Options{Scheme: scheme})
	r.Expect(err).NotTo(HaveOccurred())
	r.kubectl("create", "namespace", heraldNamespace)
	status := &controllers.StatusReconciler{Namespace: heraldNamespace, Registry: prometheus.NewRegistry()}
	for _, edit := range with {
		edit(status)
	}
	r.startStatus(scheme, status)
	return r
}

func (r *rack) startStatus(scheme *runtime.Scheme, status *controllers.StatusReconciler) {
	r.Helper()
	reads := clustercache.Objects(heraldNamespace)
	maps.Copy(reads, status.Reads())
	mgr, err := ctrl.NewManager(r.server.Config, ctrl.Options{
		Scheme:     scheme,
		Logger:     testr.New(r.T),
		Cache:      cache.Options{ByObject: reads},
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)}, // Each test has its own.
		Metrics:    metricsserver.Options{BindAddress: "0"},
	})
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(status.SetupWithManager(mgr, controllers.NewEventWriter(mgr.GetClient(), status.Registry))).To(Succeed())
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	r.Cleanup(func() {
		cancel()
		r.Expect(<-ended).To(Succeed())
	})
}

func (r *rack) kubectl(args ...string) string {
	r.Helper()
	return strings.TrimSpace(r.server.MustKubectl(r.T, "", args...))
}

func (r *rack) apply(manifest string) {
	r.Helper()
	r.server.MustKubectl(r.T, manifest, "apply", "-f", "-")
}

// columns returns what kubectl prints of an object, without the header and the age.
func (r *rack) columns(resource, name string) func() string {
	return func() string {
		fields := strings.Fields(r.kubectl("get", resource, name, "--no-headers"))
		return strings.Join(fields[:len(fields)-1], " ")
	}
}

// condition returns a condition of an object as "status reason: message".
func (r *rack) condition(resource, name, conditionType string) func() string {
	return func() string {
		return r.kubectl("get", resource, name, "-o",
			fmt.Sprintf(`jsonpath={range .status.conditions[?(@.type=="%s")]}{.status} {.reason}: {.message}{end}`, conditionType))
	}
}

func (r *rack) version(resource, name string) func() string {
	return func() string { return r.kubectl("get", resource, name, "-o", "jsonpath={.metadata.resourceVersion}") }
}

// node makes a Node.
func (r *rack) node(number int) {
	r.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(number), Labels: map[string]string{"rack": "a"}}}
	r.Expect(r.client.Create(r.Context(), node)).To(Succeed())
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.168.1.%d", 10+number)}}
	r.Expect(r.client.Status().Update(r.Context(), node)).To(Succeed())
}

func nodeName(number int) string { return fmt.Sprintf("node-%d", number) }

// beat gives an agent's sign of life, as the agent writes it. Its clock is a minute behind.
func (r *rack) beat(number int) {
	r.Helper()
	key := client.ObjectKey{Namespace: heraldNamespace, Name: nodeName(number)}
	spec := coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: time.Now().Add(-time.Minute)}}
	lease := &coordinationv1.Lease{}
	if r.client.Get(r.Context(), key, lease) == nil {
		lease.Spec = spec
		r.Expect(r.client.Update(r.Context(), lease)).To(Succeed())
		return
	}
	lease = &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name,
			Labels: map[string]string{"app.kubernetes.io/name": "herald", "app.kubernetes.io/component": "agent"},
		},
		Spec: spec,
	}
	r.Expect(r.client.Create(r.Context(), lease)).To(Succeed())
}

// reports has an agent write the status of its BGPNode: an established session with each BGPPeer, as it is now.
func (r *rack) reports(number int, edits ...func(*v1alpha1.BGPNodeStatus)) {
	r.Helper()
	var peers v1alpha1.BGPPeerList
	r.Expect(r.client.List(r.Context(), &peers)).To(Succeed())
	status := v1alpha1.BGPNodeStatus{
		ASNumber: 64512, RouterID: fmt.Sprintf("192.168.1.%d", 10+number),
		Conditions: []metav1.Condition{{
			Type: "Ready", Status: metav1.ConditionTrue, Reason: "AllEstablished", LastTransitionTime: metav1.Now(),
		}},
		Routes:         v1alpha1.RouteCounts{IPv4: 1},
		Advertisements: []v1alpha1.NodeAdvertisement{{Prefix: "10.49.0.0/16", Kind: v1alpha1.KindClusterIP}},
	}
	for _, p := range peers.Items {
		s := v1alpha1.NodeSession{Peer: p.Name, PeerUID: p.UID, PeerGeneration: p.Generation, AddressFamilies: []v1alpha1.AddressFamily{v1alpha1.IPv4}}
		s.State, s.Since, s.Advertised = v1alpha1.SessionEstablished, metav1.Now(), 1
		status.Sessions = append(status.Sessions, s)
	}
	for _, edit := range edits {
		edit(&status)
	}
	node := &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: nodeName(number)}}
	if r.client.Get(r.Context(), client.ObjectKeyFromObject(node), node) != nil {
		r.Expect(r.client.Create(r.Context(), node)).To(Succeed())
	}
	node.Status = status
	r.Expect(r.client.Status().Update(r.Context(), node)).To(Succeed())
}

// down makes the session with a peer one that was lost.
func down(peer, cause string) func(*v1alpha1.BGPNodeStatus) {
	return func(status *v1alpha1.BGPNodeStatus) {
		for i := range status.Sessions {
			s := &status.Sessions[i]
			if s.Peer == peer {
				s.State, s.LastError, s.Flaps, s.Advertised = v1alpha1.SessionActive, cause, 1, 0
				s.AddressFamilies = nil
			}
		}
	}
}

// events returns the notes of the events of a reason.
func (r *rack) events(reason string) func() []string {
	return func() []string {
		text := r.kubectl("get", "events", "-A", "--field-selector", "reason="+reason, "-o",
			`jsonpath={range .items[*]}{.involvedObject.kind}/{.involvedObject.name}: {.message}{"\n"}{end}`)
		return strings.FieldsFunc(text, func(c rune) bool { return c == '\n' })
	}
}
