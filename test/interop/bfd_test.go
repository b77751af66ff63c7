package interop

import (
	"errors"
	"slices"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/interop/daemon"
	"github.com/herald-network/herald/test/lab/router"
)

// withoutBFD says which daemons have none.
var withoutBFD = map[router.Kind]string{
	router.OpenBGPD: "the daemon has no BFD",
	router.GoBGP:    "the daemon has no BFD",
}

// watched has the router watch the node, and the node the router.
func watched(n *daemon.Neighbour) { n.BFD = true }

func watching(p *v1alpha1.BGPPeerSpec) { p.BFD = &v1alpha1.BFD{} }

var bfdRows = []row{
	{
		group: "BFD", name: "BFD over one hop", router: watched, peer: watching, cannot: withoutBFD,
		check: func(c *cell) { c.bfdUp() },
	},
	{
		group: "BFD", name: "BFD over one hop, IPv6", cannot: withoutBFD, peer: watching, addressed: useIPv6,
		router: func(n *daemon.Neighbour) { n.BFD, n.Families = true, []daemon.Family{daemon.IPv6} },
		check:  func(c *cell) { c.bfdUp() },
	},
	{
		group: "BFD", name: "BFD over several hops", cannot: withoutBFD,
		router: func(n *daemon.Neighbour) { n.BFD, n.MultihopTTL = true, 5 },
		peer: func(p *v1alpha1.BGPPeerSpec) {
			p.EBGPMultihopTTL = 5
			p.BFD = &v1alpha1.BFD{Hops: v1alpha1.BFDMultihop, MinimumTTL: 1}
		},
		check: func(c *cell) { c.bfdUp() },
	},
	{
		group: "BFD", name: "Node hangs, without graceful restart: its routes go", disturbs: true, cannot: withoutBFD,
		router: watched,
		peer: func(p *v1alpha1.BGPPeerSpec) {
			watching(p)
			p.GracefulRestart.Mode = v1alpha1.Disabled
		},
		check: func(c *cell) {
			c.bfdUp()
			c.whileAway("pause", "resume", func() {
				began := time.Now()
				c.Eventually(c.prefixes, patience, interval/4).Should(BeEmpty())
				c.Expect(time.Since(began)).To(BeNumerically("<", holdTime), "it is BFD that notices")
			})
		},
	},
	{
		group: "BFD", name: "Node hangs, with graceful restart", disturbs: true, router: watched, peer: watching, cannot: withoutBFD,
		check: func(c *cell) { c.bfdUp(); c.whileAway("pause", "resume", c.noteWhatStays) },
	},
	{
		group: "BFD", name: "Agent killed, with graceful restart", disturbs: true, router: watched, peer: watching, cannot: withoutBFD,
		check: func(c *cell) { c.bfdUp(); c.whileAway("kill", "start", c.noteWhatStays) },
	},
	{
		group: "BFD", name: "Agent replaced (AdminDown), with graceful restart", disturbs: true, router: watched, peer: watching, cannot: withoutBFD,
		check: func(c *cell) {
			c.bfdUp()
			missed, began := c.watch(plain), c.now()
			c.whileAway("stop", "start", func() {})
			c.upSince(began)
			c.bfdUp()
			c.outcome = "routes stay"
			if len(missed()) > 0 {
				c.outcome = "routes go until it is back"
			}
		},
	},
}

// holdTime is what takes a hung node away where BFD does not.
const holdTime = 90 * time.Second

// bfdUp waits until both sides have BFD up, and the router has routes.
func (c *cell) bfdUp() {
	c.up()
	c.Eventually(c.prefixes, patience, interval).ShouldNot(BeEmpty())
	c.Eventually(func() (string, error) {
		theirs, err := c.column.daemon.Session(c.context(), c.neighbour)
		return theirs.BFD, err
	}, patience, interval).Should(Equal("up"), "BFD, as the router says")
	c.Eventually(func() (v1alpha1.BFDState, error) {
		ours, err := c.session()
		return ours.BFD, err
	}, patience, interval).Should(Equal(v1alpha1.BFDUp), "BFD, as the node says")
}

// whileAway has one of the cells take the agent away by a command of the lab, all of them look, and one bring it back.
func (c *cell) whileAway(away, back string, look func()) {
	agent := "agent/" + c.node
	c.together(func() error {
		if away == "kill" {
			return c.killForGood(agent)
		}
		_, err := c.suite.Run(c.context(), away, agent)
		return err
	})
	look()
	c.together(func() error {
		_, err := c.suite.Run(c.context(), back, agent)
		return err
	})
}

// killForGood kills an agent that its kubelet then does not start again.
func (c *cell) killForGood(agent string) error {
	if _, err := c.suite.Run(c.context(), "kill", agent); err != nil {
		return err
	}
	stopped := make(chan error, 1)
	go func() {
		_, err := c.suite.Run(c.context(), "stop", agent)
		stopped <- err
	}()
	select {
	case err := <-stopped:
		return err
	case <-time.After(3 * time.Second):
	}
	// The kubelet had started another one already, which was too young to heed a signal.
	_, err := c.suite.Run(c.context(), "kill", agent)
	return errors.Join(err, <-stopped)
}

// noteWhatStays looks at the router until BFD is down, and what comes of it has come, and notes whether the routes are there.
func (c *cell) noteWhatStays() {
	c.Eventually(func() (bool, error) {
		theirs, err := c.column.daemon.Session(c.context(), c.neighbour)
		return theirs.Established, err
	}, patience, interval/4).Should(BeFalse(), "the session ends by BFD")
	var have bool
	c.Consistently(func() error {
		prefixes, err := c.prefixes()
		have = slices.Contains(prefixes, plain)
		return err
	}, time.Second, interval).Should(Succeed())
	c.outcome = "routes go"
	if have {
		c.outcome = "routes stay for the restart time"
	}
}
