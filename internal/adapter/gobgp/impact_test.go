package gobgp_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// edits are changes of each field of a peer after which its session can come up again, so that a drop can be told from a
// session that stays away.
func edits(other *testRouter, port uint16) map[string]any {
	return map[string]any{
		"Name":                "renamed",
		"Address":             other.address(),
		"ASN":                 bgp.ASN(64513),
		"LocalASN":            bgp.ASN(64700),
		"RouterID":            netip.MustParseAddr("192.168.1.99"),
		"SourceAddress":       netip.MustParseAddr("127.0.0.9"),
		"HoldTime":            time.Minute,
		"KeepaliveTime":       10 * time.Second,
		"ConnectRetryTime":    time.Second,
		"Families":            bgp.FamiliesOf(bgp.IPv4),
		"GracefulRestart":     bgp.GracefulRestart{Enabled: true, RestartTime: time.Minute},
		"MaxReceivedPrefixes": uint32(77),
		"NextHopIPv4":         netip.MustParseAddr("192.168.1.99"),
		"NextHopIPv6":         netip.MustParseAddr("2001:db8:1::99"),
		"Password":            bgp.PasswordOf("secret"),
		"TTL":                 uint8(255),
		"MinimumTTL":          uint8(1),
		"Passive":             true,
		"ListenPort":          port,
		"BFD": bgp.BFD{
			Enabled: true, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond, DetectMultiplier: 3, MinimumTTL: 255,
		},
		"Draining": true,
		"Export":   bgp.ExportPolicyOf(bgp.ExportRule{Set: bgp.AttributeChanges{MED: bgp.Some(7)}}),
	}
}

// bases are what a field needs of the others to be edited.
func bases(port uint16) map[string]func(*bgp.Peer) {
	return map[string]func(*bgp.Peer){
		"MinimumTTL": func(p *bgp.Peer) { p.TTL = 255 },
		"ListenPort": passive(port),
	}
}

// companions are what else an edit of a field changes in the configuration, and at the router.
func companions(t *testing.T, router *testRouter, port uint16) map[string]func(*bgp.Peer) {
	t.Helper()
	return map[string]func(*bgp.Peer){
		"Password": func(*bgp.Peer) { socket(t, router.listener, signed("127.0.0.1", "secret")) },
		"Passive": func(p *bgp.Peer) {
			p.ListenPort = port
			router.keepCalling(t, netip.AddrPortFrom(p.SourceAddress, port))
		},
		"ListenPort": func(p *bgp.Peer) { router.keepCalling(t, netip.AddrPortFrom(p.SourceAddress, port)) },
	}
}

// TestEditingAFieldOfALiveSessionCostsWhatThePlanSays edits every field of bgp.Peer on a live session, one at a time, and
// holds what the router sees of it against the plan's table.
func TestEditingAFieldOfALiveSessionCostsWhatThePlanSays(t *testing.T) {
	for _, field := range plan.PeerFields() {
		t.Run(field.Name, func(t *testing.T) {
			router := newRouter(t, "127.0.0.2", helper(64512))
			other := newRouter(t, "127.0.0.3", helper(64512))
			s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
			before, routes, port := peerOf("tor", router), hostRoutes(2), freePort(t)
			if base, needed := bases(freePort(t))[field.Name]; needed {
				base(&before)
			}
			run(t, s, addPeers(before), plan.Routes(routes, nil))
			if before.Passive {
				router.mustCall(t, netip.AddrPortFrom(before.SourceAddress, before.ListenPort))
			}
			eventuallyConsistent(t, s, router, before, routes)
			updates := router.last().updateCount()

			after := before
			edit, known := edits(other, port)[field.Name]
			if !known {
				t.Fatalf("no edit for %s", field.Name)
			}
			reflect.ValueOf(&after).Elem().FieldByName(field.Name).Set(reflect.ValueOf(edit))
			if companion, needed := companions(t, router, port)[field.Name]; needed {
				companion(&after)
			}
			run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{after}))

			at := router
			switch field.Name {
			case "Address":
				at = other
			case "ASN": // No router changes its own with the session up.
				router.answerWith(func(c *routerConfig) { c.ASN = after.ASN })
				router.reset()
			}
			if field.Impact == plan.SessionDrop {
				NewWithT(t).Eventually(func() error { return router.all()[0].end() }, patience, tick).Should(HaveOccurred())
			}
			eventuallyConsistent(t, s, at, after, routes)
			if drops := len(router.all()) + len(other.all()) - 1; drops != dropsOf(field.Impact) {
				t.Errorf("%d drops, the plan says %s", drops, field.Impact)
			}
			if field.Impact == plan.None && router.last().updateCount() != updates {
				t.Error("UPDATEs were sent for nothing")
			}
			if got := session(s, after.Name).Peer; got != after {
				t.Errorf("the session runs with %+v, want %+v", got, after)
			}
		})
	}
}

func dropsOf(impact plan.Impact) int {
	if impact == plan.SessionDrop {
		return 1
	}
	return 0
}

// How a session that must be replaced ends: without a word where the router keeps the routes meanwhile, and never so
// towards a router that will not be spoken to again.
func TestReplacedSessionsTakeTheirLeave(t *testing.T) {
	for name, test := range map[string]struct {
		router routerConfig
		edit   func(p *bgp.Peer, other *testRouter)
		want   string
	}{
		"graceful restart keeps the routes": {
			helper(64512), func(p *bgp.Peer, _ *testRouter) { p.HoldTime = time.Minute }, "",
		},
		"without it the router is told": {
			func() routerConfig { c := helper(64512); c.GracefulRestart = false; return c }(),
			func(p *bgp.Peer, _ *testRouter) { p.HoldTime = time.Minute }, "6/6",
		},
		"another address leaves nothing at the old one": {
			helper(64512), func(p *bgp.Peer, other *testRouter) { p.Address = other.address() }, "6/2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			router := newRouter(t, "127.0.0.2", test.router)
			other := newRouter(t, "127.0.0.3", test.router)
			s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
			before, routes := peerOf("tor", router), hostRoutes(2)
			run(t, s, addPeers(before), plan.Routes(routes, nil))
			eventuallyConsistent(t, s, router, before, routes)
			after := before
			test.edit(&after, other)
			run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{after}))
			eventuallyEstablished(t, s, "tor", 1)
			first := router.all()[0]
			NewWithT(t).Eventually(first.end, patience, tick).Should(HaveOccurred())
			if got := first.farewell(); got != test.want {
				t.Errorf("NOTIFICATION %q, want %q", got, test.want)
			}
			if cause := session(s, "tor").LastError; cause != "reset by a change of the peer's configuration" {
				t.Errorf("cause: %s", cause)
			}
		})
	}
}
