package assignment_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/controllers"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/kubeobject"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

const heraldNamespace = "herald-system"

// cluster is an API server with a manager's reconcilers at work.
type cluster struct {
	*testing.T
	server *apiserver.Server
	scheme *runtime.Scheme
	client client.Client
	// requests are those that the manager made, without watches and lists.
	requests *requests
	stop     func()
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t, server: apiserver.StartDualStack(t), scheme: runtime.NewScheme(), requests: &requests{}}
	g := NewWithT(t)
	g.Expect(clientgoscheme.AddToScheme(c.scheme)).To(Succeed())
	g.Expect(v1alpha1.AddToScheme(c.scheme)).To(Succeed())
	var err error
	c.client, err = client.New(c.server.Config, client.Options{Scheme: c.scheme})
	g.Expect(err).NotTo(HaveOccurred())
	c.server.MustKubectl(t, "", "create", "namespace", heraldNamespace)
	c.server.MustKubectl(t, `
apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata: {name: default}
spec:
  serviceExternalIPs: [{cidr: 192.168.0.0/17}, {cidr: "2001:db8:3::/48"}]
  serviceLoadBalancerIPs: [{cidr: 192.168.0.0/17}, {cidr: "2001:db8:3::/48"}]
`, "apply", "-f", "-")
	t.Cleanup(func() { c.stop() })
	c.start()
	return c
}

// start starts the manager.
func (c *cluster) start() {
	c.Helper()
	g := NewWithT(c.T)
	registry := prometheus.NewRegistry()
	assignment := &controllers.AssignmentReconciler{
		Namespace: heraldNamespace, Registry: registry, Claims: kubeobject.Claims{DefaultLoadBalancer: true},
	}
	status := &controllers.StatusReconciler{Namespace: heraldNamespace, Registry: registry, Usage: assignment}
	reads := clustercache.Objects(heraldNamespace)
	maps.Copy(reads, status.Reads())
	config := rest.CopyConfig(c.server.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{next: next, requests: c.requests} })
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:     c.scheme,
		Logger:     testr.New(c.T),
		Cache:      cache.Options{ByObject: reads},
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)}, // Each manager has its own.
		Metrics:    metricsserver.Options{BindAddress: "0"},
	})
	g.Expect(err).NotTo(HaveOccurred())
	events := controllers.NewEventWriter(mgr.GetClient(), registry)
	g.Expect(status.SetupWithManager(mgr, events)).To(Succeed())
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
	g.Expect(assignment.SetupWithManager(mgr, events)).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		NewWithT(c.T).Expect(<-ended).To(Succeed())
	})
}

// requests are the requests that a manager made for single objects, as "PATCH /api/v1/...".
type requests struct {
	mu  sync.Mutex
	all []string
}

// about returns those whose path contains a text.
func (r *requests) about(text string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.all), func(request string) bool { return !strings.Contains(request, text) })
}

type counting struct {
	next     http.RoundTripper
	requests *requests
}

func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet || !strings.Contains(request.URL.RawQuery, "watch") {
		c.requests.mu.Lock()
		c.requests.all = append(c.requests.all, request.Method+" "+request.URL.Path)
		c.requests.mu.Unlock()
	}
	return c.next.RoundTrip(request)
}

// story is one test in a namespace of its own, with pools for that namespace alone.
type story struct {
	*testing.T
	*WithT
	*cluster
	namespace string
}

func (c *cluster) story(t *testing.T, namespace string) *story {
	t.Helper()
	s := &story{T: t, WithT: NewWithT(t), cluster: c, namespace: namespace}
	s.SetDefaultEventuallyTimeout(10 * time.Second)
	s.SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	s.Expect(c.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
	return s
}

// pool makes an ExternalIPPool for the Services of the story, named after its namespace.
func (s *story) pool(suffix string, addresses ...v1alpha1.AddressRange) {
	s.Helper()
	pool := &v1alpha1.ExternalIPPool{ObjectMeta: metav1.ObjectMeta{Name: s.namespace + suffix}}
	pool.Spec.Addresses = addresses
	pool.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.namespace}}
	s.Expect(s.client.Create(s.Context(), pool)).To(Succeed())
	s.Eventually(s.columns(suffix)).ShouldNot(BeEmpty(), "the manager knows the pool once it counts its addresses")
}

