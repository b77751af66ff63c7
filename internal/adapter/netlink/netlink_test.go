package netlink_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/netlink"
	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/sandbox"
)

func TestMain(m *testing.M) { os.Exit(sandbox.RunTests(context.Background(), m)) }

// host is the network of a node with the interfaces rack0 (192.168.1.0/24 and 2001:db8:1::/64), rack1 (192.168.2.0/24) and
// pods (10.48.1.0/24).
const host = `
link add rack0 type veth peer name rack0-far
link add rack1 type veth peer name rack1-far
link add pods type veth peer name pods-far
link set lo up
link set rack0-far up
link set rack1-far up
link set pods-far up
link set rack0 up
link set rack1 up
link set pods up
address add 192.168.1.11/24 dev rack0
address add 2001:db8:1::11/64 dev rack0 nodad
address add 192.168.2.11/24 dev rack1
address add 10.48.1.1/24 dev pods
`

func TestFindUplinks(t *testing.T) {
	for name, row := range map[string]struct {
		ip        string
		addresses []string
		want      []string
	}{
		"peers beside the node":      {addresses: []string{"192.168.1.1", "2001:db8:1::1"}, want: []string{"rack0"}},
		"two routers on two links":   {addresses: []string{"192.168.1.1", "192.168.2.1"}, want: []string{"rack0", "rack1"}},
		"a default route of its own": {ip: "route add default via 192.168.2.1", addresses: []string{"192.168.1.1"}, want: []string{"rack0", "rack1"}},
		"an IPv6 default route":      {ip: "route add default via 2001:db8:1::1", want: []string{"rack0"}},
		"a default route over both links": {
			ip:   "route add default nexthop via 192.168.1.1 nexthop via 192.168.2.1",
			want: []string{"rack0", "rack1"},
		},
		"a distant peer over both links": {
			ip:        "route add 172.31.0.0/16 nexthop via 192.168.1.1 nexthop via 192.168.2.1",
			addresses: []string{"172.31.0.2"}, want: []string{"rack0", "rack1"},
		},
		"a peer that no route leads to":    {addresses: []string{"203.0.113.1", "2001:db8:f::1", "192.168.1.1"}, want: []string{"rack0"}},
		"a route that refuses":             {ip: "route add unreachable default", addresses: []string{"203.0.113.1"}},
		"a peer by its link":               {addresses: []string{"fe80::1%rack1"}, want: []string{"rack1"}},
		"a peer on the node itself":        {addresses: []string{"127.0.0.1", "192.168.1.11"}},
		"a default route of another table": {ip: "route add default via 192.168.2.1 table 100"},
		"a bridge, and not its ports": {
			ip: "link add br0 type bridge\nlink set br0 up\nlink set rack1 master br0\naddress add 192.168.7.11/24 dev br0", addresses: []string{"192.168.7.1"},
			want: []string{"br0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			ns := newHost(t, row.ip)
			var addresses []netip.Addr
			for _, text := range row.addresses {
				addresses = append(addresses, netip.MustParseAddr(text))
			}
			var found []string
			g.Expect(netns.Do(ns, func() (err error) {
				found, err = netlink.New().Find(addresses)
				return err
			})).To(Succeed())
			g.Expect(found).To(Equal(row.want))
		})
	}
}

func TestFollowTellsOfEveryChange(t *testing.T) {
	g := NewWithT(t)
	ns := newHost(t, "")
	uplinks := netlink.New()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- netns.Do(ns, func() error { return uplinks.Follow(ctx) }) }()
	g.Eventually(uplinks.Changed()).Should(Receive(), "as it begins")
	for _, change := range []string{
		"route add default via 192.168.1.1", "route replace default via 192.168.2.1", "route del default",
		"route add default via 2001:db8:1::1", "link set rack1 down", "link set rack1 name rack7",
	} {
		g.Eventually(func() bool { // What follows from the change before.
			select {
			case <-uplinks.Changed():
				return false
			case <-time.After(50 * time.Millisecond):
				return true
			}
		}).Should(BeTrue())
		ip(t, ns, change)
		g.Eventually(uplinks.Changed()).Should(Receive(), change)
	}
	cancel()
	g.Eventually(ended).Should(Receive(Succeed()))
}

func newHost(t *testing.T, more string) string {
	t.Helper()
	name := "host-" + strings.NewReplacer("/", "-", ",", "").Replace(t.Name())
	name = name[:min(len(name), 60)]
	if err := netns.Create(name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netns.Delete(name) })
	ip(t, name, host+more)
	return name
}

func ip(t *testing.T, ns, script string) {
	t.Helper()
	err := netns.Do(ns, func() error {
		command := exec.Command("ip", "-batch", "-")
		command.Stdin = strings.NewReader(strings.TrimSpace(script) + "\n")
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("ip: %w\n%s", err, output)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
