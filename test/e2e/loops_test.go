package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/lab/topology"
)

// unclaimedPort is one that no Service of the suite has.
const unclaimedPort = 4242

// loopCases are about packets for addresses inside an aggregate that no Service has.
func loopCases(r *rack) {
	for name, unclaimed := range map[string]string{"IPv4": "192.168.3.250", "IPv6": "2001:db8:3::fa"} {
		It("ends packets that nobody claims on the node, "+name, func(ctx SpecContext) {
			marks := r.marks()
			counts := map[v1alpha1.LoopPrevention]int{}
			for _, mode := range []v1alpha1.LoopPrevention{v1alpha1.LoopPreventionDisabled, v1alpha1.LoopPreventionDrop, v1alpha1.LoopPreventionReject} {
				r.setLoopPrevention(ctx, mode)
				seen, told := r.sendUnclaimed(ctx, unclaimed)
				counts[mode] = seen
				AddReportEntry(fmt.Sprintf("%s: one packet is seen on the nodes' uplinks", mode), fmt.Sprintf("%d times, sender told: %t", seen, told))
				Expect(told).To(Equal(mode == v1alpha1.LoopPreventionReject), "the sender is told, with %s", mode)
			}
			Expect(counts[v1alpha1.LoopPreventionDisabled]).To(BeNumerically(">=", 60), "it bounces until its TTL of 64 ends")
			Expect(counts[v1alpha1.LoopPreventionDrop]).To(Equal(1))
			Expect(counts[v1alpha1.LoopPreventionReject]).To(Equal(1))
			r.expectUntouched(marks)
		})
	}

	It("lets a Service inside a block answer, and its pods reach a real host inside it", func(ctx SpecContext) {
		const address, host = "192.168.3.60", "192.168.3.251"
		r.setLoopPrevention(ctx, v1alpha1.LoopPreventionDrop)
		r.createService(ctx, service{name: "guarded", externalIPs: []string{address}})
		for range 3 * len(r.nodes()) {
			r.expectAnswer(ctx, url(address))
		}

		By("giving a host behind the routers an address inside the block")
		behind, _ := r.plan.Host(topology.ControlPlane) // It has routes to pods.
		_, err := r.Exec(ctx, behind.Name, "ip", "address", "add", host+"/32", "dev", "lo")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			_, _ = r.Exec(ctx, behind.Name, "ip", "address", "del", host+"/32", "dev", "lo")
		})
		for _, router := range r.routerHosts {
			_, err = r.Exec(ctx, router, "ip", "route", "add", host+"/32", "via", behind.Addresses()[0].String())
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func(ctx SpecContext) { _, _ = r.Exec(ctx, router, "ip", "route", "del", host+"/32") })
		}
		pod, err := r.Kubectl(ctx, "get", "pods", "-l", "app=echo", "-o", "jsonpath={.items[0].metadata.name}")
		Expect(err).NotTo(HaveOccurred())
		const refused = "curl: (7)" // The host says that the port is closed; were it not reached, it would say nothing.
		Eventually(ctx, func() (string, error) {
			return r.Exec(ctx, "pod/default/"+pod, "sh", "-c", fmt.Sprintf("curl -sS -m 2 http://%s:%d 2>&1; true", host, unclaimedPort))
		}, soon, cliInterval).Should(ContainSubstring(refused))
	})

	It("says in BGPNode and in nftables what it does, puts back what is changed, and removes it when it is off", func(ctx SpecContext) {
		const node = "node-1"
		r.setLoopPrevention(ctx, v1alpha1.LoopPreventionDrop)
		Eventually(ctx, r.loopsPrevented, soon, cliInterval).WithArguments(node).Should(Equal("True RulesInPlace"))
		_, err := r.Exec(ctx, node, "nft", "flush", "chain", "inet", "herald", "forward")
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, r.rules, 2*soon, cliInterval).WithArguments(node).Should(ContainSubstring("@blocks-ipv4 drop"))

		r.setLoopPrevention(ctx, v1alpha1.LoopPreventionDisabled)
		Eventually(ctx, r.loopsPrevented, soon, cliInterval).WithArguments(node).Should(Equal("False PreventionDisabled"))
		r.setLoopPrevention(ctx, v1alpha1.LoopPreventionDrop)

		By("taking the node out of service")
		r.label(ctx, node, "node.kubernetes.io/exclude-from-external-load-balancers")
		Eventually(ctx, r.rules, 2*soon, cliInterval).WithArguments(node).Should(BeEmpty())
	})
}

