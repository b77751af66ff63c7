package nftables_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/internal/adapter/nftables"
	"github.com/herald-network/herald/internal/core/loopguard"
	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/sandbox"
)

func TestMain(m *testing.M) { os.Exit(sandbox.RunTests(context.Background(), m)) }

// bounces is how often a packet with a TTL of 64 is forwarded by the node before the router and the node have used it up.
const bounces = 31

const (
	drop   = loopguard.Drop
	reject = loopguard.Reject
)

func TestPacketsThatNobodyClaimsEndOnTheNode(t *testing.T) {
	for family, unclaimed := range map[string]string{"IPv4": "192.0.2.5", "IPv6": "2001:db8:99::5"} {
		t.Run(family, func(t *testing.T) {
			l := newLink(t)
			l.Expect(l.send(l.client, unclaimed)).To(Succeed())
			l.Eventually(l.forwarded).Should(Equal(bounces), "without rules it goes back and forth")

			l.Expect(l.apply(drop)).To(BeTrue())
			before := l.forwarded()
			l.Expect(l.send(l.client, unclaimed)).To(Succeed())
			l.Eventually(l.forwarded).Should(Equal(before+1), "the packet came once")
			l.Expect(l.packets()[blockOf(unclaimed)]).To(BeEquivalentTo(1))

			l.Expect(l.apply(reject)).To(BeTrue())
			l.Expect(l.send(l.client, unclaimed)).To(MatchError(unix.ECONNREFUSED), "the sender is told")
			l.Expect(l.packets()[blockOf(unclaimed)]).To(BeEquivalentTo(2), "counted across a change of the rules")

			l.Expect(l.apply(loopguard.Disabled)).To(BeTrue())
			before = l.forwarded()
			l.Expect(l.send(l.client, unclaimed)).To(Succeed())
			l.Eventually(l.forwarded).Should(Equal(before+bounces), "the rules are gone")
			l.Expect(l.packets()[blockOf(unclaimed)]).To(BeEquivalentTo(2), "a counter never goes back")
		})
	}
}

func TestWhatSomebodyWantsIsForwarded(t *testing.T) {
	for name, row := range map[string]struct {
		from, to string
		prepare  string
	}{
		"a packet for a Service, whose pod is on another node and has an address inside a block": {
			from: "client", to: "192.0.2.80",
			prepare: "table ip nat { chain p { type nat hook prerouting priority dstnat; ip daddr 192.0.2.80 dnat to 192.0.2.7; }; }",
		},
		"a pod's packet for a host inside a block":  {from: "pod", to: "192.0.2.7"},
		"a packet for a pod inside a block":         {from: "client", to: "192.0.2.200"},
		"a packet for an address outside of blocks": {from: "client", to: "198.51.100.9"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLink(t)
			l.Expect(l.apply(drop)).To(BeTrue())
			l.nft(row.prepare)
			before := l.passed()
			_ = l.send(map[string]string{"client": l.client, "pod": l.pod}[row.from], row.to) // A pod says that its port is closed.
			l.Eventually(l.passed).Should(BeNumerically(">", before))
			l.Expect(l.packets()[blockOf("192.0.2.5")]).To(BeZero())
		})
	}
}

func TestNestedBlocksCountForTheLongest(t *testing.T) {
	l := newLink(t)
	l.guard.Blocks = prefixes("192.0.2.0/24", "192.0.2.64/26", "192.0.2.64/27", "255.255.255.0/24", "2001:db8:99::/64")
	l.Expect(l.apply(drop)).To(BeTrue())
	for _, to := range []string{"192.0.2.5", "192.0.2.65", "192.0.2.65", "192.0.2.96", "192.0.2.129"} {
		l.Expect(l.send(l.client, to)).To(Succeed())
	}
	l.Eventually(l.packets).Should(Equal(map[netip.Prefix]uint64{
		netip.MustParsePrefix("192.0.2.0/24"):     2,
		netip.MustParsePrefix("192.0.2.64/26"):    1,
		netip.MustParsePrefix("192.0.2.64/27"):    2,
		netip.MustParsePrefix("255.255.255.0/24"): 0,
		netip.MustParsePrefix("2001:db8:99::/64"): 0,
	}))
	l.Expect(l.apply(drop)).To(BeFalse(), "nothing changed")
}

