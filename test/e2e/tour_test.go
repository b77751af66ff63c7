package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func tourCases(r *rack) {
	It("walks through the tour", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) {
			Expect(r.delete(ctx, "service/nginx", "deployment/nginx", "externalippools --all", "bgpconfigurations/default",
				"bgppeers --all")).To(Succeed())
		})
		page, err := r.Run(ctx, "tour")
		AddReportEntry("tour", page, ReportEntryVisibilityFailureOrVerbose)
		Expect(err).NotTo(HaveOccurred())
	})

	It("withdraws everything when its objects are deleted", func(ctx SpecContext) {
		for _, router := range r.routers {
			Eventually(ctx, router.Prefixes, soon, interval).Should(BeEmpty(), router.Host)
		}
	})
}
