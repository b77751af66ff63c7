package interop

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/interop/daemon"
	"github.com/herald-network/herald/test/lab/router"
)

// row is a capability: what it takes on both sides, and what is true then.
type row struct {
	// name is the capability's, group the part of the table.
	group, name string
	// router and peer change what a cell starts from: an eBGP session of a node with AS 64513 that dials a router with AS
	// 64512, over IPv4, for IPv4 routes. Nil leaves it.
	router func(*daemon.Neighbour)
	peer   func(*v1alpha1.BGPPeerSpec)
	// addressed fills in what depends on the cell's own addresses; nil where nothing does.
	addressed func(*cell)
	// check asserts.
	check func(*cell)
	// cannot says why a cell can't work, and on which side, by the daemon that it is about.
	cannot map[router.Kind]string
	// disturbs says that the cell does something to its node that others would notice: all columns do it together.
	disturbs bool
}

// cell is a row on one router.
type cell struct {
	*WithT

	row     row
	column  *column
	node    string
	suite   *suite
	meeting *meeting

	t         *testing.T
	neighbour daemon.Neighbour
	peer      *v1alpha1.BGPPeer
	outcome   string
}

func (c *cell) run(t *testing.T) {
	t.Helper()
	c.WithT, c.t = NewWithT(t), t
	if c.meeting != nil {
		defer c.meeting.leave()
	}
	c.prepare()
	defer c.tidy(t)
	c.Expect(c.column.add(c.context(), c.neighbour)).To(Succeed())
	c.Expect(c.suite.api.Create(c.context(), c.peer)).To(Succeed())
	c.row.check(c)
}

// prepare makes what both sides are given.
func (c *cell) prepare() {
	c.neighbour = daemon.Neighbour{Address: c.address(daemon.IPv4), ASN: daemon.NodeASN, Families: []daemon.Family{daemon.IPv4}}
	c.peer = &v1alpha1.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: c.peerName()},
		Spec: v1alpha1.BGPPeerSpec{
			NodeSelector:            &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/hostname": c.node}},
			PeerIP:                  c.routerAddress(daemon.IPv4).String(),
			ASNumber:                daemon.ASN,
			ConnectRetryTimeSeconds: 1,
		},
	}
	if c.row.router != nil {
		c.row.router(&c.neighbour)
	}
	if c.row.peer != nil {
		c.row.peer(&c.peer.Spec)
	}
	if c.row.addressed != nil {
		c.row.addressed(c)
	}
}

// context ends with the cell's test.
func (c *cell) context() context.Context { return c.t.Context() }

// peerName is the BGPPeer's: the row's and the router's.
func (c *cell) peerName() string {
	words := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(c.row.name), "-")
	return strings.Trim(words, "-") + "-" + string(c.column.kind)
}

// tidy takes both sides back: first the node, whose leaving is part of no cell but those that look at it.
func (c *cell) tidy(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(c.context())
	if t.Failed() {
		c.dump(t)
	}
	c.Expect(client.IgnoreNotFound(c.suite.api.Delete(ctx, c.peer))).To(Succeed())
	c.Eventually(func() (bool, error) { return c.isGone(ctx) }, patience, interval).Should(BeTrue(), "BGPNode lists the session no more")
	c.Expect(c.column.remove(ctx, c.neighbour)).To(Succeed())
}

func (c *cell) isGone(ctx context.Context) (bool, error) {
	var node v1alpha1.BGPNode
	if err := c.suite.api.Get(ctx, client.ObjectKey{Name: c.node}, &node); err != nil {
		return false, err
	}
	return !slices.ContainsFunc(node.Status.Sessions, func(s v1alpha1.NodeSession) bool { return s.Peer == c.peer.Name }), nil
}

