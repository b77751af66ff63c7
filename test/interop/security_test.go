package interop

import (
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/interop/daemon"
	"github.com/herald-network/herald/test/lab/router"
)

// password is what nodes sign with, from the Secret of the suite.
const password = "correct-horse"

// secret holds it, in Herald's own namespace.
func secret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "herald-system", Name: "interop"},
		StringData: map[string]string{"password": password},
	}
}

// signed has the node sign.
func signed(p *v1alpha1.BGPPeerSpec) {
	p.Password = &v1alpha1.Password{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "interop", Key: "password"}}
}

var securityRows = []row{
	{
		group: "Security", name: "Password (TCP MD5)",
		router: func(n *daemon.Neighbour) { n.Password = password },
		peer:   signed,
		check:  isUp,
	},
	{
		group: "Security", name: "Password (TCP MD5) over IPv6",
		router:    func(n *daemon.Neighbour) { n.Password, n.Families = password, []daemon.Family{daemon.IPv6} },
		peer:      signed,
		addressed: useIPv6,
		check:     func(c *cell) { c.up(); c.route(plainV6) },
	},
	{
		group: "Security", name: "Another password: no session, and the cause is told",
		router: func(n *daemon.Neighbour) { n.Password = "another" },
		peer:   signed,
		check: func(c *cell) {
			c.Eventually(c.lastError, patience, interval).Should(ContainSubstring("NoAnswer"))
			theirs, err := c.column.daemon.Session(c.context(), c.neighbour)
			c.Expect(err).NotTo(HaveOccurred())
			c.Expect(theirs.Established).To(BeFalse())
		},
	},
	{
		group: "Security", name: "TTL security (GTSM)",
		router: func(n *daemon.Neighbour) { n.TTLSecurity = 1 },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.TTLSecurityHops = 1 },
		check:  isUp,
	},
	{
		group: "Security", name: "eBGP multihop",
		router: func(n *daemon.Neighbour) { n.MultihopTTL = 5 },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.EBGPMultihopTTL = 5 },
		check:  isUp,
	},
}

// isUp checks that there is a session with routes.
func isUp(c *cell) {
	c.up()
	c.route(plain)
}

// passive has the node wait for the router.
func passive(p *v1alpha1.BGPPeerSpec) { p.ConnectionMode = v1alpha1.ConnectionPassive }

var passiveRows = []row{
	{
		group: "Sessions", name: "Hold time 0 from the router: no keepalives",
		router: func(n *daemon.Neighbour) { n.NoHoldTime = true },
		check:  holdTimeIs(0),
		cannot: map[router.Kind]string{
			router.OpenBGPD: "bgpd proposes 3 seconds or more",
			router.GoBGP:    "gobgpd takes 0 for its default",
		},
	},
	{
		group: "Sessions", name: "Passive: the router dials the node",
		router: func(n *daemon.Neighbour) { n.Dial = true },
		peer:   passive,
		check:  isUp,
	},
	{
		group: "Sessions", name: "Passive over IPv6",
		router:    func(n *daemon.Neighbour) { n.Dial, n.Families = true, []daemon.Family{daemon.IPv6} },
		peer:      passive,
		addressed: useIPv6,
		check:     func(c *cell) { c.up(); c.route(plainV6) },
	},
	{
		group: "Sessions", name: "Passive with a password",
		router: func(n *daemon.Neighbour) { n.Dial, n.Password = true, password },
		peer:   func(p *v1alpha1.BGPPeerSpec) { passive(p); signed(p) },
		check:  isUp,
	},
}