// setLoopPrevention sets what becomes of packets that would loop, for the rest of the case, and waits until every node has
// rules for it.
func (r *rack) setLoopPrevention(ctx SpecContext, mode v1alpha1.LoopPrevention) {
	GinkgoHelper()
	patch := func(ctx context.Context, value string) error {
		_, err := r.Kubectl(ctx, "patch", "bgpconfiguration", "default", "--type=merge", "-p", `{"spec":{"serviceLoopPrevention":`+value+`}}`)
		return err
	}
	Expect(patch(ctx, `"`+string(mode)+`"`)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(patch(ctx, "null")).To(Succeed()) })
	want := map[v1alpha1.LoopPrevention]string{
		v1alpha1.LoopPreventionDrop: "@blocks-ipv4 drop", v1alpha1.LoopPreventionReject: "@blocks-ipv4 reject",
	}[mode]
	for _, node := range r.nodes() {
		if want == "" {
			Eventually(ctx, r.rules, soon, cliInterval).WithArguments(node).Should(BeEmpty(), "rules of %s", node)
			continue
		}
		Eventually(ctx, r.rules, soon, cliInterval).WithArguments(node).Should(ContainSubstring(want), "rules of %s", node)
	}
}

// rules returns the rules against loops of a node, "" where there are none.
func (r *rack) rules(ctx context.Context, node string) string {
	rules, err := r.Exec(ctx, node, "nft", "list", "table", "inet", "herald")
	if err != nil && strings.Contains(err.Error(), "No such file or directory") {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	return rules
}

// loopsPrevented returns status and reason of a node's condition LoopsPrevented.
func (r *rack) loopsPrevented(ctx context.Context, node string) (string, error) {
	return r.Kubectl(ctx, "get", "bgpnode", node, "-o",
		`jsonpath={.status.conditions[?(@.type=="LoopsPrevented")].status} {.status.conditions[?(@.type=="LoopsPrevented")].reason}`)
}

// sendUnclaimed lets the outside client send one UDP packet to an address, and returns how often tcpdump saw it on the
// uplinks of the nodes, coming or going, and whether its sender was told that nobody is there.
func (r *rack) sendUnclaimed(ctx SpecContext, address string) (seen int, told bool) {
	GinkgoHelper()
	captures := make(chan string, len(r.nodes()))
	for _, node := range r.nodes() {
		go func() {
			defer GinkgoRecover()
			captures <- r.capture(ctx, node)
		}()
	}
	for _, node := range r.nodes() {
		Eventually(ctx, func() (string, error) { return r.Exec(ctx, node, "cat", "/proc/net/packet") }, soon, interval).
			Should(MatchRegexp(`\n.+\n`), "tcpdump on %s has no socket", node)
	}
	told, err := r.SendDatagram(ctx, topology.External, netip.AddrPortFrom(netip.MustParseAddr(address), unclaimedPort))
	Expect(err).NotTo(HaveOccurred())
	for range r.nodes() {
		seen += strings.Count(<-captures, "length")
	}
	return seen, told
}

// capture returns what tcpdump sees for a while of packets to the port that nobody claims, on a node's uplink.
func (r *rack) capture(ctx context.Context, node string) string {
	GinkgoHelper()
	output, err := r.Exec(ctx, node, "sh", "-c",
		fmt.Sprintf("timeout -s INT 5 tcpdump -n -l -i eth0 udp dst port %d; test $? = 124", unclaimedPort))
	Expect(err).NotTo(HaveOccurred())
	return output
}
