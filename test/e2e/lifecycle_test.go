package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Where Herald's own manifests install it.
const (
	namespace = "herald-system"
	agentName = "herald-agent"
	agents    = "daemonset/" + agentName
)

// lifecycleCases are about Herald's own installation.
func lifecycleCases(r *rack) {
	It("puts its agents back when somebody deletes them", func(ctx SpecContext) {
		before := agentsUID(ctx, r)
		_, err := r.Kubectl(ctx, "-n", namespace, "delete", agents)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() types.UID { return agentsUID(ctx, r) }, soon, cliInterval).
			ShouldNot(Or(Equal(before), BeEmpty()), "the manager makes another DaemonSet")
		_, err = r.Kubectl(ctx, "-n", namespace, "rollout", "status", agents, "--timeout=60s")
		Expect(err).NotTo(HaveOccurred())
		for _, block := range blocks(r) {
			r.expectRouteWithin(ctx, recovery, block, r.nodes()...)
		}
	})

	It("takes leave of routers and withdraws everything when it is removed", func(ctx SpecContext) {
		_, err := r.Run(ctx, "stop", "manager")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			_, err := r.Run(ctx, "start", "manager")
			Expect(err).NotTo(HaveOccurred())
			Eventually(ctx, func() error {
				_, err := r.Kubectl(ctx, "patch", "bgppeer", r.routerHosts[0], "--dry-run=server", "--type=merge", "-p", `{"spec": {"holdTimeSeconds": 77}}`)
				return err
			}, recovery, cliInterval).Should(Succeed(), "the webhooks answer again")
		})
		_, err = r.Kubectl(ctx, "-n", namespace, "delete", agents)
		Expect(err).NotTo(HaveOccurred())
		for _, node := range r.nodes() {
			r.expectMarked(ctx, r.routerHosts[0], node)
		}
		for _, router := range r.routers {
			// With a graceful restart the routes would stay for two minutes.
			Eventually(ctx, router.Prefixes, 2*soon, interval).Should(BeEmpty(), router.Host)
		}
	})
}

// agentsUID returns the UID of the agents' DaemonSet, "" where there is none.
func agentsUID(ctx SpecContext, r *rack) types.UID {
	var daemonSet appsv1.DaemonSet
	if err := r.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: agentName}, &daemonSet); err != nil {
		return ""
	}
	return daemonSet.UID
}
