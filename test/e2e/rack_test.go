package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/harness/probe"
	"github.com/herald-network/herald/test/lab/topology"
)

// How long a change may take until a router routes it, and how often is looked. The watch looks at memory only.
const (
	soon     = 10 * time.Second
	interval = 20 * time.Millisecond
	// cliInterval is for what takes a process to look at.
	cliInterval = 250 * time.Millisecond
)

// recovery is how long it may take after a case until all is as it was: sessions have to come back.
const recovery = time.Minute

// holdTime is what all sessions of the rack agree on.
const holdTime = 9 * time.Second

// rack is a lab with Herald in it, its routers under watch.
type rack struct {
	routerHosts []string
	// daemon of the routers: "frr", or "" for BIRD.
	daemon string

	*harness.Lab
	api     client.WithWatch
	routers []*harness.Router
	plan    topology.Rack
	kept    bool
}

func sharedDir() string { return os.Getenv("HERALD_E2E_DIR") }

// up brings a lab up, or attaches to the one that runs in dir, until the container that calls it is through.
func (r *rack) up(ctx context.Context, dir string, options ...string) {
	GinkgoHelper()
	scratch := GinkgoT().TempDir()
	DeferCleanup(r.down) // Before the directory goes.
	binaries, err := harness.Build(ctx, scratch)
	Expect(err).NotTo(HaveOccurred())
	r.plan, err = topology.New(topology.Options{Nodes: 3, Routers: len(r.routerHosts), IPv6: slices.Contains(options, "--ipv6")})
	Expect(err).NotTo(HaveOccurred())
	if r.kept = dir != ""; r.kept {
		r.Lab = harness.Attach(binaries, dir)
	} else {
		lab, err := harness.Up(ctx, binaries, filepath.Join(scratch, "rack"), options...)
		Expect(err).NotTo(HaveOccurred())
		r.Lab = lab
	}
	r.api, err = r.Client(ctx)
	Expect(err).NotTo(HaveOccurred())
	for _, host := range r.routerHosts {
		router, err := harness.Watch(ctx, r.Lab, host)
		Expect(err).NotTo(HaveOccurred())
		r.routers = append(r.routers, router)
	}
}

func (r *rack) down(ctx SpecContext) {
	var errs []error
	for _, router := range r.routers {
		errs = append(errs, router.Stop())
	}
	if r.Lab != nil && !r.kept {
		errs = append(errs, r.Down(ctx))
	}
	Expect(errors.Join(errs...)).To(Succeed())
}

// configure makes every node peer with every router, allows the blocks of the address plan, and runs an echo server on
// every node: what all cases start from, and return to.
func (r *rack) configure(ctx context.Context) {
	GinkgoHelper()
	Expect(r.Apply(ctx, peers(r)+baseConfiguration(r)+echoOnEveryNode)).To(Succeed())
	_, err := r.Kubectl(ctx, "rollout", "status", "daemonset/echo", "--timeout=30s")
	Expect(err).NotTo(HaveOccurred())
	r.expectBaseline(ctx)
	DeferCleanup(func(ctx SpecContext) {
		Expect(r.delete(ctx, "daemonset/echo", "bgpconfigurations/default", "bgppeers --all")).To(Succeed())
	})
}

// expectBaseline waits until every router has the blocks from every node, and nothing else: what every case begins with.
func (r *rack) expectBaseline(ctx context.Context) {
	GinkgoHelper()
	for _, block := range blocks(r) {
		r.expectRouteWithin(ctx, recovery, block, r.nodes()...)
	}
	for _, router := range r.routers {
		Eventually(ctx, func() []string { return texts(router.Prefixes()) }, soon, interval).
			Should(ConsistOf(blocks(r)), "routes of %s", router.Host)
	}
	for _, node := range r.nodes() {
		Eventually(ctx, r.readyReason, soon, cliInterval).WithArguments(node).Should(Equal("AllEstablished"), "BGPNode %s", node)
	}
}

func (r *rack) nodes() []string {
	var names []string
	for _, host := range r.plan.With(topology.RoleNode) {
		names = append(names, host.Name)
	}
	return names
}

