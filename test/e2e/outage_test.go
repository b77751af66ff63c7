package e2e

import (
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// apiOutage is how long the API server is away.
const apiOutage = 30 * time.Second

// startOutage is how long it is away while agents start; HERALD_E2E_OUTAGE sets another time.
const startOutage = 30 * time.Second

// outageCases are about what is around Herald going away.
func outageCases(r *rack) {
	It("keeps its routes while the API server is away, and follows soon after", func(ctx SpecContext) {
		const address = "192.168.3.40"
		urls := r.trafficTargets(ctx)
		marks, expectAllAnswered := r.marks(), r.sendTraffic(ctx, urls...)
		// It takes itself out of the Service kubernetes as it ends, and until kube-proxy has noticed its return, which can
		// take a minute, nobody reaches it by that Service.
		By("stopping the API server")
		_, err := r.Run(ctx, "stop", "kube-apiserver")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(r.restartKubeProxies)
		DeferCleanup(func(ctx SpecContext) { _, _ = r.Run(ctx, "start", "kube-apiserver") })
		Consistently(ctx, func() []string { return r.since(marks) }, apiOutage, cliInterval).Should(BeEmpty())

		By("starting the API server")
		_, err = r.Run(ctx, "start", "kube-apiserver")
		Expect(err).NotTo(HaveOccurred())
		By("creating a Service")
		created := time.Now()
		r.createService(ctx, service{name: "after-return", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), r.nodes()...)
		AddReportEntry("routed after", time.Since(created))
		expectAllAnswered()
	})

	It("loses no request and no route when its agents are killed while the API server is away", func(ctx SpecContext) {
		outage := startOutage
		if longer, err := time.ParseDuration(os.Getenv("HERALD_E2E_OUTAGE")); err == nil {
			outage = longer
		}
		urls := r.trafficTargets(ctx)
		marks, expectAllAnswered := r.marks(), r.sendTraffic(ctx, urls...)
		By("stopping the API server")
		_, err := r.Run(ctx, "stop", "kube-apiserver")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(r.restartKubeProxies)
		DeferCleanup(func(ctx SpecContext) { _, _ = r.Run(ctx, "start", "kube-apiserver") })
		stopped := time.Now()

		By("killing the agents")
		for _, node := range r.nodes() {
			_, err := r.Run(ctx, "kill", "agent/"+node)
			Expect(err).NotTo(HaveOccurred())
		}
		for _, node := range r.nodes() {
			Eventually(ctx, func() (string, error) { return r.Run(ctx, "logs", "agent/"+node) }, 3*soon, cliInterval).
				Should(ContainSubstring("Speaking from saved state"), "log of %s", node)
			r.expectPreserved(ctx, node, "ipv4 ipv6")
		}
		AddReportEntry("all agents speak again after", time.Since(stopped))
		Consistently(ctx, func() []string { return r.since(marks) }, time.Until(stopped.Add(outage)), cliInterval).Should(BeEmpty())

		By("starting the API server")
		_, err = r.Run(ctx, "start", "kube-apiserver")
		Expect(err).NotTo(HaveOccurred())
		r.expectEstablished(ctx, r.nodes(), "")
		expectAllAnswered()
		r.expectUntouched(marks)
		const address = "192.168.3.42"
		r.createService(ctx, service{name: "after-saved-start", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), r.nodes()...)
	})

	It("loses a node's routes within the hold time when its link is cut, and no other", func(ctx SpecContext) {
		const node, address = "node-2", "192.168.3.41"
		r.createService(ctx, service{name: "cut", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), r.nodes()...)
		marks, cut := r.marks(), time.Now()
		_, err := r.Run(ctx, "cut", node)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			_, err := r.Run(ctx, "mend", node)
			Expect(err).NotTo(HaveOccurred())
		})
		others := []string{"node-1", "node-3"}
		for _, prefix := range append(blocks(r), host(address)) {
			r.expectRouteWithin(ctx, holdTime+5*time.Second, prefix, others...)
		}
		Expect(time.Since(cut)).To(BeNumerically("<", holdTime+5*time.Second))
		for i, router := range r.routers {
			for _, hop := range r.nextHops(true, others...) {
				Expect(router.Lost(marks[i], hop)).To(BeEmpty(), "%s on %s", hop, router.Host)
			}
		}
		for range 10 {
			Expect(r.expectAnswer(ctx, url(address))).NotTo(ContainSubstring(node))
		}

		_, err = r.Run(ctx, "mend", node)
		Expect(err).NotTo(HaveOccurred())
		r.expectRouteWithin(ctx, 3*soon, host(address), r.nodes()...)
	})
}

// restartKubeProxies lets them follow the API server again at once: they would wait up to a minute. Their rules stay.
func (r *rack) restartKubeProxies(ctx SpecContext) {
	for _, node := range r.nodes() {
		for _, verb := range []string{"kill", "start"} {
			_, err := r.Run(ctx, verb, "kube-proxy/"+node)
			Expect(err).NotTo(HaveOccurred())
		}
	}
}
