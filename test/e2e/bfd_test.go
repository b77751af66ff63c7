package e2e

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

// detection is what a node that is cut off may take to leave a router's table at 300 ms x 3, on a machine that is several times
// overloaded. What it takes on one that is not is in docs/benchmarks.md.
const detection = 3 * time.Second

// bfdCases are about BFD. keepRoutes has the routers keep routes over the restart of an agent under BFD, and show is the command
// with which they show their BFD sessions.
func bfdCases(r *rack, keepRoutes func(SpecContext), show ...string) {
	Context("with BFD", Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			// Without graceful restart: what a router does with the two is its own affair, see docs/bfd.md.
			Expect(r.patchPeers(ctx, `{"spec": {"bfd": {}, "gracefulRestart": {"mode": "Disabled"}}}`)).To(Succeed())
			DeferCleanup(r.renewPeers)
			r.expectBFD(ctx, v1alpha1.BFDUp)
			r.expectBaseline(ctx)
		})

		It("comes up at both ends, and shows in status and metrics", func(ctx SpecContext) {
			for _, router := range r.routers {
				Eventually(ctx, func() (int, error) {
					answer, err := r.Exec(ctx, router.Host, show...)
					return strings.Count(strings.ToLower(answer), "up"), err
				}, soon, cliInterval).Should(BeNumerically(">=", len(r.nodes())), "sessions that %s has up", router.Host)
			}
			var list v1alpha1.BGPPeerList
			Expect(r.api.List(ctx, &list)).To(Succeed())
			for _, peer := range list.Items {
				Eventually(ctx, func() ([]v1alpha1.BFDState, error) {
					err := r.api.Get(ctx, client.ObjectKeyFromObject(&peer), &peer)
					var states []v1alpha1.BFDState
					for _, s := range peer.Status.Sessions {
						states = append(states, s.BFD)
					}
					return states, err
				}, soon, cliInterval).Should(And(HaveLen(len(r.nodes())), HaveEach(v1alpha1.BFDUp)), peer.Name)
				Expect(r.scrape(ctx, "node-1")).To(ContainSubstring(`herald_bfd_session_state{peer="` + peer.Name + `",state="Up"} 1`))
			}
		})

		It("has a node that is cut off out of the routers' tables by BFD, and no other", func(ctx SpecContext) {
			const node = "node-2"
			marks, before := r.marks(), time.Now()
			_, err := r.Run(ctx, "cut", node)
			Expect(err).NotTo(HaveOccurred())
			cut := time.Now() // At the latest: it takes a process that sets the link down.
			DeferCleanup(func(ctx SpecContext) {
				_, err := r.Run(ctx, "mend", node)
				Expect(err).NotTo(HaveOccurred())
				r.expectBFD(ctx, v1alpha1.BFDUp)
				r.expectBaseline(ctx)
			})
			for _, block := range blocks(r) {
				r.expectRouteWithin(ctx, holdTime, block, "node-1", "node-3")
			}
			for i, router := range r.routers {
				var last time.Time
				for _, event := range router.Since(marks[i]) {
					if event.Time.After(last) {
						last = event.Time
					}
				}
				AddReportEntry("out of the table of "+router.Host+" after", last.Sub(cut))
				AddReportEntry("since the command was given", last.Sub(before))
				Expect(last.Sub(cut)).To(BeNumerically("<", detection), router.Host)
				for _, hop := range r.nextHops(true, "node-1", "node-3") {
					Expect(router.Lost(marks[i], hop)).To(BeEmpty(), "%s on %s", hop, router.Host)
				}
			}
			Eventually(ctx, func() (string, error) {
				s, err := r.session(ctx, "node-1", r.peerNames(ctx)[0])
				return string(s.BFD), err
			}, soon, cliInterval).Should(Equal("Up"))
		})

		It("is changed without touching a route", func(ctx SpecContext) {
			marks := r.marks()
			for _, change := range []string{
				`{"spec": {"bfd": {"transmitIntervalMilliseconds": 600, "receiveIntervalMilliseconds": 500, "detectMultiplier": 5}}}`,
				`{"spec": {"bfd": {"transmitIntervalMilliseconds": 200, "receiveIntervalMilliseconds": 250, "detectMultiplier": 4}}}`,
				`{"spec": {"bfd": {"transmitIntervalMilliseconds": null, "receiveIntervalMilliseconds": null, "detectMultiplier": null}}}`,
			} {
				Expect(r.patchPeers(ctx, change)).To(Succeed())
				Consistently(ctx, func() []string { return r.since(marks) }, 2*time.Second, interval).Should(BeEmpty(), change)
			}
			r.expectBFD(ctx, v1alpha1.BFDUp)
		})
	})

	Context("with BFD and graceful restart", Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			keepRoutes(ctx)
			Expect(r.patchPeers(ctx, `{"spec": {"bfd": {}}}`)).To(Succeed())
			DeferCleanup(r.renewPeers)
			r.expectBFD(ctx, v1alpha1.BFDUp)
			r.expectBaseline(ctx)
		})

		It("loses no route while an agent is replaced, which shuts BFD down", func(ctx SpecContext) {
			marks := r.marks()
			_, err := r.Run(ctx, "stop", "agent/node-1")
			Expect(err).NotTo(HaveOccurred())
			_, err = r.Run(ctx, "start", "agent/node-1")
			Expect(err).NotTo(HaveOccurred())
			r.expectBFD(ctx, v1alpha1.BFDUp)
			r.expectUntouched(marks)
		})

		It("loses no route when an agent is killed", func(ctx SpecContext) {
			marks, killed := r.marks(), time.Now().Truncate(time.Second)
			_, err := r.Run(ctx, "kill", "agent/node-1")
			Expect(err).NotTo(HaveOccurred())
			for _, peer := range r.peerNames(ctx) {
				Eventually(ctx, func(g Gomega) {
					s, err := r.session(ctx, "node-1", peer)
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(s.State).To(Equal(v1alpha1.SessionEstablished))
					g.Expect(s.Since.Time).To(BeTemporally(">=", killed))
				}, 3*soon, cliInterval).Should(Succeed())
			}
			r.expectBFD(ctx, v1alpha1.BFDUp)
			r.expectUntouched(marks)
		})
	})
}

