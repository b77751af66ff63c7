package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	// apiOutage is how long the API server is away.
	apiOutage = 30 * time.Second
	// apiReturn is how soon after its return changes follow. It leaves room for the API server's own start.
	apiReturn = 10 * time.Second
)

// outageCases are about what is around Herald going away.
func outageCases(r *rack) {
	It("keeps its routes while the API server is away, and follows soon after", func(ctx SpecContext) {
		const address = "192.168.3.40"
		urls := r.trafficTargets(ctx)
		marks, expectAllAnswered := r.marks(), r.sendTraffic(ctx, urls...)
		_, err := r.Run(ctx, "stop", "kube-apiserver")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { _, _ = r.Run(ctx, "start", "kube-apiserver") })
		Consistently(ctx, func() []string { return r.since(marks) }, apiOutage, cliInterval).Should(BeEmpty())

		_, err = r.Run(ctx, "start", "kube-apiserver")
		Expect(err).NotTo(HaveOccurred())
		back := service{name: "after-return", local: true, externalIPs: []string{address}}
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "service/"+back.name)).To(Succeed()) })
		Eventually(ctx, func() error { return r.Apply(ctx, back.manifest()) }, 3*soon, cliInterval).Should(Succeed())
		created := time.Now()
		r.expectRoute(ctx, host(address), r.nodes()...)
		Expect(time.Since(created)).To(BeNumerically("<", apiReturn))
		AddReportEntry("routed after the API server's return", time.Since(created))
		expectAllAnswered()
		r.expectAnswer(ctx, url(address))
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
			r.expectBaseline(ctx)
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
