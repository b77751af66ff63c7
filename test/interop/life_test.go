package interop

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/interop/daemon"
)

var lifeRows = []row{
	{
		group: "Staying and leaving", name: "Agent killed: its routes stay (graceful restart)", disturbs: true,
		router: func(n *daemon.Neighbour) { n.Families = both },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.AddressFamilies = bothFamilies },
		check: func(c *cell) {
			theirs, _ := c.up()
			c.Expect(theirs.GracefulRestart).To(BeTrue(), "the router knows that the node restarts gracefully")
			c.route(plain)
			c.route(plainV6)
			missed := c.watch(plain, plainV6)
			killed := c.now()
			c.together(func() error {
				_, err := c.suite.Run(c.context(), "kill", "agent/"+c.node)
				return err
			})
			c.upSince(killed)
			c.Eventually(func() ([]daemon.Route, error) { return c.column.daemon.Routes(c.context(), c.neighbour) }, patience, interval).
				Should(HaveEach(HaveField("Stale", false)))
			c.Expect(missed()).To(BeEmpty(), "looks at the router that found routes missing")
		},
	},
	{
		group: "Staying and leaving", name: "Agent gone for longer than the restart time: its routes go", disturbs: true,
		peer: func(p *v1alpha1.BGPPeerSpec) { p.GracefulRestart.RestartTimeSeconds = 3 },
		check: func(c *cell) {
			c.up()
			c.route(plain)
			c.together(func() error {
				_, err := c.suite.Run(c.context(), "stop", "agent/"+c.node)
				return err
			})
			stopped := time.Now()
			c.Eventually(c.prefixes, patience, interval).Should(BeEmpty())
			c.Expect(time.Since(stopped)).To(BeNumerically(">", time.Second), "it waits")
			c.together(func() error {
				_, err := c.suite.Run(c.context(), "start", "agent/"+c.node)
				return err
			})
			c.up()
			c.route(plain)
		},
	},
	{
		group: "Staying and leaving", name: "Connection reset: routes stay",
		check: func(c *cell) {
			c.up()
			c.route(plain)
			missed, broken := c.watch(plain), c.now()
			_, err := c.suite.Exec(c.context(), c.column.host.Name, "ss", "--kill", "state", "established", "dst", c.neighbour.Address.String())
			c.Expect(err).NotTo(HaveOccurred())
			c.upSince(broken)
			c.Expect(missed()).To(BeEmpty(), "looks at the router that found routes missing")
		},
	},
	{
		group: "Staying and leaving", name: "A change that resets the session: routes stay (make before break)",
		check: func(c *cell) {
			c.up()
			c.route(plain)
			missed := c.watch(plain)
			c.update(func(p *v1alpha1.BGPPeerSpec) { p.HoldTimeSeconds = 30 })
			c.Eventually(func() (int, error) {
				theirs, err := c.column.daemon.Session(c.context(), c.neighbour)
				return theirs.HoldTime, err
			}, patience, interval).Should(Equal(30), "hold time, as the router says")
			holdTimeIs(30)(c)
			c.Expect(missed()).To(BeEmpty(), "looks at the router that found routes missing")
		},
	},
	{
		group: "Staying and leaving", name: "Peer deleted: routes go, and the router is told (Administrative Shutdown)",
		check: func(c *cell) {
			c.up()
			c.route(plain)
			c.Expect(c.suite.api.Delete(c.context(), c.peer)).To(Succeed())
			c.Eventually(c.prefixes, patience, interval).Should(BeEmpty())
			c.Eventually(func() (string, error) {
				theirs, err := c.column.daemon.Session(c.context(), c.neighbour)
				return strings.ToLower(theirs.LastError), err
			}, patience, interval).Should(ContainSubstring("admin"), "the router's last error")
		},
	},
	{
		group: "Staying and leaving", name: "Leaving (eBGP): routes carry 65535:0 first (GRACEFUL_SHUTDOWN)", disturbs: true,
		check: func(c *cell) {
			c.up()
			c.Expect(c.route(marked).Communities).To(Equal([]string{"64513:7"}))
			c.leave(HaveField("Communities", ContainElement("65535:0")))
		},
	},
	{
		group: "Staying and leaving", name: "Leaving (iBGP): routes carry 65535:0 and local preference 0 first", disturbs: true,
		router: internal.router, peer: internal.peer,
		check: func(c *cell) {
			c.up()
			c.Expect(c.route(marked).LocalPreference).To(HaveValue(BeEquivalentTo(200)))
			c.leave(And(
				HaveField("Communities", ContainElement("65535:0")),
				HaveField("LocalPreference", HaveValue(BeEquivalentTo(0))),
			))
		},
	},
	{
		group: "Staying and leaving", name: "Received prefix limit",
		router: func(n *daemon.Neighbour) { n.Announces = true },
		peer:   func(p *v1alpha1.BGPPeerSpec) { p.MaxReceivedPrefixes = 2 },
		check: func(c *cell) {
			c.Eventually(c.lastError, patience, interval).Should(ContainSubstring("prefix"))
			c.Eventually(func() (string, error) {
				theirs, err := c.column.daemon.Session(c.context(), c.neighbour)
				return strings.ToLower(theirs.LastError), err
			}, patience, interval).Should(ContainSubstring("prefix"), "the router's last error")
		},
	},
}

