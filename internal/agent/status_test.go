package agent_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/intent"
)

func TestStatusOfANodeThatDoesItsWork(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"), local("nginx", "10.49.0.7"), endpointHere("nginx"))
		w.speaker.Establish("tor")
		since := metav1.NewTime(time.Now())

		w.Expect(w.status()).To(Equal(v1alpha1.BGPNodeStatus{
			ASNumber: 64512, RouterID: "192.168.1.11", AgentVersion: "v1",
			Conditions: []metav1.Condition{{
				Type: "Ready", Status: metav1.ConditionTrue, Reason: "AllEstablished", Message: "every session is established",
			}, {
				Type: "LoopsPrevented", Status: metav1.ConditionTrue, Reason: "RulesInPlace",
				Message: "the nftables table inet herald holds the rules",
			}},
			Sessions: []v1alpha1.NodeSession{{
				Peer: "tor", PeerUID: "uid-of-tor", PeerGeneration: 1,
				Session: v1alpha1.Session{
					State: v1alpha1.SessionEstablished, Since: since, LocalAddress: "192.168.1.11", Advertised: 2,
				},
				HoldTimeSeconds: new(int32(90)), AddressFamilies: []v1alpha1.AddressFamily{"IPv4"}, GracefulRestart: "Enabled",
			}},
			Routes: v1alpha1.RouteCounts{IPv4: 2},
			Advertisements: []v1alpha1.NodeAdvertisement{
				{Prefix: "10.49.0.0/16", Kind: "ClusterIP"},
				{Prefix: "10.49.0.7/32", Kind: "ClusterIP", Services: []string{"default/nginx"}},
			},
		}))
	})
}

func TestStatusClaimsNothingThatWasNotSent(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16", "2001:db8:49::/112"))
		w.Expect(w.status().Advertisements).To(BeEmpty(), "before the session is established")
		w.speaker.Establish("tor")
		w.Expect(w.status().Advertisements).To(ConsistOf(HaveField("Prefix", "10.49.0.0/16")), "the session carries no IPv6")
		w.speaker.Drop("tor", "hold timer expired")
		status := w.status()
		w.Expect(status.Advertisements).To(BeEmpty(), "after it was lost")
		w.Expect(status.Routes).To(Equal(v1alpha1.RouteCounts{}))
		w.Expect(status.Sessions[0].Session).To(And(
			HaveField("LastError", "hold timer expired"), HaveField("Flaps", BeEquivalentTo(1)), HaveField("Advertised", BeZero())))
	})
}

func TestStatusIsCutToWhatTheAPITakes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		events := []input.Event{tor(), node(), blocks("10.49.0.0/16")}
		for i := range 250 {
			name := fmt.Sprintf("s%d", i)
			events = append(events, local(name, fmt.Sprintf("10.49.1.%d", i)), endpointHere(name))
		}
		w.hearAll(events...)
		w.speaker.Establish("tor")
		status := w.status()
		w.Expect(status.Advertisements).To(HaveLen(200))
		w.Expect(status.Advertisements[0].Prefix).To(Equal("10.49.0.0/16"), "aggregates first")
		w.Expect(status.Truncated).To(BeTrue())
		w.Expect(status.Routes.IPv4).To(BeEquivalentTo(251))

		w.speaker.Drop("tor", strings.Repeat("ä", 2000))
		message := w.status().Sessions[0].LastError
		w.Expect(len(message)).To(BeNumerically("<=", 1024))
		w.Expect(message).To(HaveSuffix("ä…"))
	})
}

// What every peer's rules reject is not advertised, however early it comes in the order of routes.
func TestStatusListsWhatExportRulesLetOut(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		reject := func(p *v1alpha1.BGPPeer) {
			p.Spec.Export = []v1alpha1.ExportRule{{Action: "Reject", Prefixes: []v1alpha1.PrefixMatch{{CIDR: "10.49.1.0/24", LE: new(int32(32))}}}}
		}
		events := []input.Event{tor(reject), peer("tor-2", "192.168.1.2", reject), node(), blocks("10.49.0.0/16")}
		for i := range 250 {
			name := fmt.Sprintf("s%d", i)
			events = append(events, local(name, fmt.Sprintf("10.49.1.%d", i)), endpointHere(name))
		}
		events = append(events, local("last", "10.49.2.1"), endpointHere("last"))
		w.hearAll(events...)
		w.speaker.Establish("tor")
		w.speaker.Establish("tor-2")
		status := w.status()
		w.Expect(status.Advertisements).To(ConsistOf(HaveField("Prefix", "10.49.0.0/16"), HaveField("Prefix", "10.49.2.1/32")))
		w.Expect(status.Truncated).To(BeFalse())
		w.Expect(status.Routes.IPv4).To(BeEquivalentTo(2))
		w.Expect(status.Sessions).To(HaveEach(HaveField("Advertised", BeEquivalentTo(2))))

		w.hear(tor(func(p *v1alpha1.BGPPeer) { p.Generation = 2 }))
		status = w.status()
		w.Expect(status.Advertisements).To(HaveLen(200), "one peer has no rules any more")
		w.Expect(status.Truncated).To(BeTrue())
		w.Expect(status.Sessions).To(ConsistOf(HaveField("Advertised", BeEquivalentTo(252)), HaveField("Advertised", BeEquivalentTo(2))))
	})
}

