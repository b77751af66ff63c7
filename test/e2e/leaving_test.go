package e2e

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/kubelet"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/lab/topology"
)

// leavingCases are about nodes and peers that go for good, and what routers are told of it.
func leavingCases(r *rack) {
	maintenanceCase(r)
	externalCase(r)

	It("takes leave of routers for the exclusion label", func(ctx SpecContext) {
		r.takeLeaveFor(ctx, 2)
		farewells := r.farewells(ctx, "tor")
		r.label(ctx, "node-3", intent.ExcludeLabel)
		r.expectMarked(ctx, "tor", "node-3")
		r.expectNoPaths(ctx, "tor", "node-3")
		Eventually(ctx, func() int { return r.farewells(ctx, "tor") }, soon, cliInterval).Should(Equal(farewells + 1))
	})

	It("takes leave of routers when a kubelet says that its host shuts down, and comes back when it does not", func(ctx SpecContext) {
		r.takeLeaveFor(ctx, 2)
		const shutdown = `{"status":{"conditions":[{"type":"Ready","status":"False","reason":"KubeletNotReady","message":"node is shutting down"}]}}`
		Eventually(ctx, func(g Gomega) { // The lab's kubelet says otherwise every few seconds.
			_, err := r.Kubectl(ctx, "patch", "node", "node-1", "--subresource=status", "--type=strategic", "-p", shutdown)
			g.Expect(err).NotTo(HaveOccurred())
			paths, err := r.pathsFrom(ctx, "tor", "node-1")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(paths).To(And(Not(BeEmpty()), HaveEach(aboutToGo())))
		}, soon, interval).Should(Succeed())
		r.expectRouteWithin(ctx, recovery, clusterBlock, r.nodes()...)
	})

	It("changes nothing for a cordon", func(ctx SpecContext) {
		marks := r.marks()
		_, err := r.Kubectl(ctx, "cordon", "node-1")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) error { _, err := r.Kubectl(ctx, "uncordon", "node-1"); return err })
		Consistently(ctx, func() string { return r.readyReason(ctx, "node-1") }, 2*time.Second, cliInterval).Should(Equal("AllEstablished"))
		paths, err := r.pathsFrom(ctx, "tor", "node-1")
		Expect(err).NotTo(HaveOccurred())
		Expect(paths).To(And(Not(BeEmpty()), HaveEach(HaveField("Marked", false))))
		r.expectUntouched(marks)
	})

	It("takes leave of a router that is not peered with any more, and of no other", func(ctx SpecContext) {
		other := r.routers[1]
		mark, farewells := other.Mark(), r.farewells(ctx, "tor")
		r.takeLeaveFor(ctx, 2)
		Expect(r.delete(ctx, "bgppeer/tor")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.Apply(ctx, peers(r))).To(Succeed()) })
		for _, node := range r.nodes() {
			r.expectMarked(ctx, "tor", node)
		}
		Eventually(ctx, r.routers[0].Prefixes, soon, interval).Should(BeEmpty())
		Eventually(ctx, func() int { return r.farewells(ctx, "tor") }, soon, cliInterval).Should(Equal(farewells + len(r.nodes())))
		Expect(other.Since(mark)).To(BeEmpty())
	})

	It("ends without a word when it is replaced, and takes its leave when its host shuts down", func(ctx SpecContext) {
		const node = "node-3"
		r.takeLeaveFor(ctx, 2)
		endKubelet := r.playKubelet(ctx, node)
		r.replaceAgent(ctx, node)
		marks, farewells := r.marks(), r.farewells(ctx, "tor")
		r.replaceAgent(ctx, node) // As an upgrade does: the kubelet lives on.
		r.expectUntouched(marks)
		Expect(r.farewells(ctx, "tor")).To(Equal(farewells))

		endKubelet()
		DeferCleanup(func(ctx SpecContext) { startAgent(ctx, r, node) })
		stopAgent(ctx, r, node)
		r.expectRoute(ctx, clusterBlock, "node-1", "node-2")
		Eventually(ctx, func() int { return r.farewells(ctx, "tor") }, soon, cliInterval).Should(Equal(farewells + 1))
	})

	It("takes leave of routers when its Node is deleted", func(ctx SpecContext) {
		node := r.nodeWithoutManager(ctx)
		r.takeLeaveFor(ctx, 2)
		var object corev1.Node
		Expect(r.api.Get(ctx, client.ObjectKey{Name: node}, &object)).To(Succeed())
		Expect(r.api.Delete(ctx, &object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			again := &corev1.Node{Spec: object.Spec}
			again.Name, again.Labels, again.Annotations = object.Name, object.Labels, object.Annotations
			Expect(r.api.Create(ctx, again)).To(Succeed())
			_, err := r.Run(ctx, "start", "kube-proxy/"+node) // It ends when its Node goes, and here no kubelet starts it again.
			Expect(err).NotTo(HaveOccurred())
		})
		r.expectMarked(ctx, "tor", node)
		r.expectNoPaths(ctx, "tor", node)
		r.expectRoute(ctx, clusterBlock, slices.DeleteFunc(r.nodes(), func(n string) bool { return n == node })...)
	})
}