// dump logs what one would ask for next.
func (c *cell) dump(t *testing.T) {
	t.Helper()
	session, err := c.column.daemon.Session(c.context(), c.neighbour)
	t.Logf("%s says: %+v %v", c.column.title(), session, err)
	routes, err := c.column.daemon.Routes(c.context(), c.neighbour)
	t.Logf("%s has: %+v %v", c.column.title(), routes, err)
	herald, err := c.session()
	t.Logf("%s says: %+v %v", c.node, herald, err)
	for _, log := range []string{c.column.host.Name, "agent/" + c.node} {
		text, err := c.suite.Run(c.context(), "logs", log)
		lines := strings.Split(text, "\n")
		t.Logf("log of %s: %v\n%s", log, err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

// verdict is what the matrix says of the cell.
func (c *cell) verdict(ok bool) string {
	switch {
	case !ok:
		return "FAILED"
	case c.outcome != "":
		return c.outcome
	default:
		return "yes"
	}
}

// address is the node's.
func (c *cell) address(family daemon.Family) netip.Addr {
	host, _ := c.suite.plan.Host(c.node)
	return daemon.On{Addresses: host.Addresses()}.Address(family)
}

// routerAddress is the router's.
func (c *cell) routerAddress(family daemon.Family) netip.Addr {
	return daemon.On{Addresses: c.column.host.Addresses()}.Address(family)
}

// useIPv6 makes the session one between the IPv6 addresses.
func useIPv6(c *cell) {
	c.neighbour.Address = c.address(daemon.IPv6)
	c.peer.Spec.PeerIP = c.routerAddress(daemon.IPv6).String()
}

// session returns what the node reports.
func (c *cell) session() (v1alpha1.NodeSession, error) {
	var node v1alpha1.BGPNode
	if err := c.suite.api.Get(c.context(), client.ObjectKey{Name: c.node}, &node); err != nil {
		return v1alpha1.NodeSession{}, err
	}
	i := slices.IndexFunc(node.Status.Sessions, func(s v1alpha1.NodeSession) bool { return s.Peer == c.peer.Name })
	if i < 0 {
		return v1alpha1.NodeSession{}, fmt.Errorf("BGPNode %s lists no session with %s", c.node, c.peer.Name)
	}
	return node.Status.Sessions[i], nil
}

// up waits until the daemon, the node and the BGPPeer all say that the session is up, and returns what the daemon and the
// node say.
func (c *cell) up() (daemon.Session, v1alpha1.NodeSession) {
	var theirs daemon.Session
	var ours v1alpha1.NodeSession
	c.Eventually(func() (ok bool, err error) {
		theirs, err = c.column.daemon.Session(c.context(), c.neighbour)
		return theirs.Established, err
	}, patience, interval).Should(BeTrue(), "established, as the router says")
	c.Eventually(func() (state v1alpha1.SessionState, err error) {
		ours, err = c.session()
		return ours.State, err
	}, patience, interval).Should(Equal(v1alpha1.SessionEstablished), "state, as the node says")
	c.Eventually(func() (string, error) {
		var peer v1alpha1.BGPPeer
		err := c.suite.api.Get(c.context(), keyOf(c.peer), &peer)
		return peer.Status.Nodes.Ready, err
	}, patience, interval).Should(Equal("1/1"), "sessions of the BGPPeer")
	return theirs, ours
}

// route waits until the daemon has the route, and returns it.
func (c *cell) route(prefix netip.Prefix) daemon.Route {
	var found daemon.Route
	c.Eventually(func() (bool, error) {
		routes, err := c.column.daemon.Routes(c.context(), c.neighbour)
		i := slices.IndexFunc(routes, func(r daemon.Route) bool { return r.Prefix == prefix })
		if i >= 0 {
			found = routes[i]
		}
		return i >= 0, err
	}, patience, interval).Should(BeTrue(), "the router has %s", prefix)
	return found
}

// prefixes returns what the daemon has at this moment.
func (c *cell) prefixes() ([]netip.Prefix, error) {
	routes, err := c.column.daemon.Routes(c.context(), c.neighbour)
	var list []netip.Prefix
	for _, r := range routes {
		list = append(list, r.Prefix)
	}
	slices.SortFunc(list, netip.Prefix.Compare)
	return list, err
}

// update changes the BGPPeer.
func (c *cell) update(change func(*v1alpha1.BGPPeerSpec)) {
	c.Eventually(func() error {
		if err := c.suite.api.Get(c.context(), keyOf(c.peer), c.peer); err != nil {
			return err
		}
		change(&c.peer.Spec)
		return c.suite.api.Update(c.context(), c.peer)
	}, patience, interval).Should(Succeed())
}

// meeting has those that expect each other do something once, when all have arrived.
type meeting struct {
	mu       sync.Mutex
	expected int
	waiting  []chan bool
}

func (m *meeting) expect() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expected++
}

// leave is called by everyone at the end: nobody waits for one that failed.
func (m *meeting) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expected--
	m.begin()
}

// arrive waits for the others, and returns true to one of them.
func (m *meeting) arrive() (first bool) {
	m.mu.Lock()
	turn := make(chan bool, 1)
	m.waiting = append(m.waiting, turn)
	m.begin()
	m.mu.Unlock()
	return <-turn
}

func (m *meeting) begin() {
	if len(m.waiting) == 0 || len(m.waiting) < m.expected {
		return
	}
	for i, turn := range m.waiting {
		turn <- i == 0
	}
	m.waiting = nil
}

// together waits until the cells of all columns are here, and has one of them do it. All go on when it is done.
func (c *cell) together(do func() error) {
	if c.meeting.arrive() {
		c.Expect(do()).To(Succeed())
	}
	c.meeting.arrive()
}

// within is for what takes longer than a session to come up.
func within(factor int) time.Duration { return time.Duration(factor) * patience }

func keyOf(peer *v1alpha1.BGPPeer) client.ObjectKey { return client.ObjectKeyFromObject(peer) }