// leave deletes the peer, and expects that all routes are there and say so before they go.
func (c *cell) leave(saying types.GomegaMatcher) {
	c.Expect(c.suite.api.Delete(c.context(), c.peer)).To(Succeed())
	c.Eventually(func() ([]daemon.Route, error) { return c.column.daemon.Routes(c.context(), c.neighbour) }, patience, interval/4).
		Should(And(HaveLen(2), HaveEach(saying)))
	c.Eventually(c.prefixes, patience, interval).Should(BeEmpty())
}

// lastError returns what the node says of why there is no session.
func (c *cell) lastError() (string, error) {
	ours, err := c.session()
	return ours.LastError, err
}

// complaint returns what the BGPPeer's condition Established says.
func (c *cell) complaint() (string, error) {
	var peer v1alpha1.BGPPeer
	if err := c.suite.api.Get(c.context(), keyOf(c.peer), &peer); err != nil {
		return "", err
	}
	i := slices.IndexFunc(peer.Status.Conditions, func(condition metav1.Condition) bool {
		return condition.Type == string(v1alpha1.ConditionEstablished)
	})
	if i < 0 {
		return "", nil
	}
	return peer.Status.Conditions[i].Message, nil
}

// now returns the present second, once the session is older than that: statuses tell time in seconds.
func (c *cell) now() time.Time {
	var now time.Time
	c.Eventually(func() (bool, error) {
		ours, err := c.session()
		now = time.Now().Truncate(time.Second)
		return ours.Since.Time.Before(now), err
	}, patience, interval).Should(BeTrue())
	return now
}

// upSince waits until both sides have a session that is no older than that.
func (c *cell) upSince(start time.Time) {
	c.Eventually(func() (bool, error) {
		ours, err := c.session()
		return ours.State == v1alpha1.SessionEstablished && !ours.Since.Time.Before(start), err
	}, within(2), interval).Should(BeTrue(), "established anew, as the node says")
	c.up()
}

// watch looks at the router again and again, until the function that it returns is called, which says what was missing
// when.
func (c *cell) watch(prefixes ...netip.Prefix) (missed func() []string) {
	stop, done := make(chan struct{}), make(chan []string)
	go func() {
		var missing []string
		for {
			have, err := c.prefixes()
			if !containsAll(have, prefixes) {
				missing = append(missing, fmt.Sprintf("%s: %v, %v", time.Now().Format(time.StampMilli), have, err))
			}
			select {
			case <-stop:
				done <- missing
				return
			case <-time.After(interval / 4):
			}
		}
	}()
	return func() []string {
		close(stop)
		return <-done
	}
}

func containsAll(have, want []netip.Prefix) bool {
	return !slices.ContainsFunc(want, func(prefix netip.Prefix) bool { return !slices.Contains(have, prefix) })
}
