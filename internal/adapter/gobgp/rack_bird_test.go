//go:build bird

// These tests need BIRD 2 and FRR (Debian's bird2 and frr), iproute2, and user namespaces or root.

package gobgp_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// insideRack is set where the process runs in namespaces of its own.
const insideRack = "HERALD_TEST_RACK"

// TestBIRDAndFRRInARack runs TestInsideRack in a network of its own: a node, which is the test, and a router at the other
// end of its only cable.
func TestBIRDAndFRRInARack(t *testing.T) {
	command := exec.CommandContext(t.Context(), "unshare", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child",
		os.Args[0], "-test.run=^TestInsideRack$", "-test.v")
	command.Env = append(os.Environ(), insideRack+"=yes")
	command.Stdout, command.Stderr = t.Output(), t.Output()
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
}

const rackSetUp = `
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/tmp
mkdir /run/frr
printf 'root:x:0:\nfrrvty:x:0:root\n' >/run/group
mount --bind /run/group /etc/group
ip netns add router
ip link set lo up
ip link add node0 type veth peer name tor0 netns router
ip netns exec router ip link set lo up
ip link set node0 addrgenmode none
ip netns exec router ip link set tor0 addrgenmode none
ip addr add fe80::11/64 dev node0 nodad
ip addr add 2001:db8:1::11/64 dev node0 nodad
ip addr add 192.168.1.11/24 dev node0
ip netns exec router ip addr add fe80::1/64 dev tor0 nodad
ip netns exec router ip addr add 2001:db8:1::1/64 dev tor0 nodad
ip netns exec router ip addr add 192.168.1.1/24 dev tor0
ip link set node0 up
ip netns exec router ip link set tor0 up
`

// rackRouter is a daemon with its configuration for a peer at an address, which dials it, and the command that asks for
// all routes again. FRR and BIRD write an address with its link in ways of their own.
type rackRouter struct {
	programs  []string
	linkLocal string // what the configuration of a link-local peer has more
	config    string
	refresh   string
}

const rackBIRD = `
router id 192.168.1.1;
protocol device { }
protocol kernel { ipv4 { import none; export all; }; }
protocol kernel { ipv6 { import none; export all; }; }
protocol bgp node {
	local as 4200000001;
	neighbor %s as 4200000000;
	%s
	passive;
	ipv4 { import all; export none; %s; };
	ipv6 { import all; export none; };
}
`

const rackFRR = `
log stdout
router bgp 4200000001
 bgp router-id 192.168.1.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor %[1]s remote-as 4200000000
 neighbor %[1]s passive
 %[2]s
 %[3]s
 address-family ipv4 unicast
  neighbor %[1]s activate
 exit-address-family
 address-family ipv6 unicast
  neighbor %[1]s activate
 exit-address-family
`

func rackRouters() map[string]rackRouter {
	const frr = "--user=root --group=root --vty_port=0 -f /run/frr.conf"
	return map[string]rackRouter{
		"BIRD": {
			programs: []string{"bird -f -c /run/bird.conf -s /run/bird.ctl"}, config: rackBIRD,
			linkLocal: `interface "tor0";`, refresh: "birdc -s /run/bird.ctl reload in node",
		},
		"FRR": {
			programs: []string{"/usr/lib/frr/zebra " + frr, "/usr/lib/frr/bgpd " + frr}, config: rackFRR,
			linkLocal: "neighbor fe80::11 interface tor0", refresh: "vtysh -c 'clear bgp * soft in'",
		},
	}
}

// start runs the router with a session to the node's address, which takes extended next hops or does not.
func (r rackRouter) start(t *testing.T, node string, extended bool) {
	t.Helper()
	file, takes, link := "/run/bird.conf", "extended next hop off", ""
	if r.config == rackFRR {
		file, takes = "/run/frr.conf", ""
	}
	switch {
	case extended && r.config == rackFRR:
		takes = "neighbor " + node + " capability extended-nexthop"
	case extended:
		takes = "extended next hop on"
	}
	if strings.HasPrefix(node, "fe80") {
		link = r.linkLocal
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, r.config, node, link, takes), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, program := range r.programs {
		command := exec.CommandContext(t.Context(), "ip", append([]string{"netns", "exec", "router"}, strings.Fields(program)...)...)
		command.Stdout, command.Stderr = t.Output(), t.Output()
		command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = command.Wait() })
		if strings.Contains(program, "zebra") {
			NewWithT(t).Eventually(filepath.Glob, patience, tick).WithArguments("/run/frr/zserv.api").ShouldNot(BeEmpty())
		}
	}
}