// maintenanceCase is the one that runs against every kind of router.
func maintenanceCase(r *rack) {
	It("loses no new connection when a node is taken out for maintenance and brought back", func(ctx SpecContext) {
		const node, rate, connections = "node-2", 200, 60
		urls := r.trafficTargets(ctx)
		others := []string{"node-1", "node-3"}
		held, err := harness.Hold(ctx, r.Lab, topology.External, connections, urls...)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(held.Stop)
		expectAllAnswered := r.sendTrafficAt(ctx, rate, urls...)
		farewells := r.farewells(ctx, "tor")

		r.label(ctx, node, intent.MaintenanceLabel)
		for _, router := range r.routerHosts {
			r.expectMarked(ctx, router, node)
		}
		r.expectRoute(ctx, clusterBlock, others...)
		Eventually(ctx, func() string { return r.readyReason(ctx, node) }, soon, cliInterval).
			Should(Equal("Draining"), "routers have left while the node still has its routes")
		session, err := r.session(ctx, node, "tor")
		Expect(err).NotTo(HaveOccurred())
		Expect(session.State).To(Equal(v1alpha1.SessionEstablished))

		for _, router := range r.routerHosts {
			r.expectNoPaths(ctx, router, node)
		}
		Eventually(ctx, func() string { return r.readyReason(ctx, node) }, soon, cliInterval).Should(Equal("NodeExcluded"))
		Eventually(ctx, func() int { return r.farewells(ctx, "tor") }, soon, cliInterval).Should(Equal(farewells + 1))
		Eventually(ctx, func() (string, error) {
			return r.Kubectl(ctx, "get", "events", "--field-selector", "involvedObject.kind=Node,involvedObject.name="+node)
		}, soon, cliInterval).Should(And(ContainSubstring("Draining"), ContainSubstring("OutOfService")))

		_, err = r.Kubectl(ctx, "label", "node", node, intent.MaintenanceLabel+"-")
		Expect(err).NotTo(HaveOccurred())
		r.expectRouteWithin(ctx, recovery, clusterBlock, r.nodes()...)
		expectAllAnswered()
		Expect(held.Stop()).To(Succeed())
		AddReportEntry(fmt.Sprintf("of %d connections held open through both switches, lost", connections), lost(held))
	})
}

// externalCase is about eBGP, where the router itself has to know the community: docs/maintenance.md says how.
func externalCase(r *rack) {
	It("takes leave of a router in another AS, which matches the community", func(ctx SpecContext) {
		const node, asNumber = "node-2", "64600"
		r.peerExternally(ctx)
		r.reconfigure(ctx, "  asNumber: "+asNumber+"\n  gracefulShutdown: {timeSeconds: 2}\n"+baseBlocks(r))
		for _, n := range r.nodes() {
			Eventually(ctx, func() ([]path, error) { return r.pathsFrom(ctx, "tor", n) }, recovery, cliInterval).
				Should(And(Not(BeEmpty()), HaveEach(And(HaveField("ASPath", asNumber), HaveField("Lowest", false)))), n)
		}
		r.expectRoute(ctx, clusterBlock, r.nodes()...)
		r.label(ctx, node, intent.MaintenanceLabel)
		r.expectMarked(ctx, "tor", node)
		r.expectRoute(ctx, clusterBlock, "node-1", "node-3")
		r.expectNoPaths(ctx, "tor", node)
	})
}

