// Package removal_test takes Herald out of a real API server, with the rights of its manifests and no others.
package removal_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/config/policies"
	"github.com/herald-network/herald/internal/removal"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

const namespace = "herald-system"

// world is what a Herald leaves in a cluster: what it made itself, and its marks on what others made.
const world = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: herald-agent, namespace: herald-system}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: agent, image: herald}]}
---
apiVersion: v1
kind: Secret
metadata:
  name: herald-webhook-server
  namespace: herald-system
  labels: {app.kubernetes.io/name: herald, app.kubernetes.io/component: manager}
---
apiVersion: v1
kind: Secret
metadata: {name: tor, namespace: herald-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: herald-agent-secrets, namespace: herald-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: herald-agent-secrets, namespace: herald-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: herald-agent-secrets}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: herald-manager, namespace: herald-system}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: node-1
  namespace: herald-system
  labels: {app.kubernetes.io/name: herald, app.kubernetes.io/component: agent}
---
apiVersion: herald.network/v1alpha1
kind: BGPNode
metadata: {name: node-1}
---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: tor}
spec: {peerIP: 192.168.1.1, asNumber: 64512}
---
apiVersion: herald.network/v1alpha1
kind: ExternalIPPool
metadata: {name: public, finalizers: [herald.network/assigned-addresses, example.com/other]}
spec: {addresses: [192.168.3.0/24]}
---
apiVersion: v1
kind: Service
metadata:
  name: external
  annotations: {herald.network/assign-external-ip: "true", herald.network/assigned: "192.168.3.1,2001:db8::1"}
spec: {ports: [{port: 80}], externalIPs: [192.168.9.9, 192.168.3.1, "2001:db8::1"]}
---
apiVersion: v1
kind: Service
metadata: {name: balanced}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: strange}
spec: {type: LoadBalancer, ports: [{port: 80}], externalIPs: [192.168.3.7]}
`

// status is that of Service balanced: one address is Herald's, one is not.
const status = `{"status": {
  "loadBalancer": {"ingress": [{"ip": "192.168.4.1", "ipMode": "VIP"}, {"ip": "192.168.9.8"}]},
  "conditions": [
    {"type": "herald.network/AddressAssigned", "status": "True", "reason": "Assigned", "lastTransitionTime": "2026-11-01T00:00:00Z",
     "message": "192.168.4.1 from ExternalIPPool public"},
    {"type": "example.com/Other", "status": "True", "reason": "Theirs", "lastTransitionTime": "2026-11-01T00:00:00Z", "message": "stays"}
  ]}}`

// lost are pods that never end, since their node is away.
const lost = `
apiVersion: v1
kind: Pod
metadata:
  name: manager
  namespace: herald-system
  labels: {app.kubernetes.io/name: herald, app.kubernetes.io/component: manager}
