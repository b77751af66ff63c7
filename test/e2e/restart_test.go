package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
)

// upgrade is how long rolling the agents over all nodes may take.
const upgrade = 2 * time.Minute

// restartCases are about agents and sessions that end and come back: no router may notice.
func restartCases(r *rack) {
	killCase(r)

	It("loses no request and no route while its agents are rolled", func(ctx SpecContext) {
		urls := r.trafficTargets(ctx)
		marks, expectAllAnswered := r.marks(), r.sendTraffic(ctx, urls...)
		_, err := r.Kubectl(ctx, "-n", namespace, "rollout", "restart", agents)
		Expect(err).NotTo(HaveOccurred())
		_, err = r.Kubectl(ctx, "-n", namespace, "rollout", "status", agents, "--timeout", upgrade.String())
		Expect(err).NotTo(HaveOccurred())
		r.expectEstablished(ctx, r.nodes(), "")
		expectAllAnswered()
		r.expectUntouched(marks)
	})

	It("keeps its routes when a router's connections are reset", func(ctx SpecContext) {
		urls := r.trafficTargets(ctx)
		marks, expectAllAnswered := r.marks(), r.sendTraffic(ctx, urls...)
		flaps := map[string]int32{}
		for _, node := range r.nodes() {
			session, err := r.session(ctx, node, r.routerHosts[0])
			Expect(err).NotTo(HaveOccurred())
			flaps[node] = session.Flaps
		}
		_, err := r.Exec(ctx, r.routerHosts[0], "ss", "--kill", "state", "established", "sport", "=", ":bgp")
		Expect(err).NotTo(HaveOccurred())
		for _, node := range r.nodes() {
			Eventually(ctx, func(g Gomega) {
				session, err := r.session(ctx, node, r.routerHosts[0])
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(session.Flaps).To(BeNumerically(">", flaps[node]), "flaps on %s", node)
				g.Expect(session.State).To(Equal(v1alpha1.SessionEstablished), "state on %s", node)
			}, soon, cliInterval).Should(Succeed())
		}
		expectAllAnswered()
		r.expectUntouched(marks)
	})

	It("tells a reboot from a restart", func(ctx SpecContext) {
		const node = "node-1"
		hop := r.nextHops(true, node)[0]
		marks := r.marks()
		stopAgent(ctx, r, node)
		_, err := r.Exec(ctx, node, "sh", "-c", "rm -rf /run/herald/*")
		Expect(err).NotTo(HaveOccurred())
		r.expectUntouched(marks)

		startAgent(ctx, r, node)
		for i, router := range r.routers {
			Eventually(ctx, func() int { return len(router.Lost(marks[i], hop)) }, 4*soon, interval).
				ShouldNot(BeZero(), "%s forgets what it had from %s", router.Host, node)
		}
		for _, block := range blocks(r) {
			r.expectRoute(ctx, block, r.nodes()...)
		}
	})
}

func killCase(r *rack) {
	It("loses no request and no route when its agents are killed", func(ctx SpecContext) {
		urls := r.trafficTargets(ctx)
		marks, expectAllAnswered := r.marks(), r.sendTraffic(ctx, urls...)
		killed := time.Now().Truncate(time.Second)
		for _, node := range r.nodes() {
			_, err := r.Run(ctx, "kill", "agent/"+node)
			Expect(err).NotTo(HaveOccurred())
		}
		for _, node := range r.nodes() {
			for _, router := range r.routerHosts {
				Eventually(ctx, func(g Gomega) {
					session, err := r.session(ctx, node, router)
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(session.State).To(Equal(v1alpha1.SessionEstablished))
					g.Expect(session.Since.Time).To(BeTemporally(">=", killed))
				}, 3*soon, cliInterval).Should(Succeed(), "%s with %s", node, router)
			}
		}
		expectAllAnswered()
		r.expectUntouched(marks)
	})
}

// trafficTargets creates a Service and returns the URLs of its addresses: one that its own route leads to, from the
// nodes that run it, and one that a block's route covers.
func (r *rack) trafficTargets(ctx SpecContext) []string {
	GinkgoHelper()
	const address = "192.168.3.30"
	r.createService(ctx, service{name: "busy-local", local: true, externalIPs: []string{address}})
	r.expectRoute(ctx, host(address), r.nodes()...)
	covered := r.createService(ctx, service{name: "busy-cluster"})[0]
	urls := []string{url(address), url(covered)}
	for _, target := range urls {
		for range 3 * len(r.nodes()) {
			r.expectAnswer(ctx, target) // On every node, kube-proxy knows both.
		}
	}
	return urls
}

func stopAgent(ctx SpecContext, r *rack, node string) {
	GinkgoHelper()
	_, err := r.Run(ctx, "stop", "agent/"+node)
	Expect(err).NotTo(HaveOccurred())
}

func startAgent(ctx SpecContext, r *rack, node string) {
	GinkgoHelper()
	_, err := r.Run(ctx, "start", "agent/"+node)
	Expect(err).NotTo(HaveOccurred())
}
