package interop

import (
	"context"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/interop/daemon"
)

// guide is what people configure their routers by. A block in it that the lab is given verbatim follows a comment that
// says where it goes.
const guide = "../../docs/routers.md"

// blocks returns the blocks of the guide by their comments.
func blocks(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(guide)
	must(t, err)
	found := map[string]string{}
	for _, match := range regexp.MustCompile("(?s)<!-- (.*?) -->\n```\\w*\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
		found[match[1]] = match[2]
	}
	return found
}

// asDocumented puts what the guide says on the routers and the cluster.
func (s *suite) asDocumented(t *testing.T) {
	t.Helper()
	text := blocks(t)
	feed := func(comment, host string, argv ...string) {
		t.Helper()
		if text[comment] == "" {
			t.Fatalf("%s has no block for %q", guide, comment)
		}
		_, err := s.Feed(t.Context(), text[comment], host, argv...)
		must(t, err)
	}
	run := func(host string, argv ...string) {
		t.Helper()
		output, err := s.Exec(t.Context(), host, argv...)
		must(t, err)
		if strings.Contains(output, "%") || strings.Contains(output, "error") {
			t.Fatalf("%s on %s: %s", argv, host, output)
		}
	}
	feed("on tor: /etc/bird/bird.conf", "tor", "tee", "/etc/bird/bird.conf")
	run("tor", "birdc", "configure")
	// It stands in the way of the guide's "router bgp 64512".
	run("tor-2", "vtysh", "-c", "configure terminal", "-c", "no router bgp 64512")
	feed("on tor-2: vtysh", "tor-2", "tee", "/etc/frr/guide.conf")
	run("tor-2", "vtysh", "-f", "/etc/frr/guide.conf")
	feed("on tor-3: /etc/bgpd.conf", "tor-3", "sh", "-c", "umask 077; rm /etc/bgpd.conf; cat > /etc/bgpd.conf")
	run("tor-3", "bgpctl", "reload")
	must(t, s.Apply(t.Context(), text["apply"]))
}

// documented are the routers of the guide, with the BGPPeers that it gives them.
func (s *suite) documented() map[string]*column {
	return map[string]*column{"bird": s.columns[0], "frr": s.columns[1], "openbgpd": s.columns[2]}
}

// TestDocumentedConfiguration puts the guide on the routers, word for word, and looks at what they do then.
func TestDocumentedConfiguration(t *testing.T) {
	s := newSuite(t)
	s.asDocumented(t)
	nodes := append(slices.Clone(quietNodes), loudNode)
	for peer, c := range s.documented() {
		t.Run(c.title(), func(t *testing.T) {
			g := NewWithT(t)
			g.Eventually(func() (string, error) { return s.sessionsOf(t.Context(), peer) }, within(2), interval).Should(Equal("3/3"))
			for _, node := range nodes {
				s.expectOf(t.Context(), g, c, node, plain, daemon.NodeASN)
			}
			if withoutBFD[c.kind] == "" {
				g.Eventually(func() (v1alpha1.BFDState, error) { return s.bfdOf(t.Context(), loudNode, peer) }, patience, interval).
					Should(Equal(v1alpha1.BFDUp))
			}
			if c.kind.Forwards() {
				s.expectSpread(t, c, nodes)
			}
		})
	}
	t.Run("what is not expected is refused, and what is about to leave comes last", func(t *testing.T) { s.testFilters(t, nodes) })
}

func (s *suite) sessionsOf(ctx context.Context, peer string) (string, error) {
	var p v1alpha1.BGPPeer
	err := s.api.Get(ctx, client.ObjectKey{Name: peer}, &p)
	return p.Status.Nodes.Ready, err
}

// of is a node as a router of the guide knows it.
func (s *suite) of(node string) daemon.Neighbour {
	host, _ := s.plan.Host(node)
	return daemon.Neighbour{Address: host.Addresses()[0], ASN: daemon.NodeASN, Families: both, Dynamic: true}
}