func TestApplyingTwiceChangesNothing(t *testing.T) {
	l := newLink(t)
	l.Expect(l.apply(loopguard.Disabled)).To(BeFalse(), "there never was a table")
	l.Expect(l.apply(drop)).To(BeTrue())
	rules := l.nft("list table inet herald")
	l.Expect(l.apply(drop)).To(BeFalse())
	l.Expect(l.nft("list table inet herald")).To(Equal(rules))

	l.guard.Mode = drop
	another := nftables.New() // As an agent that starts again.
	l.Expect(l.send(l.client, "192.0.2.5")).To(Succeed())
	var changed bool
	l.in(l.node, func() (err error) {
		changed, err = another.Apply(l.guard, l.uplinks)
		return err
	})
	l.Expect(changed).To(BeFalse())
	var packets map[netip.Prefix]uint64
	l.in(l.node, func() (err error) {
		packets, err = another.Packets()
		return err
	})
	l.Expect(packets[blockOf("192.0.2.5")]).To(BeEquivalentTo(1), "what was counted before it started")

	l.Expect(l.apply(loopguard.Disabled)).To(BeTrue())
	l.Expect(l.nft("list tables")).To(Equal("table inet test\n"), "nobody else's table is touched")
	l.Expect(l.apply(loopguard.Disabled)).To(BeFalse())
}

func TestWhatWasChangedByHandIsRepaired(t *testing.T) {
	for name, vandalism := range map[string]string{
		"a rule is gone":                "flush chain inet herald forward",
		"a rule is added":               "insert rule inet herald forward accept",
		"a rule that nobody knows":      "add rule inet herald forward ip saddr 10.0.0.1 counter log",
		"a block is gone":               "delete element inet herald blocks-ipv4 { 192.0.2.0/24 }",
		"a block is added":              "add element inet herald blocks-ipv6 { 2001:db8:1::/64 }",
		"an uplink is gone":             "flush set inet herald uplinks",
		"the table is gone":             "delete table inet herald",
		"the table is switched off":     "add table inet herald { flags dormant; }",
		"a chain is added":              "add chain inet herald other { type filter hook input priority 0; policy drop; }",
		"the chain lets nothing by":     "add chain inet herald forward { policy drop; }",
		"the chain comes at other time": "delete chain inet herald forward; add chain inet herald forward { type filter hook forward priority -5; }",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLink(t)
			l.Expect(l.apply(drop)).To(BeTrue())
			sound := l.nft("list table inet herald")
			l.nft(vandalism)
			l.Expect(l.apply(drop)).To(BeTrue(), "it is seen")
			l.Expect(l.nft("list table inet herald")).To(Equal(sound))
			l.Expect(l.apply(drop)).To(BeFalse())
		})
	}
}

func TestRulesFollowBlocksAndUplinks(t *testing.T) {
	l := newLink(t)
	l.Expect(l.apply(drop)).To(BeTrue())
	l.uplinks = []string{"elsewhere0"}
	l.Expect(l.apply(drop)).To(BeTrue())
	before := l.forwarded()
	l.Expect(l.send(l.client, "192.0.2.5")).To(Succeed())
	l.Eventually(l.forwarded).Should(Equal(before+bounces), "it comes in by no uplink")

	l.uplinks = []string{"uplink", "elsewhere0", "uplink"}
	l.Expect(l.apply(drop)).To(BeTrue())
	l.guard.Blocks = prefixes("203.0.113.0/24")
	l.Expect(l.apply(drop)).To(BeTrue())
	before = l.forwarded()
	l.Expect(l.send(l.client, "192.0.2.5")).To(Succeed())
	l.Eventually(l.forwarded).Should(Equal(before+bounces), "its block is no longer guarded")
	l.Expect(l.packets()).To(HaveKey(netip.MustParsePrefix("203.0.113.0/24")))
}

func TestWithoutTheCapabilityAnErrorSaysWhatIsMissing(t *testing.T) {
	l := newLink(t)
	err := netns.Do(l.node, func() error {
		var none [2]unix.CapUserData
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&header, &none[0]); err != nil { // Of this thread, which ends with it.
			return err
		}
		_, err := nftables.New().Apply(l.guard, l.uplinks)
		return err
	})
	l.Expect(err).To(MatchError(And(ContainSubstring("NET_ADMIN"), ContainSubstring("operation not permitted"))))
}

// link is a client, a router and a node, with a pod behind it, in namespaces of their own. The router routes blocks to the
// node, and the node everything but its pods to the router, which itself has the address 192.0.2.7 inside a block.
type link struct {
	*WithT

	t                         *testing.T
	client, router, node, pod string
	table                     *nftables.Table
	guard                     loopguard.Guard
	uplinks                   []string
}

