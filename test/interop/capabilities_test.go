package interop

import (
	"slices"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/interop/daemon"
	"github.com/herald-network/herald/test/lab/router"
)

// capabilities are the rows of the matrix, in its order.
var capabilities = slices.Concat(sessionRows, passiveRows, securityRows, familyRows, attributeRows, lifeRows, bfdRows)

var sessionRows = []row{
	{
		group: "Sessions", name: "eBGP",
		check: func(c *cell) {
			theirs, _ := c.up()
			c.Expect(theirs.ASN).To(BeEquivalentTo(daemon.NodeASN))
			route := c.route(plain)
			c.Expect(route.ASPath).To(Equal([]uint32{daemon.NodeASN}))
			c.Expect(route.NextHop).To(Equal(c.address(daemon.IPv4)))
		},
	},
	{
		group: "Sessions", name: "iBGP",
		router: func(n *daemon.Neighbour) { n.ASN = daemon.ASN },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.LocalASNumber = daemon.ASN },
		check: func(c *cell) {
			c.up()
			c.Expect(c.route(plain).ASPath).To(BeEmpty())
		},
	},
	{
		group: "Sessions", name: "Local AS: the path shows it alone",
		router: func(n *daemon.Neighbour) { n.ASN = 64700 },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.LocalASNumber = 64700 },
		check: func(c *cell) {
			c.up()
			c.Expect(c.route(plain).ASPath).To(Equal([]uint32{64700}))
		},
	},
	{
		group: "Sessions", name: "4-byte AS on the nodes",
		router: func(n *daemon.Neighbour) { n.ASN = 4200000001 },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.LocalASNumber = 4200000001 },
		check: func(c *cell) {
			theirs, _ := c.up()
			c.Expect(theirs.ASN).To(BeEquivalentTo(4200000001))
			c.Expect(c.route(plain).ASPath).To(Equal([]uint32{4200000001}))
		},
	},
	{
		group: "Sessions", name: "4-byte AS on the router",
		router: func(n *daemon.Neighbour) { n.LocalASN = 4200000002 },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.ASNumber = 4200000002 },
		check:  isUp,
	},
	{
		group: "Sessions", name: "Hold time: the router's is lower",
		router: func(n *daemon.Neighbour) { n.HoldTime = 6 },
		check:  holdTimeIs(6),
	},
	{
		group: "Sessions", name: "Hold time: Herald's is lower",
		peer:  func(p *v1alpha1.BGPPeerSpec) { p.HoldTimeSeconds = 9 },
		check: holdTimeIs(9),
	},
	{
		group: "Sessions", name: "Port other than 179",
		router: func(n *daemon.Neighbour) { n.ListenPort = 1790 },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.PeerPort = 1790 },
		check:  isUp,
		cannot: map[router.Kind]string{
			router.FRR:   "bgpd listens on one port, which it is given when it starts",
			router.GoBGP: "gobgpd listens on one port, which it is given when it starts",
		},
	},
}

// holdTimeIs returns a check of what both sides say they agreed on, in seconds.
func holdTimeIs(seconds int) func(*cell) {
	return func(c *cell) {
		theirs, _ := c.up()
		c.Expect(theirs.HoldTime).To(Equal(seconds), "as the router says")
		c.Eventually(func() (*int32, error) {
			ours, err := c.session() // A session in another's place may be reported a second later.
			return ours.HoldTimeSeconds, err
		}, patience, interval).Should(HaveValue(BeEquivalentTo(seconds)), "as the node says")
	}
}
