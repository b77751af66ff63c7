package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/harness"
)

// exportCases are about what each of two routers gets.
func exportCases(r *rack) {
	It("keeps a Service from one router alone, without a reset, and gives it back", func(ctx SpecContext) {
		const address = "192.168.3.30"
		open, filtered := r.routers[0], r.routers[1]
		r.createService(ctx, service{name: "filtered", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), r.nodes()...)
		before := r.sessionsWith(ctx, filtered)
		marks := r.marks()

		r.export(ctx, filtered, `{action: Reject, prefixes: [{cidr: 192.168.3.0/24, ge: 32}]}`)
		Eventually(ctx, func() []netip.Addr { return filtered.NextHops(netip.MustParsePrefix(host(address))) }, soon, interval).
			Should(BeEmpty(), "next hops on %s", filtered.Host)
		r.expectAnswer(ctx, url(address))
		for _, node := range r.nodes() {
			Eventually(ctx, func(g Gomega) {
				here, err := r.session(ctx, node, filtered.Host)
				g.Expect(err).NotTo(HaveOccurred())
				there, err := r.session(ctx, node, open.Host)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(here.Advertised).To(Equal(there.Advertised-1), "advertised by %s", node)
			}, soon, cliInterval).Should(Succeed())
		}

		r.export(ctx, filtered)
		r.expectRoute(ctx, host(address), r.nodes()...)
		Expect(r.sessionsWith(ctx, filtered)).To(Equal(before), "since when, and how often lost")
		Expect(open.Since(marks[0])).To(BeEmpty(), "on %s", open.Host)
		for _, event := range filtered.Since(marks[1]) {
			Expect(event.Prefix.String()).To(Equal(host(address)), "the only prefix that differs")
		}
	})

	It("does not call advertised what no router gets", func(ctx SpecContext) {
		const address = "192.168.3.31"
		r.createService(ctx, service{name: "unheard", local: true, externalIPs: []string{address}})
		event := func(kind string) func() []string {
			return func() []string { return withPrefix(r.events(ctx, "Service", "unheard"), kind+": ") }
		}
		Eventually(ctx, event("Advertised"), soon, cliInterval).Should(ContainElement(ContainSubstring(host(address))))
		for _, router := range r.routers {
			r.export(ctx, router, `{action: Reject, kinds: [ExternalIP], prefixes: [{cidr: 192.168.3.31/32}]}`)
		}
		r.expectNoRoute(ctx, host(address))
		Eventually(ctx, func() (string, error) { return r.Kubectl(ctx, "get", "bgpnodes", "-o", "yaml") }, soon, cliInterval).
			ShouldNot(ContainSubstring(host(address)))
		Eventually(ctx, event("Withdrawn"), soon, cliInterval).Should(ContainElement(ContainSubstring(host(address))))
	})

	It("sends one router other attributes, and says what of a rule is in vain", func(ctx SpecContext) {
		const address = "192.168.3.32"
		plain, marked := r.routers[0], r.routers[1]
		r.reconfigure(ctx, baseBlocks(r)+`  communities: [{name: blackhole-me, value: "64512:666"}]
  prefixAdvertisements: [{cidr: 192.168.3.32/32, communities: ["64512:1"], med: 5}]
`)
		r.createService(ctx, service{name: "marked", local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), r.nodes()...)
		before := r.sessionsWith(ctx, marked)
		r.export(ctx, marked, `{action: Accept, communities: ["64512:1"], set: {addCommunities: [blackhole-me], med: 0, localPreference: 200, asPathPrepend: 2}}`)
		r.expectAttributes(ctx, marked, host(address), map[string]string{"community": "(64512,1) (64512,666)", "med": "0", "local_pref": "200"})
		r.expectAttributes(ctx, plain, host(address), map[string]string{"community": "(64512,1)", "med": "5", "local_pref": "100"})
		Eventually(ctx, func() string { return r.condition(ctx, marked.Host, v1alpha1.ConditionEstablished) }, soon, cliInterval).
			Should(And(HavePrefix("True ExportIgnored: "), ContainSubstring("spec.export[0].set.asPathPrepend")))
		Expect(r.sessionsWith(ctx, marked)).To(Equal(before), "since when, and how often lost")

		r.export(ctx, marked)
		r.expectAttributes(ctx, marked, host(address), map[string]string{"community": "(64512,1)", "med": "5", "local_pref": "100"})
	})
}

// export gives the peer of a router these export rules, for the length of one case at most.
func (r *rack) export(ctx SpecContext, router *harness.Router, rules ...string) {
	GinkgoHelper()
	patch := func(ctx SpecContext, rules string) {
		GinkgoHelper()
		edit, err := yaml.YAMLToJSON([]byte("{spec: {export: " + rules + "}}"))
		Expect(err).NotTo(HaveOccurred())
		_, err = r.Kubectl(ctx, "patch", "bgppeer", router.Host, "--type=merge", "-p", string(edit))
		Expect(err).NotTo(HaveOccurred())
	}
	if len(rules) == 0 {
		patch(ctx, "null")
		return
	}
	DeferCleanup(patch, "null")
	patch(ctx, "["+strings.Join(rules, ", ")+"]")
}

// sessionsWith returns since when every node has had its session with a router, and how often it was lost.
func (r *rack) sessionsWith(ctx SpecContext, router *harness.Router) []string {
	GinkgoHelper()
	r.expectSessions(ctx, router.Host, fmt.Sprintf("%d/%d", len(r.nodes()), len(r.nodes())), "True")
	var sessions []string
	for _, node := range r.nodes() {
		s, err := r.session(ctx, node, router.Host)
		Expect(err).NotTo(HaveOccurred())
		sessions = append(sessions, fmt.Sprintf("%s: %s since %s, lost %d times", node, s.State, s.Since.UTC(), s.Flaps))
	}
	return sessions
}

// expectAttributes waits until a BIRD router has a prefix from every node, and all with these attributes.
func (r *rack) expectAttributes(ctx SpecContext, router *harness.Router, prefix string, want map[string]string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		output, err := r.Exec(ctx, router.Host, "birdc", "show", "route", prefix, "all")
		g.Expect(err).NotTo(HaveOccurred())
		got := map[string][]string{}
		for line := range strings.Lines(output) {
			name, value, found := strings.Cut(strings.TrimSpace(line), ":")
			if name, isOfBGP := strings.CutPrefix(name, "BGP."); found && isOfBGP {
				got[name] = append(got[name], strings.TrimSpace(value))
			}
		}
		for name, value := range want {
			g.Expect(got[name]).To(Equal(slices.Repeat([]string{value}, len(r.nodes()))), "%s in\n%s", name, output)
		}
	}, soon, cliInterval).Should(Succeed(), "%s on %s", prefix, router.Host)
}