// columns returns what kubectl prints of a pool: all its addresses, those assigned and those available.
func (s *story) columns(suffix string) func() string {
	return func() string {
		pool := &v1alpha1.ExternalIPPool{}
		s.Expect(s.client.Get(s.Context(), client.ObjectKey{Name: s.namespace + suffix}, pool)).To(Succeed())
		if summary := pool.Status.Summary; summary.Available != "" {
			return fmt.Sprint(summary.Addresses, " ", summary.Assigned, " ", summary.Available)
		}
		return ""
	}
}

func (s *story) editPool(suffix string, edit func(*v1alpha1.ExternalIPPool)) {
	s.Helper()
	s.Eventually(func() error {
		pool := &v1alpha1.ExternalIPPool{}
		if err := s.client.Get(s.Context(), client.ObjectKey{Name: s.namespace + suffix}, pool); err != nil {
			return err
		}
		edit(pool)
		return s.client.Update(s.Context(), pool)
	}).Should(Succeed())
}

// service makes a Service of a type.
func (s *story) service(name string, of corev1.ServiceType, edits ...func(*corev1.Service)) {
	s.Helper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name, Annotations: map[string]string{}}}
	service.Spec.Type = of
	service.Spec.Ports = []corev1.ServicePort{{Port: 80}}
	for _, edit := range edits {
		edit(service)
	}
	s.Expect(s.client.Create(s.Context(), service)).To(Succeed())
}

func (s *story) get(name string) *corev1.Service {
	s.Helper()
	service := &corev1.Service{}
	s.Expect(s.client.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, service)).To(Succeed())
	return service
}

// edit changes a Service, and editStatus its status.
func (s *story) edit(name string, edit func(*corev1.Service)) {
	s.Helper()
	s.Eventually(func() error {
		service := s.get(name)
		if service.Annotations == nil {
			service.Annotations = map[string]string{}
		}
		edit(service)
		return s.client.Update(s.Context(), service)
	}).Should(Succeed())
}

func (s *story) editStatus(name string, edit func(*corev1.ServiceStatus)) {
	s.Helper()
	s.Eventually(func() error {
		service := s.get(name)
		edit(&service.Status)
		return s.client.Status().Update(s.Context(), service)
	}).Should(Succeed())
}

func (s *story) delete(name string) {
	s.Helper()
	s.Expect(s.client.Delete(s.Context(), s.get(name))).To(Succeed())
}

// has returns what a Service has: "external A" for each of its external IPs, "A" for each ingress.
func (s *story) has(name string) func() string {
	return func() string {
		service := s.get(name)
		var all []string
		for _, address := range service.Spec.ExternalIPs {
			all = append(all, "external "+address)
		}
		for _, ingress := range service.Status.LoadBalancer.Ingress {
			all = append(all, ingress.IP+ingress.Hostname)
		}
		return strings.Join(all, " ")
	}
}

// says returns the condition AddressAssigned of a Service as "status reason: message"; "" for none.
func (s *story) says(name string) func() string {
	return func() string {
		for _, c := range s.get(name).Status.Conditions {
			if c.Type == v1alpha1.ConditionAddressAssigned {
				return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
			}
		}
		return ""
	}
}

// poolIs returns the finalizers of a pool, whether it is being deleted, or that it is gone.
func (s *story) poolIs(suffix string) func() string {
	return func() string {
		pool := &v1alpha1.ExternalIPPool{}
		switch err := s.client.Get(s.Context(), client.ObjectKey{Name: s.namespace + suffix}, pool); {
		case apierrors.IsNotFound(err):
			return "gone"
		case err != nil:
			return err.Error()
		case pool.DeletionTimestamp != nil:
			return strings.Join(append(pool.Finalizers, "deleting"), " ")
		default:
			return strings.Join(pool.Finalizers, " ")
		}
	}
}

func (s *story) writes(name string) []string {
	return slices.DeleteFunc(s.requests.about("/namespaces/"+s.namespace+"/services/"+name), func(request string) bool {
		return strings.HasPrefix(request, http.MethodGet)
	})
}

var errNotYet = errors.New("not yet")

func asks(annotation, value string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Annotations[annotation] = value }
}

func dualStack(policy corev1.IPFamilyPolicy) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.IPFamilyPolicy = &policy }
}
