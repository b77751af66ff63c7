package e2e

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/test/harness/probe"
)

// advertisementCases are about what is advertised from where.
func advertisementCases(r *rack) {
	It("follows a Service's endpoint from node to node, under Local", func(ctx SpecContext) {
		const address = "192.168.3.10"
		Expect(r.Apply(ctx, echoOnNode("mover", "node-1"))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "deployment/mover")).To(Succeed()) })
		r.createService(ctx, service{name: "mover", app: "mover", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), "node-1")
		Expect(r.expectAnswer(ctx, url(address))).To(And(ContainSubstring("node-1"), ContainSubstring(r.outsideClient(address))))

		marks := r.marks()
		Expect(r.Apply(ctx, echoOnNode("mover", "node-2"))).To(Succeed())
		r.expectRoute(ctx, host(address), "node-2")
		Expect(r.expectAnswer(ctx, url(address))).To(ContainSubstring("node-2"))
		Expect(r.since(marks, host(address))).NotTo(ContainElement(ContainSubstring(string(probe.Deleted))),
			"the new node's route comes before the old one's goes")
	})

	It("takes a node out while it carries the exclusion label", func(ctx SpecContext) {
		const label, address = "node.kubernetes.io/exclude-from-external-load-balancers", "192.168.3.11"
		r.createService(ctx, service{name: "excluded", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), "node-1", "node-2", "node-3")

		_, err := r.Kubectl(ctx, "label", "node", "node-2", label+"=")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) error {
			_, err := r.Kubectl(ctx, "label", "node", "node-2", label+"-")
			return err
		})
		r.expectRoute(ctx, host(address), "node-1", "node-3")
		r.expectRoute(ctx, clusterBlock, "node-1", "node-3")
		for range 5 {
			Expect(r.expectAnswer(ctx, url(address))).NotTo(ContainSubstring("node-2"))
		}

		_, err = r.Kubectl(ctx, "label", "node", "node-2", "--overwrite", label+"=false")
		Expect(err).NotTo(HaveOccurred())
		r.expectRoute(ctx, host(address), "node-1", "node-2", "node-3")
		r.expectRoute(ctx, clusterBlock, "node-1", "node-2", "node-3")
	})

	It("keeps an external IP that two Services share until the last is gone", func(ctx SpecContext) {
		const address = "192.168.3.12"
		r.createService(ctx, service{name: "sharer-a", local: true, port: 80, externalIPs: []string{address}})
		r.createService(ctx, service{name: "sharer-b", local: true, port: 81, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), "node-1", "node-2", "node-3")
		r.expectAnswer(ctx, url(address))
		r.expectAnswer(ctx, fmt.Sprintf("http://%s:81/", address))

		marks := r.marks()
		Expect(r.delete(ctx, "service/sharer-b")).To(Succeed())
		Eventually(ctx, func() error { _, err := r.curl(ctx, fmt.Sprintf("http://%s:81/", address)); return err }, soon, cliInterval).
			ShouldNot(Succeed())
		r.expectUntouched(marks, host(address))
		r.expectAnswer(ctx, url(address))

		Expect(r.delete(ctx, "service/sharer-a")).To(Succeed())
		r.expectNoRoute(ctx, host(address))
	})

	It("advertises a block without aggregation address by address", func(ctx SpecContext) {
		const address = "192.168.3.13"
		r.reconfigure(ctx, "  serviceExternalIPs:\n  - {cidr: 192.168.3.0/24, aggregation: Disabled}\n")
		r.expectNoRoute(ctx, externalBlock)
		r.createService(ctx, service{name: "single", externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), "node-1", "node-2", "node-3")
		r.expectAnswer(ctx, url(address))

		_, err := r.Kubectl(ctx, "patch", "service", "single", "-p", `{"spec":{"selector":{"app":"nobody"}}}`)
		Expect(err).NotTo(HaveOccurred())
		r.expectNoRoute(ctx, host(address))
		r.expectNoAnswer(ctx, url(address))
	})

	It("advertises a block of a single address only for a Service", func(ctx SpecContext) {
		const address = "192.168.3.14"
		marks := r.marks()
		r.reconfigure(ctx, externalIPs(host(address)))
		r.expectNoRoute(ctx, externalBlock)
		r.expectUntouched(marks, host(address))
		r.createService(ctx, service{name: "lone", externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), "node-1", "node-2", "node-3")
		r.expectAnswer(ctx, url(address))
		Expect(r.delete(ctx, "service/lone")).To(Succeed())
		r.expectNoRoute(ctx, host(address))
	})

	It("advertises nothing that no block allows", func(ctx SpecContext) {
		const outside, inside = "192.168.7.1", "192.168.3.15"
		r.reconfigure(ctx, "  externalIPPolicy: Ignore\n"+externalIPs(externalBlocks(r)...)) // Admission would not let it in.
		r.createService(ctx, service{name: "outsider", local: true, externalIPs: []string{outside, inside}})
		r.expectRoute(ctx, host(inside), "node-1", "node-2", "node-3")
		r.expectNoRoute(ctx, host(outside))
		r.expectNoAnswer(ctx, url(outside))
	})

	It("withdraws a Local Service's route when its last endpoint goes, and brings it back", func(ctx SpecContext) {
		const address = "192.168.3.16"
		Expect(r.Apply(ctx, echoOnNode("ender", "node-3"))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "deployment/ender")).To(Succeed()) })
		r.createService(ctx, service{name: "ender", app: "ender", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), "node-3")
		scale(ctx, r, "ender", 0)
		r.expectNoRoute(ctx, host(address))
		scale(ctx, r, "ender", 1)
		r.expectRoute(ctx, host(address), "node-3")
		r.expectAnswer(ctx, url(address))
	})
}

func scale(ctx SpecContext, r *rack, deployment string, replicas int) {
	GinkgoHelper()
	_, err := r.Kubectl(ctx, "scale", "deployment", deployment, fmt.Sprintf("--replicas=%d", replicas))
	Expect(err).NotTo(HaveOccurred())
}
