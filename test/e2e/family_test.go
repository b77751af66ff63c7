package e2e

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
)

// familyCases are the tour's twins for IPv6 and dual stack.
func familyCases(r *rack) {
	It("advertises an IPv6 Service's cluster IP, external IP and Local nodes", func(ctx SpecContext) {
		const address = "2001:db8:3::20"
		Expect(r.Apply(ctx, echoOnNode("six", "node-2"))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "deployment/six")).To(Succeed()) })
		six := service{name: "six", app: "six", families: []corev1.IPFamily{corev1.IPv6Protocol}, externalIPs: []string{address}}
		clusterIP := r.createService(ctx, six)[0]
		Expect(r.expectAnswer(ctx, url(clusterIP))).To(ContainSubstring("node-2"))
		Expect(r.expectAnswer(ctx, url(address))).To(ContainSubstring("node-2"))

		six.local = true
		Expect(r.Apply(ctx, six.manifest())).To(Succeed())
		r.expectRoute(ctx, host(clusterIP), "node-2")
		r.expectRoute(ctx, host(address), "node-2")
		Eventually(ctx, func() (string, error) { return r.curl(ctx, url(address)) }, soon, cliInterval).
			Should(ContainSubstring(r.outsideClient(address)), "the client's own address")

		r.reconfigure(ctx, externalIPs(externalBlocks(r)...))
		r.expectNoRoute(ctx, clusterBlockV6)
		r.expectNoRoute(ctx, host(clusterIP))
		r.expectNoAnswer(ctx, url(clusterIP))
		r.expectAnswer(ctx, url(address))
	})

	It("advertises both families of a dual-stack Service", func(ctx SpecContext) {
		four, six := "192.168.3.21", "2001:db8:3::21"
		clusterIPs := r.createService(ctx, service{
			name: "dual", local: true, externalIPs: []string{four, six},
			families: []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol},
		})
		Expect(clusterIPs).To(HaveLen(2))
		for _, address := range append(clusterIPs, four, six) {
			r.expectRoute(ctx, host(address), r.nodes()...)
			r.expectAnswer(ctx, url(address))
		}
		for _, address := range []string{four, six} {
			Expect(r.expectAnswer(ctx, url(address))).To(ContainSubstring(r.outsideClient(address)))
		}
	})

	It("carries IPv4 routes over IPv6 sessions", func(ctx SpecContext) {
		const address = "192.168.3.22"
		r.createService(ctx, service{name: "over-six", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), r.nodes()...)
		var overIPv6 string
		for _, router := range r.routerHosts {
			overIPv6 += peer(r, router, 1, asNumber, "[IPv4, IPv6]")
		}
		Expect(r.Replace(ctx, overIPv6)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(r.Replace(ctx, peers(r))).To(Succeed())
			r.expectEstablished(ctx, r.nodes(), "192.168.1.")
		})
		r.expectEstablished(ctx, r.nodes(), "fd00:1::")
		for _, block := range blocks(r) {
			r.expectRoute(ctx, block, r.nodes()...)
		}
		r.expectRoute(ctx, host(address), r.nodes()...)
		r.expectAnswer(ctx, url(address))
	})
}

// expectEstablished waits until the nodes report sessions with every router from a local address that begins so.
func (r *rack) expectEstablished(ctx SpecContext, nodes []string, localAddress string) {
	GinkgoHelper()
	for _, node := range nodes {
		for _, router := range r.routerHosts {
			Eventually(ctx, func() (string, error) {
				session, err := r.session(ctx, node, router)
				return fmt.Sprintf("%s from %s", session.State, session.LocalAddress), err
			}, 3*soon, cliInterval).Should(HavePrefix("Established from "+localAddress), "%s with %s", node, router)
		}
	}
}