// birdGraceful has BIRD keep routes when BFD fails, as "bfd on" does not: it takes even the end of BFD that a peer announces for a
// failure.
func (r *rack) birdGraceful(ctx SpecContext) {
	GinkgoHelper()
	change := func(ctx SpecContext, from, to string) {
		GinkgoHelper()
		for _, router := range r.routerHosts {
			_, err := r.Exec(ctx, router, "sed", "-i", "s/bfd "+from+";/bfd "+to+";/", "/etc/bird/bird.conf")
			Expect(err).NotTo(HaveOccurred())
			_, err = r.Exec(ctx, router, "birdc", "configure")
			Expect(err).NotTo(HaveOccurred())
		}
	}
	change(ctx, "on", "graceful")
	DeferCleanup(func(ctx SpecContext) { change(ctx, "graceful", "on") })
}

// asConfigured leaves the routers as they are: FRR keeps the routes of a node that was restarting when its BFD failed.
func asConfigured(SpecContext) {}

// renewPeers brings the BGPPeers back to what all cases start from. They are removed in between: to a router that goes on with BFD
// its end is a failure, and FRR 8.4 may then have none for a session that is back before it has forgotten the last.
func (r *rack) renewPeers(ctx SpecContext) {
	Expect(r.delete(ctx, "bgppeers --all")).To(Succeed())
	for _, block := range blocks(r) {
		r.expectNoRoute(ctx, block)
	}
	Expect(r.Apply(ctx, peers(r))).To(Succeed())
	r.expectBaseline(ctx)
}

func (r *rack) peerNames(ctx SpecContext) []string {
	GinkgoHelper()
	var list v1alpha1.BGPPeerList
	Expect(r.api.List(ctx, &list)).To(Succeed())
	var names []string
	for _, peer := range list.Items {
		names = append(names, peer.Name)
	}
	return names
}

// scraper may read the agents' metrics.
const scraper = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: scraper}
rules: [{nonResourceURLs: [/metrics], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: scraper}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: scraper}
subjects: [{kind: ServiceAccount, name: default, namespace: default}]
`

// scrape returns what a node's agent tells Prometheus.
func (r *rack) scrape(ctx SpecContext, node string) string {
	GinkgoHelper()
	Expect(r.Apply(ctx, scraper)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(r.delete(ctx, "clusterrolebinding/scraper", "clusterrole/scraper")).To(Succeed())
	})
	token, err := r.Kubectl(ctx, "create", "token", "default", "-n", "default")
	Expect(err).NotTo(HaveOccurred())
	var page string
	Eventually(ctx, func() (err error) {
		page, err = r.Exec(ctx, node, "curl", "-sSfk", "-m", "2", "-H", "Authorization: Bearer "+strings.TrimSpace(token), "https://127.0.0.1:17901/metrics")
		return err
	}, soon, cliInterval).Should(Succeed())
	return page
}

// patchPeers merges a patch into every BGPPeer.
func (r *rack) patchPeers(ctx SpecContext, patch string) error {
	for _, name := range r.peerNames(ctx) {
		if _, err := r.Kubectl(ctx, "patch", "bgppeer", name, "--type=merge", "-p", patch); err != nil {
			return err
		}
	}
	return nil
}

// expectBFD waits until every node has BFD in a state with every peer, on established sessions.
func (r *rack) expectBFD(ctx SpecContext, state v1alpha1.BFDState) {
	GinkgoHelper()
	for _, node := range r.nodes() {
		for _, peer := range r.peerNames(ctx) {
			Eventually(ctx, func(g Gomega) {
				s, err := r.session(ctx, node, peer)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(s.State).To(Equal(v1alpha1.SessionEstablished), s.LastError)
				g.Expect(s.BFD).To(Equal(state), s.BFDError)
			}, recovery, cliInterval).Should(Succeed(), "BFD of %s with %s", node, peer)
		}
	}
}
