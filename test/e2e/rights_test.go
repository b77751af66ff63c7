package e2e

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

// rightsCases are about what an agent's own token lets it do, if somebody takes over its node.
func rightsCases(r *rack) {
	patch := func(text string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(text)) }
	bgpNode := func(name string) *v1alpha1.BGPNode {
		return &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	flap := patch(`{"status":{"agentVersion":"forged"}}`)

	It("holds an agent to its own node", func(ctx SpecContext) {
		agent := r.as(ctx, r.agentToken(ctx, "node-1"))
		own := bgpNode("node-1")
		Expect(agent.Status().Patch(ctx, own, patch(`{"status":{}}`), client.DryRunAll)).To(Succeed(), "its own")

		for name, err := range map[string]error{
			"status":       agent.Status().Patch(ctx, bgpNode("node-2"), flap),
			"whole status": agent.Status().Update(ctx, r.bgpNode(ctx, "node-2")),
			"create":       agent.Create(ctx, bgpNode("node-9")),
			"object":       agent.Update(ctx, r.bgpNode(ctx, "node-2")),
			"delete":       agent.Delete(ctx, bgpNode("node-2")),
			"lease":        agent.Patch(ctx, r.lease("node-2"), patch(`{"spec":{"renewTime":"2030-01-01T00:00:00.000000Z"}}`)),
			"new lease":    agent.Create(ctx, r.lease("node-9")),
			"Service": agent.Patch(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}},
				patch(`{"metadata":{"labels":{"forged":"yes"}}}`)),
		} {
			Expect(apierrors.IsForbidden(err) || apierrors.IsInvalid(err)).To(BeTrue(), "%s of another node: %v", name, err)
		}
		err := agent.Status().Patch(ctx, bgpNode("node-2"), flap)
		Expect(err).To(MatchError(And(ContainSubstring("node-1"), ContainSubstring("node-2"))), "it says who may not do what")
		Expect(r.bgpNode(ctx, "node-2").Status.AgentVersion).NotTo(Equal("forged"))
	})

	It("lets a token that is bound to no node write nothing", func(ctx SpecContext) {
		token, err := r.Kubectl(ctx, "-n", namespace, "create", "token", agentName)
		Expect(err).NotTo(HaveOccurred())
		unbound := r.as(ctx, token)
		for _, node := range r.nodes() {
			Expect(unbound.Status().Patch(ctx, bgpNode(node), flap)).To(MatchError(ContainSubstring("herald-agents")), node)
		}
		Expect(unbound.Create(ctx, bgpNode("node-9"))).NotTo(Succeed())
	})

	It("lets agents read the Secrets that peers name, and no others", func(ctx SpecContext) {
		const name = "bgp-password"
		agent := r.as(ctx, r.agentToken(ctx, "node-1"))
		read := func(name string) error {
			return agent.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.Secret{})
		}
		Expect(r.Apply(ctx, secret(name))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "-n "+namespace+" secret/"+name)).To(Succeed()) })
		Expect(apierrors.IsForbidden(read(name))).To(BeTrue(), "before a peer names it")
		Expect(apierrors.IsForbidden(agent.List(ctx, &corev1.SecretList{}, client.InNamespace(namespace)))).To(BeTrue())

		Expect(r.Apply(ctx, peerWithPassword("secretive", name))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "bgppeer/secretive")).To(Succeed()) })
		Eventually(ctx, func() error { return read(name) }, soon, cliInterval).Should(Succeed(), "once a peer names it")
		Expect(apierrors.IsForbidden(read("herald-webhook-server"))).To(BeTrue(), "the key of the webhooks")

		Expect(r.delete(ctx, "bgppeer/secretive")).To(Succeed())
		Eventually(ctx, func() bool { return apierrors.IsForbidden(read(name)) }, soon, cliInterval).Should(BeTrue(), "once none does")
	})
}

// agentToken returns the token that a node's agent has.
func (r *rack) agentToken(ctx context.Context, node string) string {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Expect(r.api.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/component": "agent"})).To(Succeed())
	for _, pod := range pods.Items {
		if pod.Spec.NodeName == node && pod.DeletionTimestamp == nil {
			token, err := r.Exec(ctx, "pod/"+namespace+"/"+pod.Name, "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token")
			Expect(err).NotTo(HaveOccurred())
			return token
		}
	}
	Fail("no agent runs on " + node)
	return ""
}

// as returns a client that has a token, and nothing of the administrator's.
func (r *rack) as(ctx context.Context, token string) client.Client {
	GinkgoHelper()
	admin, err := r.Config(ctx)
	Expect(err).NotTo(HaveOccurred())
	config := rest.AnonymousClientConfig(admin)
	config.Dial, config.BearerToken = admin.Dial, strings.TrimSpace(token)
	c, err := client.New(config, client.Options{Scheme: r.api.Scheme(), Mapper: r.api.RESTMapper()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

func (r *rack) bgpNode(ctx context.Context, name string) *v1alpha1.BGPNode {
	GinkgoHelper()
	n := &v1alpha1.BGPNode{}
	Expect(r.api.Get(ctx, client.ObjectKey{Name: name}, n)).To(Succeed())
	return n
}

func (r *rack) lease(name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// secret returns a Secret for a peer's password, in Herald's namespace.
func secret(name string) string {
	return fmt.Sprintf(`---
apiVersion: v1
kind: Secret
metadata: {name: %s, namespace: %s}
stringData: {password: on-the-wire}
`, name, namespace)
}

// peerWithPassword returns a BGPPeer for a router that is not there, with a password.
func peerWithPassword(name, secret string) string {
	return fmt.Sprintf(`---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: %s}
spec:
  peerIP: 192.168.1.99
  asNumber: 64512
  password: {secretKeyRef: {name: %s, key: password}}
`, name, secret)
}