// nextHops returns the addresses of nodes in a family.
func (r *rack) nextHops(is4 bool, nodes ...string) []netip.Addr {
	var addrs []netip.Addr
	for _, name := range nodes {
		host, _ := r.plan.Host(name)
		for _, addr := range host.Addresses() {
			if addr.Is4() == is4 {
				addrs = append(addrs, addr)
			}
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

// expectRoute waits until every router routes the prefix to exactly these nodes; none means no route at all.
func (r *rack) expectRoute(ctx context.Context, prefix string, nodes ...string) {
	GinkgoHelper()
	r.expectRouteWithin(ctx, soon, prefix, nodes...)
}

func (r *rack) expectRouteWithin(ctx context.Context, patience time.Duration, prefix string, nodes ...string) {
	GinkgoHelper()
	p := netip.MustParsePrefix(prefix)
	want := texts(r.nextHops(p.Addr().Is4(), nodes...))
	for _, router := range r.routers {
		Eventually(ctx, func() []string { return texts(router.NextHops(p)) }, patience, interval).
			Should(Equal(want), "next hops of %s on %s", prefix, router.Host)
	}
}

// expectNoRoute waits until no router has a route to exactly the prefix.
func (r *rack) expectNoRoute(ctx context.Context, prefix string) {
	GinkgoHelper()
	r.expectRoute(ctx, prefix)
}

// marks returns the present point in the history of every router.
func (r *rack) marks() []harness.Mark {
	var marks []harness.Mark
	for _, router := range r.routers {
		marks = append(marks, router.Mark())
	}
	return marks
}

// expectUntouched asserts that none of the prefixes, or where none is given no route at all, changed on any router after
// the marks, not even for a moment.
func (r *rack) expectUntouched(marks []harness.Mark, prefixes ...string) {
	GinkgoHelper()
	Expect(r.since(marks, prefixes...)).To(BeEmpty(), "route events")
}

// since returns what happened after the marks to the prefixes, or where none is given to all, in words.
func (r *rack) since(marks []harness.Mark, prefixes ...string) []string {
	var events []string
	for i, router := range r.routers {
		for _, event := range router.Since(marks[i]) {
			if len(prefixes) == 0 || slices.Contains(prefixes, event.Prefix.String()) {
				events = append(events, fmt.Sprintf("%s %s: %s", event.Time.Format(time.StampMilli), router.Host, describe(event)))
			}
		}
	}
	return events
}

func describe(event probe.Route) string {
	return fmt.Sprintf("%s %s %s", event.Event, event.Prefix, event.NextHops)
}

// expectAnswer waits until the outside client gets an answer, and returns it.
func (r *rack) expectAnswer(ctx context.Context, url string) string {
	GinkgoHelper()
	var answer string
	Eventually(ctx, func() (err error) {
		answer, err = r.curl(ctx, url)
		return err
	}, soon, cliInterval).Should(Succeed(), "curl %s", url)
	return answer
}

// expectNoAnswer asserts that the outside client gets none.
func (r *rack) expectNoAnswer(ctx context.Context, url string) {
	GinkgoHelper()
	answer, err := r.curl(ctx, url)
	Expect(err).To(HaveOccurred(), "curl %s answered %s", url, answer)
}

func (r *rack) curl(ctx context.Context, url string) (string, error) {
	return r.Exec(ctx, topology.External, "curl", "-sS", "-m", "1", url)
}

// sendTraffic lets the outside client send 100 requests per second: see sendTrafficAt.
func (r *rack) sendTraffic(ctx context.Context, urls ...string) (expectAllAnswered func()) {
	GinkgoHelper()
	return r.sendTrafficAt(ctx, 100, urls...)
}

// sendTrafficAt lets the outside client send so many requests per second until the returned function is called, which goes
// on for two more seconds, lest an effect comes late, and expects that not one failed.
func (r *rack) sendTrafficAt(ctx context.Context, rate int, urls ...string) (expectAllAnswered func()) {
	GinkgoHelper()
	traffic, err := harness.Send(ctx, r.Lab, topology.External, rate, urls...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(traffic.Stop)
	return func() {
		GinkgoHelper()
		enough := len(traffic.Sent()) + 2*rate
		Eventually(ctx, func() int { return len(traffic.Sent()) }, soon, interval).Should(BeNumerically(">=", enough), "requests sent")
		Expect(traffic.Stop()).To(Succeed())
		Expect(texts(traffic.Failed())).To(BeEmpty(), "requests without an answer, of %d", len(traffic.Sent()))
		AddReportEntry("requests answered", len(traffic.Sent()))
	}
}

// session returns what a node reports of its session with a peer.
func (r *rack) session(ctx context.Context, node, peer string) (v1alpha1.NodeSession, error) {
	var status v1alpha1.BGPNode
	if err := r.api.Get(ctx, client.ObjectKey{Name: node}, &status); err != nil {
		return v1alpha1.NodeSession{}, err
	}
	i := slices.IndexFunc(status.Status.Sessions, func(s v1alpha1.NodeSession) bool { return s.Peer == peer })
	if i < 0 {
		return v1alpha1.NodeSession{}, fmt.Errorf("BGPNode %s lists no session with %s", node, peer)
	}
	return status.Status.Sessions[i], nil
}

// delete deletes objects, each given as kind/name or as "kind --all", if they are there.
func (r *rack) delete(ctx context.Context, objects ...string) error {
	for _, object := range objects {
		args := append([]string{"delete", "--ignore-not-found", "--wait=false"}, strings.Fields(object)...)
		if _, err := r.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func texts[T fmt.Stringer](values []T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.String()
	}
	return list
}
