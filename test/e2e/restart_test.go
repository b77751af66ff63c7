package e2e

import (
	"strings"
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
		farewells := r.farewells(ctx, r.routerHosts[0])
		marks, expectAllAnswered := r.marks(), r.sendTraffic(ctx, urls...)
		_, err := r.Kubectl(ctx, "-n", namespace, "rollout", "restart", agents)
		Expect(err).NotTo(HaveOccurred())
		_, err = r.Kubectl(ctx, "-n", namespace, "rollout", "status", agents, "--timeout", upgrade.String())
		Expect(err).NotTo(HaveOccurred())
		r.expectEstablished(ctx, r.nodes(), "")
		expectAllAnswered()
		r.expectUntouched(marks)
		Expect(r.farewells(ctx, r.routerHosts[0])).To(Equal(farewells), "an upgrade says no Cease")
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

	It("opens no session on a node that has just booted before kube-proxy is healthy", func(ctx SpecContext) {
		const node = "node-2"
		stopAgent(ctx, r, node)
		_, err := r.Run(ctx, "stop", "kube-proxy/"+node)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { _, _ = r.Run(ctx, "start", "kube-proxy/"+node) })
		_, err = r.Exec(ctx, node, "sh", "-c", "rm -rf /run/herald/*")
		Expect(err).NotTo(HaveOccurred())
		address := r.nextHops(true, node)[0].String()
		started := time.Now()
		start := make(chan error, 1)
		go func() { // It returns when the agent is ready, which is after kube-proxy.
			_, err := r.Run(ctx, "start", "agent/"+node)
			start <- err
		}()
		Eventually(ctx, func() (string, error) {
			return r.Kubectl(ctx, "get", "bgpnode", node, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].reason}`)
		}, soon, cliInterval).Should(Equal("WaitingForServiceProxy"))
		Consistently(ctx, func() (string, error) {
			output, err := r.Exec(ctx, r.routerHosts[0], "birdc", "show", "protocols", "all")
			return preserved(output, address), err
		}, 5*time.Second, cliInterval).Should(Equal("no session"))
		_, err = r.Run(ctx, "start", "kube-proxy/"+node)
		Expect(err).NotTo(HaveOccurred())
		Eventually(start, 3*soon).Should(Receive(Succeed()))
		AddReportEntry("ready after", time.Since(started))
		r.expectPreserved(ctx, node, "")
	})

	It("tells a reboot from a restart", func(ctx SpecContext) {
		const node = "node-1"
		marks := r.marks()
		stopAgent(ctx, r, node)
		startAgent(ctx, r, node)
		r.expectPreserved(ctx, node, "ipv4 ipv6")

		stopAgent(ctx, r, node)
		r.expectUntouched(marks)
		_, err := r.Exec(ctx, node, "sh", "-c", "rm -rf /run/herald/*") // It is on a tmpfs, which a reboot empties.
		Expect(err).NotTo(HaveOccurred())
		startAgent(ctx, r, node)
		r.expectPreserved(ctx, node, "")
	})
}

// expectPreserved waits until every router has a session with the node in whose OPEN the node says that it has kept
// forwarding for these families (RFC 4724: the F bit). BIRD forgets the routes of all others, but only when it next gets
// to it: where they have been sent again by then, its kernel routes do not show it.
func (r *rack) expectPreserved(ctx SpecContext, node, families string) {
	GinkgoHelper()
	address := r.nextHops(true, node)[0].String()
	for _, router := range r.routerHosts {
		Eventually(ctx, func() (string, error) {
			output, err := r.Exec(ctx, router, "birdc", "show", "protocols", "all")
			return preserved(output, address), err
		}, 3*soon, cliInterval).Should(Equal(families), "%s of %s", router, node)
	}
}

// preserved returns the families that a neighbor has preserved, of what `birdc show protocols all` says; without an
// established session there are no capabilities, and it is "no session".
func preserved(protocols, neighbor string) string {
	_, session, _ := strings.Cut(protocols, "Neighbor address: "+neighbor+"\n")
	session, _, _ = strings.Cut(session, "Neighbor address:")
	_, capabilities, _ := strings.Cut(session, "Neighbor capabilities")
	_, families, established := strings.Cut(capabilities, "AF preserved:")
	if !established {
		return "no session"
	}
	families, _, _ = strings.Cut(families, "\n")
	return strings.TrimSpace(families)
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