// peerExternally lets the routers, for the length of one case, peer with nodes of another AS, and prefer others to what
// carries the community. FRR does the latter by itself.
func (r *rack) peerExternally(ctx SpecContext) {
	GinkgoHelper()
	if r.daemon == "frr" {
		remoteAS := func(ctx SpecContext, as string) {
			GinkgoHelper()
			_, err := r.Exec(ctx, "tor", "vtysh", "-c", "configure terminal", "-c", fmt.Sprintf("router bgp %d", asNumber),
				"-c", "neighbor nodes remote-as "+as)
			Expect(err).NotTo(HaveOccurred())
		}
		remoteAS(ctx, "external")
		DeferCleanup(remoteAS, strconv.Itoa(asNumber))
		return
	}
	const everything, lowering = "import all;", "import filter { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; };"
	replace := func(ctx SpecContext, from, to string) {
		GinkgoHelper()
		for _, router := range r.routerHosts {
			_, err := r.Exec(ctx, router, "sed", "-i", "s/"+from+"/"+to+"/", "/etc/bird/bird.conf")
			Expect(err).NotTo(HaveOccurred())
			_, err = r.Exec(ctx, router, "birdc", "configure")
			Expect(err).NotTo(HaveOccurred())
		}
	}
	replace(ctx, everything, lowering)
	DeferCleanup(replace, lowering, everything)
	r.acceptAnyAS(ctx)
}

// lost counts the connections that a client lost, by cause: what follows the last colon of an error.
func lost(held *harness.Traffic) map[string]int {
	causes := map[string]int{}
	for _, request := range held.Failed() {
		causes[request.Error[strings.LastIndex(request.Error, ": ")+1:]]++
	}
	return causes
}

// takeLeaveFor sets how long routes are marked, for the length of one case.
func (r *rack) takeLeaveFor(ctx context.Context, seconds int) {
	GinkgoHelper()
	r.reconfigure(ctx, fmt.Sprintf("  gracefulShutdown: {timeSeconds: %d}\n", seconds)+baseBlocks(r))
}

// label labels a node, for the length of one case.
func (r *rack) label(ctx context.Context, node, label string) {
	GinkgoHelper()
	_, err := r.Kubectl(ctx, "label", "node", node, label+"=true")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) error {
		_, err := r.Kubectl(ctx, "label", "node", node, label+"-")
		return err
	})
}

// readyReason returns the reason of a BGPNode's condition Ready.
func (r *rack) readyReason(ctx context.Context, node string) string {
	var object v1alpha1.BGPNode
	if err := r.api.Get(ctx, client.ObjectKey{Name: node}, &object); err != nil {
		return err.Error()
	}
	ready := meta.FindStatusCondition(object.Status.Conditions, string(v1alpha1.ConditionReady))
	if ready == nil {
		return ""
	}
	return ready.Reason
}

// nodeWithoutManager returns a node that can go without a manager's going too.
func (r *rack) nodeWithoutManager(ctx context.Context) string {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(r.api.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/component": "manager"})).To(Succeed())
	for _, node := range r.nodes() {
		if !slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool { return p.Spec.NodeName == node }) {
			return node
		}
	}
	Fail("every node runs a manager")
	return ""
}

// replaceAgent ends a node's agent and waits until the next one has sessions.
func (r *rack) replaceAgent(ctx SpecContext, node string) {
	GinkgoHelper()
	stopAgent(ctx, r, node)
	started := time.Now().Truncate(time.Second)
	startAgent(ctx, r, node)
	for _, router := range r.routerHosts {
		Eventually(ctx, func(g Gomega) {
			session, err := r.session(ctx, node, router)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(session.State).To(Equal(v1alpha1.SessionEstablished))
			g.Expect(session.Since.Time).To(BeTemporally(">=", started))
		}, 3*soon, cliInterval).Should(Succeed(), "%s with %s", node, router)
	}
}

// playKubelet listens where a kubelet serves its health, which the lab's does not, until the returned function is called.
func (r *rack) playKubelet(ctx context.Context, node string) (end func()) {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = r.Probe(ctx, node, "listen", kubelet.Address) // Ends with its context.
	}()
	end = func() { cancel(); <-ended }
	DeferCleanup(end)
	Eventually(ctx, func() (string, error) { return r.Exec(ctx, node, "ss", "-ltn") }, soon, cliInterval).
		Should(ContainSubstring(kubelet.Address))
	return end
}
