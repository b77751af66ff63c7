package interop

import (
	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/interop/daemon"
)

var familyRows = []row{
	{
		group: "Families", name: "IPv4 alone",
		check: func(c *cell) {
			theirs, ours := c.up()
			c.Expect(theirs.Families).To(Equal([]daemon.Family{daemon.IPv4}))
			c.Expect(ours.AddressFamilies).To(Equal([]v1alpha1.AddressFamily{v1alpha1.IPv4}))
			c.route(plain)
			c.Expect(c.prefixes()).To(HaveEach(HaveField("Addr().Is4()", true)))
		},
	},
	{
		group: "Families", name: "IPv6 alone",
		router:    func(n *daemon.Neighbour) { n.Families = []daemon.Family{daemon.IPv6} },
		addressed: useIPv6,
		check: func(c *cell) {
			theirs, ours := c.up()
			c.Expect(theirs.Families).To(Equal([]daemon.Family{daemon.IPv6}))
			c.Expect(ours.AddressFamilies).To(Equal([]v1alpha1.AddressFamily{v1alpha1.IPv6}))
			c.Expect(c.route(plainV6).NextHop).To(Equal(c.address(daemon.IPv6)))
			c.Expect(c.prefixes()).To(HaveEach(HaveField("Addr().Is6()", true)))
		},
	},
	{
		group: "Families", name: "Both over an IPv4 session",
		router: func(n *daemon.Neighbour) { n.Families = both },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.AddressFamilies = bothFamilies },
		check:  hasBoth,
	},
	{
		group: "Families", name: "Both over an IPv6 session",
		router:    func(n *daemon.Neighbour) { n.Families = both },
		peer:      func(p *v1alpha1.BGPPeerSpec) { p.AddressFamilies = bothFamilies },
		addressed: useIPv6,
		check:     hasBoth,
	},
	{
		group: "Families", name: "IPv6 link-local peer",
		router: func(n *daemon.Neighbour) { n.Families, n.Interface = []daemon.Family{daemon.IPv6}, rackPort },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.Interface = rackPort },
		addressed: func(c *cell) {
			address, err := c.suite.linkLocal(c.context(), c.node)
			c.Expect(err).NotTo(HaveOccurred())
			c.neighbour.Address = address
			c.peer.Spec.PeerIP = c.column.linkLocal.String()
		},
		check: func(c *cell) {
			c.up()
			c.Expect(c.route(plainV6).NextHop).To(BeElementOf(c.neighbour.Address, c.address(daemon.IPv6)))
		},
	},
	{
		group: "Families", name: "A family that the router does not offer is named",
		peer: func(p *v1alpha1.BGPPeerSpec) { p.AddressFamilies = bothFamilies },
		check: func(c *cell) {
			_, ours := c.up()
			c.Expect(ours.AddressFamilies).To(Equal([]v1alpha1.AddressFamily{v1alpha1.IPv4}))
			c.route(plain)
			c.Eventually(c.complaint, patience, interval).Should(ContainSubstring("IPv6"))
		},
	},
}

// Both families, as each side lists them.
var (
	both         = []daemon.Family{daemon.IPv4, daemon.IPv6}
	bothFamilies = []v1alpha1.AddressFamily{v1alpha1.IPv4, v1alpha1.IPv6}
)

// hasBoth checks that the router has routes of both families, by the node's own addresses.
func hasBoth(c *cell) {
	theirs, ours := c.up()
	c.Expect(theirs.Families).To(Equal(both))
	c.Expect(ours.AddressFamilies).To(ConsistOf(bothFamilies))
	c.Expect(c.route(plain).NextHop).To(Equal(c.address(daemon.IPv4)))
	c.Expect(c.route(plainV6).NextHop).To(Equal(c.address(daemon.IPv6)))
}
