package interop

import (
	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/interop/daemon"
	"github.com/herald-network/herald/test/lab/router"
)

// internal makes the session one of iBGP.
var internal = row{
	router: func(n *daemon.Neighbour) { n.ASN = daemon.ASN },
	peer:   func(p *v1alpha1.BGPPeerSpec) { p.LocalASNumber = daemon.ASN },
}

var attributeRows = []row{
	{
		group: "Attributes", name: "Standard communities",
		check: func(c *cell) { c.Expect(c.route(marked).Communities).To(Equal([]string{"64513:7"})) },
	},
	{
		group: "Attributes", name: "Large communities",
		check: func(c *cell) { c.Expect(c.route(marked).LargeCommunities).To(Equal([]string{"64513:8:9"})) },
	},
	{
		group: "Attributes", name: "MED",
		check: func(c *cell) { c.Expect(c.route(marked).MED).To(HaveValue(BeEquivalentTo(10))) },
	},
	{
		group: "Attributes", name: "AS path prepend (eBGP)",
		check: func(c *cell) {
			c.Expect(c.route(marked).ASPath).To(Equal([]uint32{daemon.NodeASN, daemon.NodeASN, daemon.NodeASN}))
			c.Expect(c.route(plain).ASPath).To(Equal([]uint32{daemon.NodeASN}))
		},
	},
	{
		group: "Attributes", name: "Local preference (iBGP)", router: internal.router, peer: internal.peer,
		check: func(c *cell) {
			c.Expect(c.route(marked).LocalPreference).To(HaveValue(BeEquivalentTo(200)))
			c.Expect(c.route(plain).LocalPreference).To(HaveValue(BeEquivalentTo(100)))
			c.Expect(c.route(marked).ASPath).To(BeEmpty())
		},
	},
	{
		group: "Attributes", name: "Export rules, and a change of them without a reset",
		peer: func(p *v1alpha1.BGPPeerSpec) { p.Export = exportMarked(5) },
		check: func(c *cell) {
			_, before := c.up()
			first := c.route(marked)
			c.Expect(first.MED).To(HaveValue(BeEquivalentTo(5)))
			c.Expect(first.Communities).To(Equal([]string{"64513:7", "64513:77"}))
			c.Expect(c.prefixes()).To(ConsistOf(marked))

			c.update(func(p *v1alpha1.BGPPeerSpec) { p.Export = exportMarked(6) })
			c.Eventually(func() *uint32 { return c.route(marked).MED }, patience, interval).Should(HaveValue(BeEquivalentTo(6)))
			c.Expect(c.prefixes()).To(ConsistOf(marked))
			c.update(func(p *v1alpha1.BGPPeerSpec) { p.Export = nil })
			c.route(plain)
			c.Eventually(func() *uint32 { return c.route(marked).MED }, patience, interval).Should(HaveValue(BeEquivalentTo(10)))
			after, err := c.session()
			c.Expect(err).NotTo(HaveOccurred())
			c.Expect(after.Flaps).To(Equal(before.Flaps))
			c.Expect(after.Since).To(Equal(before.Since))
		},
	},
	{
		group: "Attributes", name: "The router asks for all routes again (route refresh)",
		check: func(c *cell) {
			c.up()
			c.route(marked)
			before, err := c.column.daemon.Session(c.context(), c.neighbour)
			c.Expect(err).NotTo(HaveOccurred())
			c.Expect(c.column.daemon.Refresh(c.context(), c.neighbour)).To(Succeed())
			c.Eventually(func() (int, error) {
				now, err := c.column.daemon.Session(c.context(), c.neighbour)
				return now.Updates - before.Updates, err
			}, patience, interval).Should(BeNumerically(">=", 2), "what came again")
			c.Expect(c.prefixes()).To(ConsistOf(plain, marked))
		},
		cannot: map[router.Kind]string{router.GoBGP: "gobgpd never asks: it keeps all that it received"},
	},
}

// exportMarked are rules that reject all but the marked prefix, which gets a MED and one community more.
func exportMarked(med int64) []v1alpha1.ExportRule {
	return []v1alpha1.ExportRule{
		{
			Action:   v1alpha1.ExportAccept,
			Prefixes: []v1alpha1.PrefixMatch{{CIDR: v1alpha1.CIDR(marked.String())}},
			Set:      &v1alpha1.ExportAttributes{MED: &med, AddCommunities: []v1alpha1.CommunityRef{"64513:77"}},
		},
		{Action: v1alpha1.ExportReject},
	}
}
