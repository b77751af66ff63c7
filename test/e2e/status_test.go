package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/lab/table"
)

// heard is how soon a peer's status says what its agents know.
const heard = 2 * time.Second

// statusCases are about what kubectl shows of sessions and routes.
func statusCases(r *rack) {
	It("tells which sessions are up, and why not, when a router stops and comes back", func(ctx SpecContext) {
		router := r.routerHosts[1]
		r.expectSessions(ctx, router, "3/3", "True")
		_, err := r.Kubectl(ctx, "wait", "--for=condition=Established", "bgppeer/"+router, "--timeout=1s")
		Expect(err).NotTo(HaveOccurred())

		before := r.downs(ctx, router)
		_, err = r.Run(ctx, "stop", router)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			_, err := r.Run(ctx, "start", router)
			Expect(err).NotTo(HaveOccurred())
			r.expectSessions(ctx, router, "3/3", "True")
		})
		for _, node := range r.nodes() {
			Eventually(ctx, func() (v1alpha1.SessionState, error) {
				session, err := r.session(ctx, node, router)
				return session.State, err
			}, soon, interval).ShouldNot(Equal(v1alpha1.SessionEstablished), node)
		}
		known := time.Now()
		Eventually(ctx, func() string { return r.row(ctx, "bgppeer", router)["SESSIONS"] }, heard, cliInterval).Should(Equal("0/3"))
		AddReportEntry("kubectl says 0/3 after", time.Since(known))
		row := r.row(ctx, "bgppeer", router)
		Expect(row["ESTABLISHED"]).To(Equal("False"))
		Expect(row["REASON"]).To(Equal(string(v1alpha1.ReasonSessionsDown)))
		peer := r.peer(ctx, router)
		for _, session := range peer.Status.Sessions {
			Expect(session.LastError).NotTo(BeEmpty(), session.Node)
		}
		r.expectSessions(ctx, r.routerHosts[0], "3/3", "True")
		Eventually(ctx, r.downs, soon, cliInterval).WithArguments(router).Should(BeNumerically(">", before), "one event for three nodes")
		Expect(r.downs(ctx, router) - before).To(BeNumerically("<", 4))
	})

	It("shows a silent agent's sessions as Unknown", func(ctx SpecContext) {
		const node = "node-3"
		_, err := r.Run(ctx, "stop", "agent/"+node)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			startAgent(ctx, r, node)
			for _, router := range r.routerHosts {
				r.expectSessions(ctx, router, "3/3", "True")
			}
		})
		for _, router := range r.routerHosts {
			Eventually(ctx, func(g Gomega) {
				peer := r.peer(ctx, router)
				g.Expect(peer.Status.Nodes.Ready).To(Equal("2/3"))
				g.Expect(peer.Status.Sessions[0].Node).To(Equal(node), "the unhealthy come first")
				g.Expect(peer.Status.Sessions[0].State).To(Equal(v1alpha1.SessionUnknown))
				g.Expect(r.row(ctx, "bgppeer", router)["ESTABLISHED"]).To(Equal("Unknown"))
			}, time.Minute, time.Second).Should(Succeed(), router)
		}
	})

	It("tells of a Service's routes by events", func(ctx SpecContext) {
		const name, address = "told", "192.168.3.50"
		r.createService(ctx, service{name: name, local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), r.nodes()...)
		Eventually(ctx, func() []string { return r.events(ctx, "Service", name) }, soon, cliInterval).
			Should(ContainElement(And(HavePrefix("Advertised: "), ContainSubstring(host(address)))))
		_, err := r.Kubectl(ctx, "patch", "service", name, "-p", `{"spec":{"selector":{"app":"nobody"}}}`)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() []string { return r.events(ctx, "Service", name) }, soon, cliInterval).
			Should(ContainElement(And(HavePrefix("Withdrawn: "), ContainSubstring(host(address)))))
	})

	It("says so when a Secret is missing, and lets the other peers be", func(ctx SpecContext) {
		Expect(r.Apply(ctx, peerWithPassword("secretive", "nowhere"))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "bgppeer/secretive")).To(Succeed()) })
		Eventually(ctx, func() string { return r.condition(ctx, "secretive", v1alpha1.ConditionAccepted) }, soon, cliInterval).
			Should(And(HavePrefix("False "), ContainSubstring(`nowhere`)))
		for _, router := range r.routerHosts {
			r.expectSessions(ctx, router, "3/3", "True")
		}
	})
}

// expectSessions waits until kubectl shows of a peer so many sessions.
func (r *rack) expectSessions(ctx context.Context, peer, sessions, established string) {
	GinkgoHelper()
	Eventually(ctx, func() []string {
		row := r.row(ctx, "bgppeer", peer)
		return []string{row["SESSIONS"], row["ESTABLISHED"]}
	}, recovery, cliInterval).Should(Equal([]string{sessions, established}), "bgppeer %s", peer)
}

// row returns what `kubectl get -o wide` prints of an object, by heading.
func (r *rack) row(ctx context.Context, kind, name string) map[string]string {
	GinkgoHelper()
	output, err := r.Kubectl(ctx, "get", kind, name, "-o", "wide")
	Expect(err).NotTo(HaveOccurred())
	rows := table.Parse(output, "NAME")
	Expect(rows).To(HaveLen(1), output)
	return rows[0]
}

func (r *rack) peer(ctx context.Context, name string) *v1alpha1.BGPPeer {
	GinkgoHelper()
	p := &v1alpha1.BGPPeer{}
	Expect(r.api.Get(ctx, client.ObjectKey{Name: name}, p)).To(Succeed())
	return p
}

// condition returns a condition of a peer in one line; "" where it has none.
func (r *rack) condition(ctx context.Context, peer string, kind v1alpha1.ConditionType) string {
	GinkgoHelper()
	for _, c := range r.peer(ctx, peer).Status.Conditions {
		if c.Type == string(kind) {
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
	}
	return ""
}

// events returns the events about an object, each as its reason and its message.
func (r *rack) events(ctx context.Context, kind, name string) []string {
	GinkgoHelper()
	list := &corev1.EventList{}
	Expect(r.api.List(ctx, list, client.InNamespace("default"))).To(Succeed())
	var texts []string
	for _, e := range list.Items {
		if e.InvolvedObject.Kind == kind && e.InvolvedObject.Name == name {
			texts = append(texts, e.Reason+": "+e.Message)
		}
	}
	return texts
}

func withPrefix(texts []string, prefix string) []string {
	var found []string
	for _, text := range texts {
		if strings.HasPrefix(text, prefix) {
			found = append(found, text)
		}
	}
	return found
}

// downs counts the texts that events on a BGPPeer told of lost sessions.
func (r *rack) downs(ctx context.Context, name string) int {
	return len(withPrefix(r.events(ctx, "BGPPeer", name), "SessionDown: "))
}