func newLink(t *testing.T) *link {
	t.Helper()
	name := strings.NewReplacer("/", "-", "_", "-", ",", "").Replace(t.Name())
	name = name[max(0, len(name)-40):]
	l := &link{
		WithT: NewWithT(t), t: t,
		client: "client-" + name, router: "router-" + name, node: "node-" + name, pod: "pod-" + name,
		table: nftables.New(),
		guard: loopguard.Guard{Blocks: prefixes("192.0.2.0/24", "2001:db8:99::/64")}, uplinks: []string{"uplink"},
	}
	for _, ns := range []string{l.client, l.router, l.node, l.pod} {
		l.Expect(netns.Create(ns)).To(Succeed())
		t.Cleanup(func() { l.Expect(netns.Delete(ns)).To(Succeed()) })
		l.run(ns, "ip", "link", "set", "lo", "up")
	}
	client, node, pod := netns.Path(l.client), netns.Path(l.node), netns.Path(l.pod)
	l.run(l.router, "ip", "link", "add", "north", "type", "veth", "peer", "name", "eth0", "netns", client)
	l.run(l.router, "ip", "link", "add", "south", "type", "veth", "peer", "name", "uplink", "netns", node)
	l.run(l.node, "ip", "link", "add", "veth0", "type", "veth", "peer", "name", "eth0", "netns", pod)
	l.configure(l.client, "eth0", []string{"172.31.0.2/24", "2001:db8:31::2/64"}, map[string]string{"default": "172.31.0.1", "::/0": "2001:db8:31::1"})
	l.configure(l.router, "north", []string{"172.31.0.1/24", "2001:db8:31::1/64", "192.0.2.7/32"}, nil)
	l.configure(l.router, "south", []string{"10.0.0.1/24", "2001:db8::1/64"}, map[string]string{
		"192.0.2.0/24": "10.0.0.2", "198.51.100.0/24": "10.0.0.2", "203.0.113.0/24": "10.0.0.2", "2001:db8:99::/64": "2001:db8::2",
	})
	l.configure(l.node, "uplink", []string{"10.0.0.2/24", "2001:db8::2/64"}, map[string]string{"default": "10.0.0.1", "::/0": "2001:db8::1"})
	l.configure(l.node, "veth0", []string{"10.48.0.1/24"}, map[string]string{"192.0.2.200/31": "10.48.0.2"})
	l.configure(l.pod, "eth0", []string{"10.48.0.2/24"}, map[string]string{"default": "10.48.0.1"})
	l.nft(`table inet test {
		counter seen { }
		counter passed { }
		chain before { type filter hook forward priority -300; udp dport 9 counter name seen; }
		chain after { type filter hook forward priority 300; udp dport 9 counter name passed; }
	}`)
	return l
}

func (l *link) configure(ns, device string, addresses []string, routes map[string]string) {
	l.t.Helper()
	for setting, value := range map[string]string{
		"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1", "net/ipv6/conf/" + device + "/accept_dad": "0",
	} {
		l.in(ns, func() error { return os.WriteFile("/proc/sys/"+setting, []byte(value), 0o600) })
	}
	for _, a := range addresses {
		l.run(ns, "ip", "address", "add", a, "dev", device)
	}
	l.run(ns, "ip", "link", "set", device, "up")
	for to, via := range routes {
		l.run(ns, "ip", "route", "add", to, "via", via)
	}
}

func (l *link) in(ns string, do func() error) {
	l.t.Helper()
	if err := netns.Do(ns, do); err != nil {
		l.t.Fatal(err)
	}
}

func (l *link) run(ns string, argv ...string) string {
	l.t.Helper()
	var output []byte
	l.in(ns, func() (err error) {
		output, err = exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", argv, err, output)
		}
		return nil
	})
	return string(output)
}

func (l *link) nft(script string) string {
	l.t.Helper()
	return l.run(l.node, "nft", script)
}

func (l *link) apply(mode loopguard.Mode) (changed bool) {
	l.t.Helper()
	guard := l.guard
	if guard.Mode = mode; mode == loopguard.Disabled {
		guard = loopguard.Guard{}
	}
	l.in(l.node, func() (err error) {
		changed, err = l.table.Apply(guard, l.uplinks)
		return err
	})
	return changed
}

func (l *link) packets() (packets map[netip.Prefix]uint64) {
	l.in(l.node, func() (err error) {
		packets, err = l.table.Packets()
		return err
	})
	return packets
}

// send sends one packet, and returns what its sender is told of it within a moment: nothing, in most cases.
func (l *link) send(ns, to string) error {
	return netns.Do(ns, func() error {
		conn, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr(to), 9).String())
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("x")); err != nil {
			return err
		}
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, err = conn.Read(make([]byte, 1))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		return err
	})
}

// forwarded returns how many packets came to the node to be forwarded, passed how many of them went on.
func (l *link) forwarded() int { return l.counter("seen") }
func (l *link) passed() int    { return l.counter("passed") }

func (l *link) counter(name string) int {
	match := regexp.MustCompile(`packets (\d+)`).FindStringSubmatch(l.nft("list counter inet test " + name))
	n, err := strconv.Atoi(match[1])
	l.Expect(err).NotTo(HaveOccurred())
	return n
}

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func blockOf(address string) netip.Prefix {
	if strings.Contains(address, ":") {
		return netip.MustParsePrefix("2001:db8:99::/64")
	}
	return netip.MustParsePrefix("192.0.2.0/24")
}