// from returns what a router of the guide accepted from a node for a prefix.
func (s *suite) from(ctx context.Context, c *column, node string, prefix netip.Prefix) ([]daemon.Route, error) {
	routes, err := c.daemon.Routes(ctx, s.of(node))
	return slices.DeleteFunc(routes, func(r daemon.Route) bool { return r.Prefix != prefix }), err
}

// expectOf waits until a router has the prefix from a node with this AS path.
func (s *suite) expectOf(ctx context.Context, g *WithT, c *column, node string, prefix netip.Prefix, path ...uint32) {
	g.Eventually(func() ([]daemon.Route, error) { return s.from(ctx, c, node, prefix) }, patience, interval).
		Should(ConsistOf(HaveField("ASPath", Equal(path))), "%s from %s", prefix, node)
}

// expectSpread waits until the router's kernel spreads both families' routes over all nodes.
func (s *suite) expectSpread(t *testing.T, c *column, nodes []string) {
	t.Helper()
	g := NewWithT(t)
	watch, err := harness.Watch(t.Context(), s.Lab, c.host.Name)
	must(t, err)
	defer func() { must(t, watch.Stop()) }()
	for i, prefix := range []netip.Prefix{plain, plainV6} {
		var want []netip.Addr
		for _, node := range nodes {
			host, _ := s.plan.Host(node)
			want = append(want, host.Addresses()[i])
		}
		g.Eventually(func() []netip.Addr { return watch.NextHops(prefix) }, patience, interval).Should(Equal(want), "next hops of %s", prefix)
	}
}

// unexpected is a block that no router of the guide knows.
var unexpected = netip.MustParsePrefix("172.20.0.0/24")

// testFilters has the nodes advertise a block that the routers do not expect, and mark one that they do as those of a node
// that is about to leave.
func (s *suite) testFilters(t *testing.T, nodes []string) {
	t.Helper()
	g := NewWithT(t)
	_, err := s.Kubectl(t.Context(), "patch", "bgpconfiguration", "default", "--type=merge", "--patch", `{"spec":{
		"serviceExternalIPs": [{"cidr": "172.20.0.0/24"}, {"cidr": "192.168.3.0/24"}, {"cidr": "2001:db8:3::/120"}],
		"prefixAdvertisements": [{"cidr": "192.168.3.0/24", "communities": ["65535:0"]}]}}`)
	must(t, err)
	for peer, c := range s.documented() {
		for _, node := range nodes {
			g.Eventually(func() (int32, error) { return s.advertised(t.Context(), node, peer) }, patience, interval).
				Should(BeEquivalentTo(5), "prefixes that %s sends", node)
			g.Eventually(func() ([]daemon.Route, error) { return s.from(t.Context(), c, node, marked) }, patience, interval).
				Should(ConsistOf(HaveField("LocalPreference", HaveValue(BeEquivalentTo(0)))), "%s has the marked route of %s", c.title(), node)
			g.Expect(s.from(t.Context(), c, node, unexpected)).To(BeEmpty(), "%s of %s", c.title(), node)
		}
	}
}

// advertised returns how many prefixes a node has sent.
func (s *suite) advertised(ctx context.Context, node, peer string) (int32, error) {
	var status v1alpha1.BGPNode
	if err := s.api.Get(ctx, client.ObjectKey{Name: node}, &status); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(status.Status.Sessions, func(session v1alpha1.NodeSession) bool { return session.Peer == peer })
	if i < 0 {
		return 0, nil
	}
	return status.Status.Sessions[i].Advertised, nil
}

// bfdOf returns the state of a node's BFD session.
func (s *suite) bfdOf(ctx context.Context, node, peer string) (v1alpha1.BFDState, error) {
	var status v1alpha1.BGPNode
	if err := s.api.Get(ctx, client.ObjectKey{Name: node}, &status); err != nil {
		return "", err
	}
	i := slices.IndexFunc(status.Status.Sessions, func(session v1alpha1.NodeSession) bool { return session.Peer == peer })
	if i < 0 {
		return "", nil
	}
	return status.Status.Sessions[i].BFD, nil
}
