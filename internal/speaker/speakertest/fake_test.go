package speakertest_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
	"github.com/herald-network/herald/internal/speaker/speakertest"
)

func TestFakePassesTheSuite(t *testing.T) {
	speakertest.Suite(t, func(*testing.T) speakertest.Lab { return &lab{fake: &speakertest.Fake{}} })
}

type lab struct{ fake *speakertest.Fake }

func (l *lab) Speaker() speaker.Speaker { return l.fake }

func (l *lab) NewRouter(_ *testing.T, name string) (bgp.Peer, speakertest.Router) {
	return soundPeer(name), &router{fake: l.fake, name: name}
}

type router struct {
	fake *speakertest.Fake
	name string
}

func (r *router) Accept()      { r.fake.Establish(r.name) }
func (r *router) Break()       { r.fake.Drop(r.name, "connection reset by the peer") }
func (r *router) Ceased() bool { return r.fake.Ceased(r.name) }

func (r *router) Routes() map[netip.Prefix]bgp.Advertisement { return r.fake.Routes(r.name) }

func soundPeer(name string) bgp.Peer {
	return bgp.Peer{
		Name:                name,
		Address:             netip.MustParseAddrPort("192.168.1.1:179"),
		ASN:                 64512,
		LocalASN:            64512,
		RouterID:            netip.MustParseAddr("192.168.1.11"),
		SourceAddress:       netip.MustParseAddr("192.168.1.11"),
		HoldTime:            90 * time.Second,
		KeepaliveTime:       30 * time.Second,
		ConnectRetryTime:    5 * time.Second,
		Families:            bgp.FamiliesOf(bgp.IPv4, bgp.IPv6),
		GracefulRestart:     bgp.GracefulRestart{Enabled: true, RestartTime: 120 * time.Second},
		MaxReceivedPrefixes: 10,
		NextHopIPv4:         netip.MustParseAddr("192.168.1.11"),
		NextHopIPv6:         netip.MustParseAddr("2001:db8:1::11"),
	}
}

func TestFakeIsStrict(t *testing.T) {
	for name, steps := range map[string][]plan.Step{
		"a peer before the routes": {
			{Verb: plan.AddPeer, Peer: soundPeer("new")},
			{Verb: plan.Advertise, Path: bgp.Path{Prefix: netip.MustParsePrefix("10.0.0.1/32")}},
		},
		"a peer that is there": {{Verb: plan.AddPeer, Peer: soundPeer("tor")}},
		"an understated impact": {{
			Verb: plan.UpdatePeer, Impact: plan.Readvertise,
			Peer: func() bgp.Peer { p := soundPeer("tor"); p.ASN = 64513; return p }(),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &speakertest.Fake{}
			if err := fake.Run(t.Context(), plan.Peers(nil, []bgp.Peer{soundPeer("tor")})); err != nil {
				t.Fatal(err)
			}
			if err := fake.Run(t.Context(), steps); err == nil {
				t.Error("the fake took it")
			}
		})
	}
}

func TestFakeClosesTheSessionBeyondThePrefixLimit(t *testing.T) {
	fake := &speakertest.Fake{}
	if err := fake.Run(t.Context(), plan.Peers(nil, []bgp.Peer{soundPeer("tor")})); err != nil {
		t.Fatal(err)
	}
	fake.Establish("tor")
	fake.Offer("tor", 10)
	if s := fake.Observe().Sessions[0]; s.State != bgp.Established || s.Received != 10 {
		t.Errorf("at the limit: %+v", s)
	}
	fake.Offer("tor", 11)
	if s := fake.Observe().Sessions[0]; s.State != bgp.Idle || !s.LimitExceeded || s.LastError == "" {
		t.Errorf("beyond the limit: %+v", s)
	}
}