spec: {nodeName: gone, containers: [{name: manager, image: herald}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: agent
  namespace: herald-system
  labels: {app.kubernetes.io/name: herald, app.kubernetes.io/component: agent}
spec: {nodeName: gone, containers: [{name: agent, image: herald}]}
`

// webhooks has Herald's own name and, like what OLM makes of a webhook, judges every update; nobody answers.
const webhooks = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: herald-admission}
webhooks:
- name: externalippools.herald.network
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  clientConfig: {url: "https://127.0.0.1:1/"}
  rules:
  - {apiGroups: [herald.network], apiVersions: [v1alpha1], operations: [CREATE, UPDATE], resources: [externalippools]}
`

type cluster struct {
	*WithT
	t      *testing.T
	server *apiserver.Server
}

// installed returns an API server with Herald's manifests, what the manager applies, and its traces.
func installed(t *testing.T) cluster {
	t.Helper()
	c := cluster{WithT: NewWithT(t), t: t, server: apiserver.Start(t)}
	for _, directory := range []string{"default", "removal"} {
		c.kubectl("apply", "--server-side", "-k", filepath.Join(c.server.Root, "config", directory))
	}
	// There is no manager to answer them.
	c.kubectl("delete", "validatingwebhookconfiguration", "herald-admission")
	c.server.MustKubectl(t, strings.Join(policies.Manifests(namespace), "\n---\n"), "apply", "-f", "-")
	c.server.MustKubectl(t, world, "apply", "-f", "-")
	c.kubectl("patch", "service", "balanced", "--subresource=status", "--type=merge", "-p", status)
	c.kubectl("patch", "bgppeer", "tor", "--subresource=status", "--type=merge", "-p", `{"status": {"nodes": {"desired": 3, "established": 3, "ready": "3/3"}}}`)
	c.server.MustKubectl(t, lost, "apply", "-f", "-")
	c.server.MustKubectl(t, webhooks, "apply", "-f", "-")
	return c
}

func (c cluster) kubectl(args ...string) string { return c.server.MustKubectl(c.t, "", args...) }

// remove removes Herald with the rights of the manifests.
func (c cluster) remove(addresses removal.Addresses) error {
	c.t.Helper()
	scheme := runtime.NewScheme()
	c.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	c.Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	config := rest.CopyConfig(c.server.Config)
	config.QPS = -1
	config.Impersonate.UserName = "system:serviceaccount:herald-removal:herald-removal"
	config.Impersonate.Groups = []string{"system:serviceaccounts", "system:authenticated"}
	reader, err := client.New(config, client.Options{Scheme: scheme})
	c.Expect(err).NotTo(HaveOccurred())
	r := removal.Removal{
		Client: reader, Addresses: addresses, Patience: time.Second, Log: testr.New(c.t),
		Names: removal.Names{
			Namespace: namespace, Manager: "herald-manager", Agent: "herald-agent", Webhooks: "herald-admission",
			WebhookSecret: "herald-webhook-server", SecretsRole: "herald-agent-secrets",
		},
	}
	return r.Run(c.t.Context())
}

// exists lists objects that are there and are not on their way out.
func (c cluster) exists(what ...string) string {
	return c.kubectl(append([]string{
		"get", "-A", "--ignore-not-found", "-o",
		`go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`,
	}, what...)...)
}

func (c cluster) get(object, path string) string {
	return c.kubectl("get", object, "-o", "jsonpath={"+path+"}")
}

// expectNoTrace asserts that nothing is left but what somebody else made, or what removes the installation itself.
func (c cluster) expectNoTrace() {
	c.t.Helper()
	const admission = "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings"
	c.Expect(c.exists(admission)).To(BeEmpty())
	c.Expect(c.exists("deployments,daemonsets")).To(BeEmpty())
	c.Expect(c.exists("bgpnodes")).To(BeEmpty())
	c.Expect(c.exists("leases", "--field-selector", "metadata.namespace="+namespace)).To(BeEmpty())
	c.Expect(c.exists("secrets", "--field-selector", "metadata.namespace="+namespace)).To(Equal("tor "), "a password is not Herald's")
	c.Expect(c.exists("bgppeers,externalippools")).To(Equal("tor public "), "what a person wrote stays as long as its kind does")
	c.Expect(c.get("bgppeer/tor", ".status")).To(BeEmpty(), "nobody keeps it true")
	c.Expect(c.get("externalippool/public", ".metadata.finalizers")).To(Equal(`["example.com/other"]`))
	c.Expect(c.get("service/external", ".metadata.annotations")).NotTo(ContainSubstring("herald.network/assigned\""))
	c.Expect(c.get("service/external", ".metadata.annotations")).To(ContainSubstring("assign-external-ip"), "a person's wish is not Herald's")
	c.Expect(c.get("service/balanced", ".status.conditions[*].type")).To(Equal("example.com/Other"))
	c.Expect(c.get("service/strange", ".spec.externalIPs")).To(Equal(`["192.168.3.7"]`))
}

func TestRemoval(t *testing.T) {
	for addresses, want := range map[removal.Addresses]struct{ external, balanced string }{
		removal.Keep:    {`["192.168.9.9","192.168.3.1","2001:db8::1"]`, "192.168.4.1 192.168.9.8"},
		removal.Release: {`["192.168.9.9"]`, "192.168.9.8"},
	} {
		t.Run("with addresses that "+strings.ToLower(string(addresses)), func(t *testing.T) {
			c := installed(t)
			for range 2 { // The second time there is nothing to do.
				c.Expect(c.remove(addresses)).To(Succeed())
				c.expectNoTrace()
				c.Expect(c.get("service/external", ".spec.externalIPs")).To(Equal(want.external))
				c.Expect(c.get("service/balanced", ".status.loadBalancer.ingress[*].ip")).To(Equal(want.balanced))
			}
		})
	}
}

// Where OLM keeps the manager, nothing is touched: it would bring the manager back in the middle.
func TestRemovalRefusesWhatOLMKeeps(t *testing.T) {
	c := installed(t)
	c.kubectl("-n", namespace, "label", "deployment", "herald-manager", "olm.owner.kind=ClusterServiceVersion")
	c.Expect(c.remove(removal.Release)).To(MatchError(ContainSubstring("delete Herald's Subscription and ClusterServiceVersion first")))
	c.Expect(c.exists("deployments,daemonsets")).To(ContainSubstring("herald-manager"))
	c.Expect(c.get("externalippool/public", ".metadata.finalizers")).To(ContainSubstring(v1alpha1.PoolFinalizer))
}

// Webhooks, marks and finalizers are those of a Herald that runs elsewhere.
func TestRemovalRefusesAHeraldOfAnotherNamespace(t *testing.T) {
	c := installed(t)
	c.kubectl("create", "namespace", "network")
	c.server.MustKubectl(t, strings.ReplaceAll(lost, "herald-system", "network"), "apply", "-f", "-")
	c.Expect(c.remove(removal.Release)).To(MatchError(ContainSubstring("Herald runs in namespace network, not in herald-system: remove it there, with --namespace=network")))
	c.Expect(c.exists("validatingwebhookconfigurations")).To(ContainSubstring("herald-admission"))
	c.Expect(c.get("service/balanced", ".status.conditions[*].type")).To(ContainSubstring(v1alpha1.ConditionAddressAssigned))
}

// A certificate that somebody else made is theirs, whatever it is called.
func TestRemovalLeavesACertificateThatIsMounted(t *testing.T) {
	c := installed(t)
	c.kubectl("-n", namespace, "label", "secret", "herald-webhook-server", "app.kubernetes.io/name-")
	c.Expect(c.remove(removal.Keep)).To(Succeed())
	c.Expect(c.exists("secrets", "--field-selector", "metadata.namespace="+namespace)).To(ContainSubstring("herald-webhook-server"))
}

// With the kinds gone there is nothing to let go of, and that is no error.
func TestRemovalWithoutTheKinds(t *testing.T) {
	c := installed(t)
	c.Expect(c.remove(removal.Keep)).To(Succeed())
	c.kubectl("patch", "externalippool", "public", "--type=merge", "-p", `{"metadata": {"finalizers": null}}`)
	c.kubectl("delete", "crd", "-l", "app.kubernetes.io/name=herald")
	c.Expect(c.remove(removal.Keep)).To(Succeed())
	c.Expect(c.get("service/balanced", ".status.conditions[*].type")).To(Equal("example.com/Other"))
}