func TestASessionCarriesTheGenerationThatItRuns(t *testing.T) {
	t.Parallel()
	broken := &flaky{}
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node())
		broken.errors = 1
		w.hear(tor(func(p *v1alpha1.BGPPeer) { p.Generation, p.Spec.HoldTimeSeconds = 2, 9 }))
		w.Expect(w.status().Sessions[0].PeerGeneration).To(BeZero(), "neither the old one nor, yet, the new one")
		pass(time.Second)
		w.Expect(w.status().Sessions[0].PeerGeneration).To(BeEquivalentTo(2))
	}, broken.wrap)
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	broken := tor(func(p *v1alpha1.BGPPeer) { p.Spec.HoldTimeSeconds = 1 })
	overIPv6 := peer("tor", "2001:db8::1")
	wantsIPv6 := tor(func(p *v1alpha1.BGPPeer) { p.Spec.AddressFamilies = []v1alpha1.AddressFamily{"IPv4", "IPv6"} })
	for name, row := range map[string]struct {
		events  []input.Event
		up      bool
		reason  string
		message string
		// lastError of the session.
		lastError string
	}{
		"established": {
			events: []input.Event{tor(), node(), blocks("10.49.0.0/16")},
			up:     true, reason: "AllEstablished", message: "every session is established",
		},
		"not established": {
			events: []input.Event{tor(), node(), blocks("10.49.0.0/16")},
			reason: "SessionsDown", message: "0 of 1 sessions are established: tor",
		},
		"no peer": {
			events: []input.Event{node(), blocks("10.49.0.0/16")},
			reason: "NoPeers", message: "no BGPPeer selects the node",
		},
		"no configuration": {
			events: []input.Event{tor(), node()},
			up:     true, reason: "NoConfiguration", message: "there is no BGPConfiguration named default, so no Service is advertised",
		},
		"out of service": {
			events: []input.Event{tor(), node(excluded), blocks("10.49.0.0/16")},
			reason: "NodeExcluded", message: "the node is out of service", lastError: "the node is out of service",
		},
		"a peer that can't be run": {
			events: []input.Event{broken, node(), blocks("10.49.0.0/16")},
			reason: "Invalid", message: "BGPPeer tor: spec.holdTimeSeconds", lastError: "spec.holdTimeSeconds: ",
		},
		"no address to dial from": {
			events: []input.Event{overIPv6, node(), blocks("10.49.0.0/16")},
			reason: "SessionsDown", message: "0 of 1 sessions are established: tor", lastError: "spec.sourceAddress: ",
		},
		"a family that has no next hop": {
			events: []input.Event{wantsIPv6, node(), blocks("10.49.0.0/16")},
			up:     true, reason: "FamilyNotNegotiated", message: "IPv6",
		},
		"an export rule that asks for something in vain": {
			events: []input.Event{
				tor(func(p *v1alpha1.BGPPeer) {
					p.Spec.Export = []v1alpha1.ExportRule{{Action: "Reject", Communities: []v1alpha1.CommunityRef{"nobody"}}}
				}), node(), blocks("10.49.0.0/16"),
			},
			up: true, reason: "ExportIgnored", message: "BGPPeer tor: spec.export[0].communities[0]: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.hearAll(row.events...)
				state := Not(Equal(v1alpha1.SessionEstablished))
				if row.up {
					w.speaker.Establish("tor")
					state = Equal(v1alpha1.SessionEstablished)
				}
				status := w.status()
				w.Expect(status.Conditions[0].Reason).To(Equal(row.reason))
				w.Expect(status.Conditions[0].Message).To(ContainSubstring(row.message))
				for _, s := range status.Sessions {
					w.Expect(s.State).To(state)
					w.Expect(s.LastError).To(ContainSubstring(row.lastError))
				}
			})
		})
	}
}

func TestRouterIDOfANodeWithoutIPv4(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(node(func(n *intent.Node) { n.InternalIPs = []netip.Addr{netip.MustParseAddr("2001:db8::11")} }))
		w.Expect(netip.MustParseAddr(w.status().RouterID).Is4()).To(BeTrue())
	})
}
