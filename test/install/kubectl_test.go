package install

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// withKubectl is the installation by kubectl.
func withKubectl() way {
	return way{
		section: "With kubectl",
		upgrade: func(ctx context.Context, r *rack, version string) {
			r.sh(ctx, forVersion(r.documented("docs/install.md", "Upgrading with kubectl"), version))
		},
		more: brokenOffCase,
	}
}

// brokenOffCase is about a person who deletes everything at once, the manager's rights with it.
func brokenOffCase(r *rack, w way) {
	It("is removed also where the manager went first, with the addresses that it gave", func(ctx SpecContext) {
		manifests := releases + present + "/"
		r.sh(ctx, "kubectl delete services local anywhere") // They kept what they had.
		r.sh(ctx, r.documented("README.md", w.section))
		Expect(r.Apply(ctx, world)).To(Succeed())
		for _, block := range []string{clusterBlock, balancerBlock} {
			r.expectRoute(ctx, block)
		}
		r.addresses(ctx)

		r.sh(ctx, fmt.Sprintf("kubectl delete --wait=false -f %sinstall.yaml", manifests))
		for _, router := range r.routers {
			// With a graceful restart the routes would stay for two minutes.
			Eventually(ctx, router.Prefixes, time.Minute, interval).Should(BeEmpty(), router.Host)
		}
		r.sh(ctx, fmt.Sprintf(`sed s/--addresses=Keep/--addresses=Release/ %[1]sremove.yaml | kubectl apply -f -
			kubectl -n herald-removal wait --for=condition=complete job/herald-removal --timeout=5m
			kubectl delete --ignore-not-found -f %[1]sinstall.yaml -f %[1]sremove.yaml`, manifests))
		r.expectNoTrace(ctx)
		r.expectNoAddresses(ctx)
	})
}
