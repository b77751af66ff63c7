package e2e

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
)

// configurationCases are about what differs between nodes and between peers.
func configurationCases(r *rack) {
	It("gives each rack an AS number of its own", func(ctx SpecContext) {
		const baseAS, rackAS = 64600, 64601
		r.acceptAnyAS(ctx)
		_, err := r.Kubectl(ctx, "label", "node", "node-3", "rack=b")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) error {
			_, err := r.Kubectl(ctx, "label", "node", "node-3", "rack-")
			return err
		})
		r.reconfigure(ctx, fmt.Sprintf("  asNumber: %d\n", baseAS)+clusterIPs(clusterBlocks(r)...)+externalIPs(externalBlocks(r)...))
		overlay := fmt.Sprintf("  nodeSelector:\n    matchLabels: {rack: b}\n  asNumber: %d\n", rackAS)
		Expect(r.Apply(ctx, configuration("rack-b", overlay))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "bgpconfiguration/rack-b")).To(Succeed()) })

		for _, router := range r.routers {
			Eventually(ctx, func() (map[string]string, error) { return r.asPaths(ctx, router.Host, clusterBlock) }, 3*soon, cliInterval).
				Should(Equal(map[string]string{"192.168.1.11": "64600", "192.168.1.12": "64600", "192.168.1.13": "64601"}), router.Host)
		}
		r.expectRoute(ctx, clusterBlock, r.nodes()...)
		clusterIP := r.createService(ctx, service{name: "overlaid"})[0]
		r.expectAnswer(ctx, url(clusterIP))
	})

	It("keeps the other sessions when one peer's AS number is wrong", func(ctx SpecContext) {
		right, wrong := r.routers[0], r.routers[1]
		mark := right.Mark()
		Expect(r.Replace(ctx, peer(r, wrong.Host, 0, 65099, "[IPv4, IPv6]"))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.Replace(ctx, peers(r))).To(Succeed()) })
		for _, node := range r.nodes() {
			Eventually(ctx, func(g Gomega) {
				session, err := r.session(ctx, node, wrong.Host)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(session.State).NotTo(Equal(v1alpha1.SessionEstablished))
				g.Expect(session.LastError).To(And(ContainSubstring("65099"), ContainSubstring("64512")))
			}, 2*soon, cliInterval).Should(Succeed(), node)
			session, err := r.session(ctx, node, right.Host)
			Expect(err).NotTo(HaveOccurred())
			Expect(session.State).To(Equal(v1alpha1.SessionEstablished))
		}
		Expect(right.Since(mark)).To(BeEmpty())
	})
}

// acceptAnyAS lets the routers, for the length of one case, peer with nodes of any AS number but their own.
func (r *rack) acceptAnyAS(ctx SpecContext) {
	GinkgoHelper()
	change := func(ctx SpecContext, expression string) {
		GinkgoHelper()
		for _, router := range r.routerHosts {
			_, err := r.Exec(ctx, router, "sed", "-i", "/neighbor range/"+expression, "/etc/bird/bird.conf")
			Expect(err).NotTo(HaveOccurred())
			_, err = r.Exec(ctx, router, "birdc", "configure")
			Expect(err).NotTo(HaveOccurred())
		}
	}
	change(ctx, fmt.Sprintf("s/ as %d;/ external;/", asNumber))
	DeferCleanup(change, fmt.Sprintf("s/ external;/ as %d;/", asNumber))
}

// asPaths returns the AS paths of the routes that a BIRD router has for a prefix, by next hop.
func (r *rack) asPaths(ctx SpecContext, router, prefix string) (map[string]string, error) {
	output, err := r.Exec(ctx, router, "birdc", "show", "route", prefix, "all")
	paths := map[string]string{}
	var nextHop string
	for line := range strings.Lines(output) {
		words := strings.Fields(line)
		switch {
		case len(words) > 1 && words[0] == "via":
			nextHop = words[1]
		case len(words) > 0 && words[0] == "BGP.as_path:":
			paths[nextHop] = strings.Join(words[1:], " ")
		}
	}
	return paths, err
}
