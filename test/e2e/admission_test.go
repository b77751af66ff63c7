package e2e

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// admissionCases are about what kubectl says when somebody makes a mistake, in a cluster where all is well.
func admissionCases(r *rack) {
	DescribeTable("says what is wrong when", func(ctx SpecContext, manifest string, refused bool, says ...string) {
		output, ok := r.Say(ctx, manifest, "apply", "--dry-run=server", "-f", "-")
		Expect(ok).To(Equal(!refused), output)
		for _, text := range says {
			Expect(output).To(ContainSubstring(text))
		}
	},
		Entry("a peer has the address of another", peerOf("192.168.1.1", "asNumber: 64512"), true,
			`The BGPPeer "new" is invalid: spec.peerIP: Invalid value: "192.168.1.1": BGPPeers "tor" and "new" have the same address and port 192.168.1.1:179`,
			`(on node-1, node-2 and node-3)`),
		Entry("a peer is a node", peerOf("192.168.1.12", "asNumber: 64512"), true,
			`peerIP must be the address of a router, but it is the InternalIP of the node "node-2"`),
		Entry("a peer is inside a block", peerOf("192.168.3.1", "asNumber: 64512"), true,
			`it is in 192.168.3.0/24, which spec.serviceExternalIPs of the BGPConfiguration "default" holds`),
		Entry("an iBGP peer has a limit of hops for eBGP", peerOf("192.168.1.90", "{asNumber: 64512, ebgpMultihopTTL: 2}"), true,
			`spec.ebgpMultihopTTL: Forbidden: ebgpMultihopTTL must not be set on an iBGP session`),
		Entry("a password is nowhere", peerOf("192.168.1.90", "{asNumber: 64513, password: {secretKeyRef: {name: gone, key: password}}}"), false,
			`Warning: spec.password.secretKeyRef.name: there is no Secret "gone" in Herald's namespace "herald-system": create it there with the key "password"`),
		Entry("a selector selects nothing", peerOf("192.168.1.90", "{asNumber: 64513, nodeSelector: {matchLabels: {rack: z}}}"), false,
			`Warning: spec.nodeSelector: it selects no node, so there is no session until one has the labels`),
		Entry("a block holds nodes and routers", configuration("default", externalIPs("192.168.1.0/24")), true,
			`a block must not contain the InternalIP of a node, but 192.168.1.0/24 contains 192.168.1.11 of the node "node-1"`,
			`a block must not contain the address of a peer, but 192.168.1.0/24 contains 192.168.1.1 of the BGPPeer "tor"`),
		Entry("a block holds pods", configuration("default", externalIPs("10.48.2.0/24")), true,
			`a block must not overlap the pod CIDR of a node, but 10.48.2.0/24 overlaps 10.48.2.0/24 of the node "node-2"`),
		Entry("a block is of two kinds", configuration("default", clusterIPs("10.49.0.0/16")+externalIPs("10.49.3.0/24")), true,
			`a block must not overlap one of another kind, but 10.49.3.0/24 overlaps 10.49.0.0/16 in spec.serviceClusterIPs`),
		Entry("no cluster IP comes from a block", configuration("default", clusterIPs("10.52.0.0/16")), false,
			`Warning: spec.serviceClusterIPs[0].cidr: 10.52.0.0/16 is outside the cluster's ServiceCIDRs`),
		Entry("an overlay widens", configuration("wide", "  nodeSelector: {}\n"+externalIPs("192.168.5.0/24")), true,
			`must lie inside a block of serviceExternalIPs in the BGPConfiguration named default`),
		Entry("a pool is in no block", poolOf("192.168.5.0/24"), false,
			`Warning: spec.addresses: no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds 192.168.5.0/24`),
		Entry("an external IP is in no block", service{name: "new", externalIPs: []string{"203.0.113.7"}}.manifest(), true,
			`203.0.113.7`, `192.168.3.0/24`),
	)

	It("counts what a change takes away, and takes away just that", func(ctx SpecContext) {
		const address = "192.168.3.70"
		r.createService(ctx, service{name: "counted", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), r.nodes()...)
		routed := func() int { return len(r.routers[0].Prefixes()) }
		before := routed()

		var output string
		Eventually(ctx, func() (ok bool) { // A status that is written meanwhile is a conflict.
			output, ok = r.Say(ctx, configuration("default", clusterIPs(clusterBlocks(r)...)), "replace", "--dry-run=server", "-f", "-")
			return ok
		}, soon, cliInterval).Should(BeTrue(), func() string { return output })
		gone := len(externalBlocks(r)) + 1
		Expect(output).To(ContainSubstring(fmt.Sprintf("Warning: this change withdraws %s and %d other prefix", externalBlock, gone-1)))
		Expect(output).To(ContainSubstring("from 3 nodes"))
		Expect(output).To(ContainSubstring("Service default/counted"))

		r.reconfigure(ctx, clusterIPs(clusterBlocks(r)...))
		Eventually(ctx, routed, soon, interval).Should(Equal(before - gone))
	})

	It("lets nobody take an address of another namespace's Service", func(ctx SpecContext) {
		const address, elsewhere = "192.168.3.71", "elsewhere"
		r.createService(ctx, service{name: "robbed", local: true, externalIPs: []string{address}})
		_, err := r.Kubectl(ctx, "create", "namespace", elsewhere)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "namespace/"+elsewhere)).To(Succeed()) })
		thief := strings.Replace(service{name: "thief", externalIPs: []string{address}}.manifest(), "name: thief", "name: thief\n  namespace: "+elsewhere, 1)
		Eventually(ctx, func(g Gomega) {
			output, ok := r.Say(ctx, thief, "apply", "--dry-run=server", "-f", "-")
			g.Expect(ok).To(BeFalse(), output)
			g.Expect(output).To(ContainSubstring(address + " is an address of the Service default/robbed, which is in another namespace"))
		}, soon, cliInterval).Should(Succeed())
		own, ok := r.Say(ctx, service{name: "sibling", port: 81, externalIPs: []string{address}}.manifest(), "apply", "--dry-run=server", "-f", "-")
		Expect(ok).To(BeTrue(), own)
	})
}

// peerOf returns a BGPPeer named new; fields are YAML in one line, a flow mapping or one field.
func peerOf(peerIP, fields string) string {
	fields = strings.TrimSuffix(strings.TrimPrefix(fields, "{"), "}")
	return fmt.Sprintf(`---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: new}
spec: {peerIP: %s, %s}
`, peerIP, fields)
}

// poolOf returns an ExternalIPPool named new.
func poolOf(addresses string) string {
	return fmt.Sprintf(`---
apiVersion: herald.network/v1alpha1
kind: ExternalIPPool
metadata: {name: new}
spec: {addresses: [%q]}
`, addresses)
}