// inRouter runs a command of the router and returns what it says.
func inRouter(t *testing.T, command string) string {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), "ip", "netns", "exec", "router", "sh", "-c", command).CombinedOutput()
	if err != nil {
		t.Logf("%s: %v: %s", command, err, said)
	}
	return string(said)
}

// installed returns what the router's kernel has for a prefix.
func installed(t *testing.T, prefix netip.Prefix) func() string {
	t.Helper()
	family := "-4"
	if prefix.Addr().Is6() {
		family = "-6"
	}
	return func() string { return inRouter(t, "ip "+family+" route show exact "+prefix.String()) }
}

func TestInsideRack(t *testing.T) {
	if os.Getenv(insideRack) == "" {
		return // TestBIRDAndFRRInARack runs it.
	}
	if said, err := exec.CommandContext(t.Context(), "sh", "-euc", rackSetUp).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	v4, v6 := netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("2001:db8::1/128")
	linkLocal := func(p *bgp.Peer) {
		p.Address, p.SourceAddress = netip.MustParseAddrPort("[fe80::1%node0]:179"), netip.Addr{}
	}
	global := func(p *bgp.Peer) {
		p.Address, p.SourceAddress = netip.MustParseAddrPort("[2001:db8:1::1]:179"), netip.MustParseAddr("2001:db8:1::11")
	}
	for name, router := range rackRouters() {
		for scenario, test := range map[string]struct {
			node     string // as the router sees it
			extended bool
			peer     []func(*bgp.Peer)
			v4, v6   string // next hops that the router installs, "" for no route
			families bgp.Families
		}{
			"IPv6": {
				node: "2001:db8:1::11", peer: []func(*bgp.Peer){global},
				v4: "via 192.168.1.11 dev tor0", v6: "via 2001:db8:1::11 dev tor0", families: both,
			},
			"IPv6 with extended next hop": {
				node: "2001:db8:1::11", extended: true, peer: []func(*bgp.Peer){global, withoutIPv4},
				v4: "via inet6 2001:db8:1::11 dev tor0", v6: "via 2001:db8:1::11 dev tor0", families: both,
			},
			"link-local": {
				node: "fe80::11", peer: []func(*bgp.Peer){linkLocal},
				v4: "via 192.168.1.11 dev tor0", v6: "via fe80::11 dev tor0", families: both,
			},
			"link-local with extended next hop": {
				node: "fe80::11", extended: true, peer: []func(*bgp.Peer){linkLocal, withoutIPv4},
				v4: "via inet6 fe80::11 dev tor0", v6: "via fe80::11 dev tor0", families: both,
			},
			"link-local without extended next hop": {
				node: "fe80::11", peer: []func(*bgp.Peer){linkLocal, withoutIPv4},
				v6: "via fe80::11 dev tor0", families: onlyIPv6,
			},
		} {
			t.Run(name+" over "+scenario, func(t *testing.T) {
				router.start(t, test.node, test.extended)
				s := newSpeaker(t, gobgp.Options{})
				peer := peerOf("tor", &testRouter{listener: nowhere(t), config: helper(4200000001)},
					append(test.peer, impatient, func(p *bgp.Peer) { p.LocalASN = 4200000000 })...)
				run(t, s, plan.Routes(paths(v4.String(), v6.String()), nil), addPeers(peer))
				g := NewWithT(t)
				g.Eventually(func() bgp.SessionState { return session(s, "tor").State }, 2*patience, tick).Should(Equal(bgp.Established),
					func() string { return fmt.Sprintf("%+v", session(s, "tor")) })
				g.Eventually(installed(t, v6), 2*patience, 100*tick).Should(ContainSubstring(test.v6))
				if test.v4 == "" {
					g.Consistently(installed(t, v4), time.Second, 100*tick).Should(BeEmpty())
				} else {
					g.Eventually(installed(t, v4), patience, 100*tick).Should(ContainSubstring(test.v4))
				}
				got := session(s, "tor")
				if got.Families != test.families || got.LocalAddress.Zone() != "" || got.Flaps != 0 {
					t.Errorf("session: %+v", got)
				}
				inRouter(t, router.refresh)
				g.Eventually(func() uint64 { return session(s, "tor").UpdatesSent }, patience, tick).Should(BeNumerically(">", got.UpdatesSent))
				run(t, s, plan.Routes(nil, []netip.Prefix{v4, v6}))
				g.Eventually(installed(t, v6), patience, 100*tick).Should(BeEmpty())
				g.Eventually(installed(t, v4), patience, 100*tick).Should(BeEmpty())
			})
		}
	}
}

// nowhere is a listener that nobody dials: the peer's address is set by each scenario.
func nowhere(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}
