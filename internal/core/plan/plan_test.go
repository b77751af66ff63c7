package plan_test

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

func peer(name string, edits ...func(*bgp.Peer)) bgp.Peer {
	p := bgp.Peer{
		Name:                name,
		Address:             netip.MustParseAddrPort("192.168.1.1:179"),
		ASN:                 64512,
		LocalASN:            64512,
		RouterID:            netip.MustParseAddr("192.168.1.11"),
		SourceAddress:       netip.MustParseAddr("192.168.1.11"),
		HoldTime:            90 * time.Second,
		KeepaliveTime:       30 * time.Second,
		ConnectRetryTime:    5 * time.Second,
		Families:            bgp.FamiliesOf(bgp.IPv4),
		GracefulRestart:     bgp.GracefulRestart{Enabled: true, RestartTime: 120 * time.Second},
		MaxReceivedPrefixes: 100000,
		NextHopIPv4:         netip.MustParseAddr("192.168.1.11"),
		NextHopIPv6:         netip.MustParseAddr("2001:db8:1::11"),
		Password:            bgp.PasswordOf("secret"),
		TTL:                 255,
		MinimumTTL:          255,
		Passive:             true,
		ListenPort:          179,
		BFD:                 bgp.BFD{Enabled: true},
		Export:              bgp.ExportPolicyOf(bgp.ExportRule{Reject: true}),
		Draining:            true,
	}
	for _, edit := range edits {
		edit(&p)
	}
	return p
}

func path(prefix string) bgp.Path { return bgp.Path{Prefix: netip.MustParsePrefix(prefix)} }

func render(steps []plan.Step) []string {
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.String()+" "+s.Impact.String())
	}
	return lines
}

func TestPeers(t *testing.T) {
	holdTime := func(p *bgp.Peer) { p.HoldTime = 9 * time.Second }
	retry := func(p *bgp.Peer) { p.ConnectRetryTime = time.Second }
	nextHop := func(p *bgp.Peer) { p.NextHopIPv6 = netip.MustParseAddr("2001:db8:1::12") }
	for name, test := range map[string]struct {
		observed, desired []bgp.Peer
		want              []string
	}{
		"nothing runs and nothing is wanted": {},
		"nothing changed, in another order": {
			observed: []bgp.Peer{peer("a"), peer("b")},
			desired:  []bgp.Peer{peer("b"), peer("a")},
		},
		"peers come up in the order of their names": {
			desired: []bgp.Peer{peer("b"), peer("a")},
			want:    []string{"AddPeer a None", "AddPeer b None"},
		},
		"what leaves does so before what comes": {
			observed: []bgp.Peer{peer("old"), peer("older")},
			desired:  []bgp.Peer{peer("new")},
			want:     []string{"RemovePeer old SessionDrop", "RemovePeer older SessionDrop", "AddPeer new None"},
		},
		"a change costs what its field costs": {
			observed: []bgp.Peer{peer("a"), peer("b"), peer("c")},
			desired:  []bgp.Peer{peer("a", retry), peer("b", nextHop), peer("c", holdTime)},
			want:     []string{"UpdatePeer a None", "UpdatePeer b Readvertise", "UpdatePeer c SessionDrop"},
		},
		"of several changes the dearest counts": {
			observed: []bgp.Peer{peer("a")},
			desired:  []bgp.Peer{peer("a", retry, holdTime, nextHop)},
			want:     []string{"UpdatePeer a SessionDrop"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := render(plan.Peers(test.observed, test.desired))
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOrderPutsRoutesBeforePeersAndAdvertisingBeforeWithdrawing(t *testing.T) {
	peers := plan.Peers([]bgp.Peer{peer("gone"), peer("stays")},
		[]bgp.Peer{peer("stays", func(p *bgp.Peer) { p.ConnectRetryTime = 0 }), peer("new")})
	routes := plan.Routes(
		[]bgp.Path{path("2001:db8::1/128"), path("10.0.0.2/32"), path("10.0.0.0/24"), path("10.0.0.0/16")},
		[]netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")},
	)
	want := []string{
		"RemovePeer gone SessionDrop",
		"Advertise 10.0.0.0/16 Readvertise",
		"Advertise 10.0.0.0/24 Readvertise",
		"Advertise 10.0.0.2/32 Readvertise",
		"Advertise 2001:db8::1/128 Readvertise",
		"Withdraw 10.0.0.1/32 Readvertise",
		"UpdatePeer stays None",
		"AddPeer new None",
	}
	for name, groups := range map[string][][]plan.Step{
		"peers first":  {peers, routes},
		"routes first": {routes, peers},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, render(plan.Order(groups...))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryFieldOfAPeerHasAnImpact(t *testing.T) {
	var want, got []string
	for f := range reflect.TypeFor[bgp.Peer]().Fields() {
		want = append(want, f.Name)
	}
	for _, f := range plan.PeerFields() {
		got = append(got, f.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields of bgp.Peer and of the impact table (-want +got):\n%s", diff)
	}
}

func TestEachFieldAloneHasTheImpactThatTheTableSays(t *testing.T) {
	base := peer("a")
	for _, f := range plan.PeerFields() {
		edited := base
		value := reflect.ValueOf(&edited).Elem().FieldByName(f.Name)
		value.SetZero()
		if edited == base {
			t.Fatalf("%s of the base peer is zero: the test would edit nothing", f.Name)
		}
		if got := plan.ImpactOf(base, edited); got != f.Impact {
			t.Errorf("editing %s: impact %s, want %s", f.Name, got, f.Impact)
		}
	}
}
