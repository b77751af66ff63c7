package plan_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

func TestCheckAcceptsWhatThePlanMakes(t *testing.T) {
	steps := plan.Order(
		plan.Peers([]bgp.Peer{peer("gone"), peer("changed")},
			[]bgp.Peer{peer("new"), peer("changed", func(p *bgp.Peer) { p.HoldTime = 9 * time.Second; p.KeepaliveTime = 3 * time.Second })}),
		plan.Routes([]bgp.Path{path("10.0.0.0/16"), path("2001:db8::1/128")}, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}),
	)
	for _, step := range steps {
		if err := step.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	for want, step := range map[string]plan.Step{
		"verb 0":                         {},
		"without host bits":              {Verb: plan.Advertise, Path: bgp.Path{Prefix: netip.MustParsePrefix("10.0.0.1/24")}},
		"Withdraw invalid Prefix":        {Verb: plan.Withdraw},
		"no name":                        {Verb: plan.RemovePeer},
		"Address: ":                      add(func(p *bgp.Peer) { p.Address = netip.AddrPort{} }),
		"ASN: ":                          add(func(p *bgp.Peer) { p.ASN = 0 }),
		"LocalASN: ":                     add(func(p *bgp.Peer) { p.LocalASN = 0 }),
		"RouterID: ":                     add(func(p *bgp.Peer) { p.RouterID = netip.MustParseAddr("::1") }),
		"HoldTime: ":                     add(func(p *bgp.Peer) { p.HoldTime = 2 * time.Second }),
		"KeepaliveTime: ":                add(func(p *bgp.Peer) { p.KeepaliveTime = 91 * time.Second }),
		"ConnectRetryTime: ":             add(func(p *bgp.Peer) { p.ConnectRetryTime = 0 }),
		"Families: ":                     add(func(p *bgp.Peer) { p.Families = 0 }),
		"GracefulRestart.RestartTime: ":  add(func(p *bgp.Peer) { p.GracefulRestart.RestartTime = 4096 * time.Second }),
		"SourceAddress: ":                add(func(p *bgp.Peer) { p.SourceAddress = netip.MustParseAddr("::1") }),
		"NextHopIPv4: want an IPv4":      add(func(p *bgp.Peer) { p.NextHopIPv4 = netip.MustParseAddr("::1") }),
		"NextHopIPv6: want an IPv6":      add(func(p *bgp.Peer) { p.NextHopIPv6 = netip.MustParseAddr("10.0.0.1") }),
		"AddPeer : the peer has no name": add(func(p *bgp.Peer) { p.Name = "" }),
	} {
		if err := step.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", step, err, want)
		}
	}
}

func add(edit func(*bgp.Peer)) plan.Step { return plan.Step{Verb: plan.AddPeer, Peer: peer("a", edit)} }
