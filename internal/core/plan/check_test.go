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
		"verb 0":                        {},
		"without host bits":             {Verb: plan.Advertise, Path: bgp.Path{Prefix: netip.MustParsePrefix("10.0.0.1/24")}},
		"Withdraw invalid Prefix":       {Verb: plan.Withdraw},
		"no name":                       {Verb: plan.RemovePeer},
		"Address: ":                     add(func(p *bgp.Peer) { p.Address = netip.AddrPort{} }),
		"ASN: ":                         add(func(p *bgp.Peer) { p.ASN = 0 }),
		"LocalASN: ":                    add(func(p *bgp.Peer) { p.LocalASN = 0 }),
		"RouterID: ":                    add(func(p *bgp.Peer) { p.RouterID = netip.MustParseAddr("::1") }),
		"HoldTime: ":                    add(func(p *bgp.Peer) { p.HoldTime = 2 * time.Second }),
		"KeepaliveTime: ":               add(func(p *bgp.Peer) { p.KeepaliveTime = 91 * time.Second }),
		"ConnectRetryTime: ":            add(func(p *bgp.Peer) { p.ConnectRetryTime = 0 }),
		"Families: ":                    add(func(p *bgp.Peer) { p.Families = 0 }),
		"GracefulRestart.RestartTime: ": add(func(p *bgp.Peer) { p.GracefulRestart.RestartTime = 4096 * time.Second }),
		"SourceAddress: ":               add(func(p *bgp.Peer) { p.SourceAddress = netip.MustParseAddr("::1") }),
		"NextHopIPv4: want an IPv4":     add(func(p *bgp.Peer) { p.NextHopIPv4 = netip.MustParseAddr("::1") }),
		"NextHopIPv6: want an IPv6":     add(func(p *bgp.Peer) { p.NextHopIPv6 = netip.MustParseAddr("10.0.0.1") }),
		"Address: want a zone": add(func(p *bgp.Peer) {
			p.Address = netip.MustParseAddrPort("[fe80::1]:179")
			p.SourceAddress = netip.Addr{}
		}),
		"zone where it is link-local": add(func(p *bgp.Peer) {
			p.Address = netip.MustParseAddrPort("[2001:db8::1%eth0]:179")
			p.SourceAddress = netip.Addr{}
		}),
		"Password: want at most 80": add(func(p *bgp.Peer) { p.Password = bgp.PasswordOf(strings.Repeat("p", 81)) }),
		"Password: want none": add(func(p *bgp.Peer) {
			p.Address = netip.MustParseAddrPort("[fe80::1%eth0]:179")
			p.SourceAddress = netip.Addr{}
		}),
		"TTL: want 255":                  add(func(p *bgp.Peer) { p.TTL = 64 }),
		"ListenPort: want a port":        add(func(p *bgp.Peer) { p.ListenPort = 0 }),
		"the peer is Passive, and only":  add(func(p *bgp.Peer) { p.Passive = false }),
		"AddPeer : the peer has no name": add(func(p *bgp.Peer) { p.Name = "" }),
	} {
		if err := step.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", step, err, want)
		}
	}
}

func TestCheckNeverTellsAPassword(t *testing.T) {
	secret := strings.Repeat("hunter2", 12)
	if err := add(func(p *bgp.Peer) { p.Password = bgp.PasswordOf(secret) }).Check(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

func TestCheckAcceptsPeersOfEachKind(t *testing.T) {
	for name, edit := range map[string]func(*bgp.Peer){
		"link-local":                    func(p *bgp.Peer) { *p = linkLocal(*p) },
		"longest password":              func(p *bgp.Peer) { p.Password = bgp.PasswordOf(strings.Repeat("p", 80)) },
		"multihop without TTL security": func(p *bgp.Peer) { p.TTL, p.MinimumTTL = 2, 0 },
		"TTL security over three hops":  func(p *bgp.Peer) { p.TTL, p.MinimumTTL = 255, 253 },
		"the kernel's TTL":              func(p *bgp.Peer) { p.TTL, p.MinimumTTL = 0, 0 },
		"one that is dialled":           func(p *bgp.Peer) { p.Passive, p.ListenPort = false, 0 },
	} {
		if err := add(edit).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func linkLocal(p bgp.Peer) bgp.Peer {
	p.Address, p.SourceAddress = netip.MustParseAddrPort("[fe80::1%eth0]:179"), netip.Addr{}
	p.Password = bgp.Password{}
	return p
}

func add(edit func(*bgp.Peer)) plan.Step { return plan.Step{Verb: plan.AddPeer, Peer: peer("a", edit)} }
