package agent_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/intent"
)

func TestNothingIsSaidBeforeEverythingIsKnown(t *testing.T) {
	t.Parallel()
	for _, missing := range input.Kinds() {
		t.Run("but "+string(missing), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.hear(node(), tor(), blocks("10.49.0.0/16"))
				for _, kind := range input.Kinds() {
					if kind != missing {
						w.hear(input.Synced{Kind: kind})
					}
				}
				w.Expect(w.speaker.Plans()).To(BeEmpty())
				w.Expect(w.marker.set).To(BeFalse())
				w.Expect(w.agent.Ready(w.t.Context())).To(MatchError("not read yet: [" + string(missing) + "]"))

				w.hear(input.Synced{Kind: missing})
				w.Expect(w.steps()).To(HaveLen(1))
				w.Expect(w.marker.set).To(BeTrue())
				w.Expect(w.agent.Ready(w.t.Context())).To(Succeed())
			})
		})
	}
}

func TestEveryRouteIsThereBeforeTheFirstPeer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"), local("nginx", "10.49.0.7"), endpointHere("nginx"))
		w.Expect(w.steps()).To(Equal([][]string{
			{"Advertise 10.49.0.0/16", "Advertise 10.49.0.7/32", "AddPeer tor"},
		}))
	})
}

func TestAChangeOfOneServiceIsAllThatTheSpeakerHears(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"), local("a", "10.49.0.1"), endpointHere("a"))
		w.speaker.Establish("tor")

		w.hear(local("b", "10.49.0.2"), endpointHere("b"))
		w.hear(local("b", "10.49.0.3"))
		w.hear(input.Service{Key: local("b", "10.49.0.3").Key})
		w.Expect(w.steps()[1:]).To(Equal([][]string{
			{"Advertise 10.49.0.2/32"},
			{"Advertise 10.49.0.3/32", "Withdraw 10.49.0.2/32"},
			{"Withdraw 10.49.0.3/32"},
		}))
		w.Expect(w.prefixes("tor")).To(ConsistOf("10.49.0.0/16", "10.49.0.1/32"))
	})
}

func TestWhatIsSaidAgainIsNoChange(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		everything := []input.Event{tor(), node(), blocks("10.49.0.0/16"), local("a", "10.49.0.1"), endpointHere("a")}
		w.hearAll(everything...)
		w.hearAll(everything...)
		w.Expect(w.steps()).To(HaveLen(1))
	})
}

func TestANodeOutOfServiceWithdrawsAndLeaves(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]input.Node{
		"excluded":      node(excluded),
		"being deleted": node(func(n *intent.Node) { n.Deleting = true }),
		"gone":          {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
				w.hear(event)
				w.Expect(w.steps()[1:]).To(Equal([][]string{{"RemovePeer tor", "Withdraw 10.49.0.0/16"}}))
				w.Expect(w.status().Conditions[0].Reason).To(Equal(string(v1alpha1.ReasonNodeExcluded)))

				w.hear(node())
				w.Expect(w.steps()[2:]).To(Equal([][]string{{"Advertise 10.49.0.0/16", "AddPeer tor"}}))
			})
		})
	}
}

func TestTheRouterIDOutlivesTheAddressItCameFrom(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node())
		w.hear(node(func(n *intent.Node) { n.InternalIPs = []netip.Addr{netip.MustParseAddr("192.168.1.99")} }))
		w.Expect(w.status().RouterID).To(Equal("192.168.1.11"))
	})
}

func TestWhatTheSpeakerFailedToDoIsTriedAgain(t *testing.T) {
	t.Parallel()
	broken := &flaky{errors: 2}
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"), local("a", "10.49.0.1"), local("b", "10.49.0.2"),
			endpointHere("a"), endpointHere("b"))
		w.Expect(w.agent.Ready(w.t.Context())).To(HaveOccurred())
		w.Expect(w.marker.set).To(BeFalse(), "the first full set has not been handed over")

		w.hear(input.Service{Key: local("a", "10.49.0.1").Key})
		w.Expect(w.steps()).To(BeEmpty(), "the second attempt fails too")

		pass(time.Second)

		w.Expect(w.steps()).To(Equal([][]string{
			{"Advertise 10.49.0.0/16", "Advertise 10.49.0.2/32", "Withdraw 10.49.0.1/32", "AddPeer tor"},
		}))
		w.Expect(w.agent.Ready(w.t.Context())).To(Succeed())
		w.Expect(w.counter("herald_apply_errors_total")).To(BeEquivalentTo(2))
	}, broken.wrap)
}

func TestABugTakesNoRoutesAway(t *testing.T) {
	t.Parallel()
	broken := &flaky{}
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"), endpointHere("a"))
		w.speaker.Establish("tor")

		broken.panics = 1
		w.hear(local("a", "10.49.0.1"))
		w.Expect(w.prefixes("tor")).To(ConsistOf("10.49.0.0/16"))
		w.Expect(w.counter("herald_panics_total")).To(BeEquivalentTo(1))

		pass(time.Second)
		w.Expect(w.prefixes("tor")).To(ConsistOf("10.49.0.0/16", "10.49.0.1/32"), "what it kept from being said is made up for")
	}, broken.wrap)
}

func TestAPeerThatSendsTooMuchIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(func(p *v1alpha1.BGPPeer) { p.Spec.MaxReceivedPrefixes = 10 }), node())
		w.speaker.Establish("tor")
		w.speaker.Offer("tor", 11)
		synctest.Wait()
		warning := <-w.warnings
		w.Expect(warning.Object).To(Equal(intent.Object{Kind: "BGPPeer", Name: "tor", UID: "uid-of-tor", Generation: 1}))
		w.Expect(warning.Message).To(ContainSubstring("received prefix limit"))

		w.hear(tor(func(p *v1alpha1.BGPPeer) { p.Spec.MaxReceivedPrefixes = 11 }))
		w.Expect(w.warnings).To(BeEmpty())
	})
}
