package certificates_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/certificates"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

const (
	namespace   = "herald-system"
	managerUser = "system:serviceaccount:herald-system:herald-manager"
)

// rights are all that a manager needs here: for its certificates, and to lead.
const rights = `
apiVersion: v1
kind: Namespace
metadata: {name: herald-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: certificates, namespace: herald-system}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [create]}
- {apiGroups: [""], resources: [secrets], resourceNames: [herald-webhook-server], verbs: [list, watch, update]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, update]}
- {apiGroups: ["", events.k8s.io], resources: [events], verbs: [create, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: certificates}
rules:
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingwebhookconfigurations]
  resourceNames: [herald-0, herald-1]
  verbs: [list, watch, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: certificates, namespace: herald-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: certificates}
subjects: [{kind: ServiceAccount, name: herald-manager, namespace: herald-system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: certificates}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: certificates}
subjects: [{kind: ServiceAccount, name: herald-manager, namespace: herald-system}]
`

// rig is an API server that asks two replicas of a manager about every BGPPeer, each for a configuration of its own.
type rig struct {
	*apiserver.Server
	client   client.Client
	replicas []*replica
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g := NewWithT(t)
	ctrl.SetLogger(logr.Discard()) // Managers log to the test; what else there is in the process does not.
	server := apiserver.Start(t)
	server.MustKubectl(t, rights, "apply", "-f", "-")
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, admissionv1.AddToScheme, v1alpha1.AddToScheme} {
		g.Expect(add(scheme)).To(Succeed())
	}
	unlimited := rest.CopyConfig(server.Config)
	unlimited.QPS = -1
	c, err := client.New(unlimited, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
	r := &rig{Server: server, client: c}
	for i := range 2 {
		r.replicas = append(r.replicas, &replica{configuration: fmt.Sprintf("herald-%d", i), port: freePort(t)})
	}
	for _, replica := range r.replicas {
		g.Expect(c.Create(t.Context(), replica.webhook())).To(Succeed())
	}
	return r
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// replica is a manager with a webhook server.
type replica struct {
	configuration string
	port          int
	certificates  *certificates.Certificates
	elected       <-chan struct{}
	stop          func()
	// calls and handshakes count requests to the webhook, and connections that were begun.
	calls, handshakes atomic.Int64
}

// webhook is a configuration that has the API server ask the replica, and refuse what it can't ask about.
func (r *replica) webhook() *admissionv1.ValidatingWebhookConfiguration {
	webhook := &admissionv1.ValidatingWebhookConfiguration{}
	webhook.Name = r.configuration
	webhook.Webhooks = []admissionv1.ValidatingWebhook{{
		Name:                    "bgppeers.herald.network",
		ClientConfig:            admissionv1.WebhookClientConfig{URL: new(fmt.Sprintf("https://localhost:%d/validate", r.port))},
		FailurePolicy:           new(admissionv1.Fail),
		SideEffects:             new(admissionv1.SideEffectClassNone),
		AdmissionReviewVersions: []string{"v1"},
		Rules: []admissionv1.RuleWithOperations{{
			Operations: []admissionv1.OperationType{admissionv1.Create},
			Rule: admissionv1.Rule{
				APIGroups: []string{v1alpha1.GroupVersion.Group}, APIVersions: []string{"*"}, Resources: []string{"bgppeers"},
			},
		}},
	}}
	return webhook
}

// start starts a replica with the rights of a manager and no others.
func (r *rig) start(t *testing.T, replica *replica) {
	t.Helper()
	g := NewWithT(t)
	restConfig := rest.CopyConfig(r.Config)
	restConfig.Impersonate.UserName = managerUser
	options := certificates.Options{Namespace: namespace, DNSNames: []string{"localhost"}, Settle: 2 * time.Second}
	for _, each := range r.replicas {
		options.Configurations = append(options.Configurations, each.configuration)
	}
	replica.certificates = certificates.New(options)
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Logger:                        testr.New(t).WithName(replica.configuration),
		Controller:                    config.Controller{SkipNameValidation: new(true)},
		LeaderElection:                true,
		LeaderElectionID:              "herald-manager",
		LeaderElectionNamespace:       namespace,
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: "127.0.0.1", Port: replica.port, TLSOpts: []func(*tls.Config){replica.certificates.TLS, replica.connectAnew},
		}),
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(replica.certificates.SetupWithManager(mgr)).To(Succeed())
	replica.register(mgr.GetWebhookServer())
	replica.elected = mgr.Elected()

	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	replica.stop = func() {
		cancel()
		g.Expect(<-ended).To(Succeed())
		replica.stop = func() {}
	}
	t.Cleanup(func() { replica.stop() })
}

// connectAnew has every request make a connection of its own: one that is kept would show nothing of certificates.
func (r *replica) connectAnew(server *tls.Config) {
	server.NextProtos = []string{"http/1.1"}
	get := server.GetCertificate
	server.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		r.handshakes.Add(1)
		return get(hello)
	}
}

func (r *replica) register(server webhook.Server) {
	allow := &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		r.calls.Add(1)
		return admission.Allowed("")
	})}
	server.Register("/validate", http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Connection", "close")
		allow.ServeHTTP(w, request)
	}))
}

// shows returns the certificate that the replica shows, nil where it shows none.
func (r *replica) shows() *x509.Certificate {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port))
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0]
}

// secret returns what the Secret holds, nothing where it does not exist.
func (r *rig) secret(t *testing.T) map[string][]byte {
	t.Helper()
	secret := &corev1.Secret{}
	err := r.client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: certificates.DefaultSecret}, secret)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return secret.Data
}

// ca returns the Secret's CA as text, nothing where there is none.
func (r *rig) ca(t *testing.T) string {
	t.Helper()
	return string(r.secret(t)["ca.crt"])
}

// bundle returns the CAs that the API server is told to trust for a replica.
func (r *rig) bundle(t *testing.T, replica *replica) []string {
	t.Helper()
	webhook := &admissionv1.ValidatingWebhookConfiguration{}
	if err := r.client.Get(t.Context(), client.ObjectKey{Name: replica.configuration}, webhook); err != nil {
		t.Fatal(err)
	}
	var all []string
	for block, rest := pem.Decode(webhook.Webhooks[0].ClientConfig.CABundle); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, string(pem.EncodeToMemory(block)))
	}
	return all
}

// awaitServed waits until each replica shows the Secret's certificate, and that is signed by the Secret's CA.
func (r *rig) awaitServed(t *testing.T, replicas ...*replica) {
	t.Helper()
	g := NewWithT(t)
	for _, replica := range replicas {
		g.Eventually(func(g Gomega) {
			g.Expect(replica.certificates.Ready(nil)).To(Succeed())
			held := r.secret(t)
			roots := x509.NewCertPool()
			g.Expect(roots.AppendCertsFromPEM(held["ca.crt"])).To(BeTrue())
			block, _ := pem.Decode(held["tls.crt"])
			g.Expect(block).NotTo(BeNil())
			shown := replica.shows()
			g.Expect(shown).NotTo(BeNil())
			g.Expect(shown.Raw).To(Equal(block.Bytes))
			_, err := shown.Verify(x509.VerifyOptions{Roots: roots, DNSName: "localhost"})
			g.Expect(err).NotTo(HaveOccurred())
		}).WithTimeout(30*time.Second).WithPolling(50*time.Millisecond).Should(Succeed(), "what %s shows", replica.configuration)
	}
}
