// Package admission_test runs Herald's webhooks behind a real API server: what is refused, what is warned of, and the words
// in which kubectl shows it.
package admission_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/kubeobject"
	"github.com/herald-network/herald/test/envtest/apiserver"
	"github.com/herald-network/herald/webhooks"
)

const namespace = "herald-system"

// patience is how long a test waits until a cache has seen what was just applied.
const patience = 30 * time.Second

// rig is an API server that asks webhooks, which a manager may serve or not.
type rig struct {
	*apiserver.Server
	webhooks envtest.WebhookInstallOptions
	scheme   *runtime.Scheme
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, apiserver.Start(t))
}

func newRigOn(t *testing.T, server *apiserver.Server) *rig {
	t.Helper()
	g := NewWithT(t)
	r := &rig{Server: server, scheme: runtime.NewScheme()}
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, discoveryv1.AddToScheme, networkingv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		g.Expect(add(r.scheme)).To(Succeed())
	}
	manifest := r.MustKubectl(t, "", "kustomize", filepath.Join(r.Root, "config", "webhook"))
	r.webhooks.ValidatingWebhooks = configurationsIn(t, manifest)
	g.Expect(r.webhooks.Install(r.Config)).To(Succeed())
	t.Cleanup(func() { g.Expect(r.webhooks.Cleanup()).To(Succeed()) })
	r.MustKubectl(t, "", "create", "namespace", namespace)
	return r
}

// configurationsIn returns the configurations of webhooks among the objects of a manifest.
func configurationsIn(t *testing.T, manifest string) []*admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	var found []*admissionregistrationv1.ValidatingWebhookConfiguration
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		if !strings.Contains(document, "\nkind: ValidatingWebhookConfiguration\n") {
			continue
		}
		var configuration admissionregistrationv1.ValidatingWebhookConfiguration
		if err := utilyaml.UnmarshalStrict([]byte(document), &configuration); err != nil {
			t.Fatal(err)
		}
		found = append(found, &configuration)
	}
	if len(found) == 0 {
		t.Fatalf("no webhooks in\n%s", manifest)
	}
	return found
}

// serve runs a manager until the function that it returns is called. It reads from its own cache, or from the reader.
func (r *rig) serve(t *testing.T, reader client.Reader) (stop func()) {
	t.Helper()
	g := NewWithT(t)
	mgr, err := ctrl.NewManager(r.Config, ctrl.Options{
		Scheme:  r.scheme,
		Logger:  logr.Discard(),
		Cache:   cache.Options{ByObject: clustercache.Objects(namespace)},
		Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: r.webhooks.LocalServingHost, Port: r.webhooks.LocalServingPort, CertDir: r.webhooks.LocalServingCertDir,
		}),
	})
	g.Expect(err).NotTo(HaveOccurred())
	source := clustercache.Source{Reader: reader, Namespace: namespace, Claims: kubeobject.Claims{DefaultLoadBalancer: true}}
	if reader == nil {
		source.Reader = mgr.GetCache()
	}
	g.Expect(webhooks.Setup(t.Context(), mgr, source)).To(Succeed())

	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	g.Eventually(func() error { return mgr.GetWebhookServer().StartedChecker()(nil) }).WithTimeout(patience).Should(Succeed())
	return func() {
		cancel()
		g.Expect(<-ended).To(Succeed())
	}
}

// addNodes adds nodes as the rack of the tests has them: node-1 and node-2 in rack a, node-3 in rack b.
func (r *rig) addNodes(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	c, err := client.New(r.Config, client.Options{Scheme: r.scheme})
	g.Expect(err).NotTo(HaveOccurred())
	for i, rack := range []string{"a", "a", "b"} {
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i+1), Labels: map[string]string{"rack": rack}},
			Spec:       corev1.NodeSpec{PodCIDR: fmt.Sprintf("10.48.%d.0/24", i+1), PodCIDRs: []string{fmt.Sprintf("10.48.%d.0/24", i+1)}},
		}
		g.Expect(c.Create(t.Context(), node)).To(Succeed())
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.168.1.%d", i+11)}}
		g.Expect(c.Status().Update(t.Context(), node)).To(Succeed())
	}
}

// peer, configuration, pool and service return the manifest of an object with a spec, which is JSON.
func peer(name, spec string) string          { return object("BGPPeer", name, spec) }
func configuration(name, spec string) string { return object("BGPConfiguration", name, spec) }
func pool(name, spec string) string          { return object("ExternalIPPool", name, spec) }

func object(kind, name, spec string) string {
	return fmt.Sprintf(`{"apiVersion": "herald.network/v1alpha1", "kind": %q, "metadata": {"name": %q}, "spec": %s}`, kind, name, spec)
}

func service(namespace, name, externalIPs string) string {
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": %q, "name": %q},
		"spec": {"ports": [{"port": 80}], "externalIPs": %s}}`, namespace, name, externalIPs)
}
