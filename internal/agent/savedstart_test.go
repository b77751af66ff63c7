package agent_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/agent"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/speaker"
)

// afterAnother gives an agent the file of one that heard all of the events before it.
func afterAnother(t *testing.T, events ...input.Event) func(*world, *agent.Config) {
	t.Helper()
	var left *file
	inBubble(t, func(w *world) {
		w.hearAll(events...)
		left = w.file
	})
	return func(w *world, _ *agent.Config) { w.file.text, w.file.err = left.text, left.err }
}

func TestAnAgentThatCanNotAskSaysWhatTheOneBeforeSaid(t *testing.T) {
	t.Parallel()
	before := afterAnother(t, tor(), node(), blocks("10.49.0.0/16"), local("stays", "10.49.0.1"), endpointHere("stays"),
		local("goes", "10.49.0.2"), endpointHere("goes"))
	inBubbleWith(t, before, func(w *world) {
		w.hear(node()) // It hears half of what there is.
		pass(9 * time.Second)
		w.Expect(w.steps()).To(BeEmpty(), "the API server may be slow")
		pass(2 * time.Second)
		w.Expect(w.steps()).To(Equal([][]string{{"Advertise 10.49.0.0/16", "Advertise 10.49.0.1/32", "Advertise 10.49.0.2/32", "AddPeer tor"}}))
		w.speaker.Establish("tor")
		w.Expect(w.agent.Ready(w.t.Context())).To(MatchError(ContainSubstring("speaking from saved state, not read yet: [Service")))
		status := w.status()
		w.Expect(status.Conditions).To(ContainElement(HaveField("Reason", "SpeakingFromSavedState")))
		w.Expect(status.Sessions).To(ConsistOf(And(HaveField("Peer", "tor"), HaveField("PeerGeneration", BeEquivalentTo(1)), HaveField("State", BeEquivalentTo("Established")))))
		w.Expect(status.Truncated).To(BeTrue(), "what the routes are for is not known")
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.49.0.0/16] [eth0]"))
		w.Expect(w.gauge("herald_speaking_from_saved_state")).To(BeEquivalentTo(1))
		w.Expect(w.file.written()).To(BeZero(), "what stands there is not written again")

		w.hearAll(tor(), blocks("10.49.0.0/16"), local("stays", "10.49.0.1"), endpointHere("stays"), local("comes", "10.49.0.3"), endpointHere("comes"))
		w.Expect(w.steps()[1:]).To(Equal([][]string{{"Advertise 10.49.0.3/32", "Withdraw 10.49.0.2/32"}}), "no reset, and nothing twice")
		w.Expect(w.agent.Ready(w.t.Context())).To(Succeed())
		w.Expect(w.status().Conditions).To(ContainElement(HaveField("Reason", "AllEstablished")))
		w.Expect(w.gauge("herald_speaking_from_saved_state")).To(BeZero())
		pass(2 * time.Second)
		w.Expect(w.saved()).To(ConsistOf("10.49.0.0/16", "10.49.0.1/32", "10.49.0.3/32"))
	})
}

func TestAnAgentThatCanNotAskKnowsWhereTheAPIServerListened(t *testing.T) {
	t.Parallel()
	endpoints := []string{"192.168.1.100:6443"}
	var left *file
	inBubbleWith(t, func(w *world, _ *agent.Config) { w.server.endpoints = endpoints }, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		left = w.file
	})
	inBubbleWith(t, func(w *world, _ *agent.Config) { w.file.text, w.file.err = left.text, left.err }, func(w *world) {
		pass(11 * time.Second)
		w.Expect(w.server.APIServerEndpoints()).To(Equal(endpoints), "by its Service it may be out of reach for a minute more")
	})
}

func TestAnAgentThatCanAskDoesNotLookAtWhatWasSaved(t *testing.T) {
	t.Parallel()
	before := afterAnother(t, tor(), node(), blocks("10.49.0.0/16"))
	inBubbleWith(t, before, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.50.0.0/16"))
		pass(time.Minute)
		w.Expect(w.steps()).To(Equal([][]string{{"Advertise 10.50.0.0/16", "AddPeer tor"}}))
	})
}

func TestTheRouterIDOfASavedStartStays(t *testing.T) {
	t.Parallel()
	before := afterAnother(t, tor(), node(), blocks("10.49.0.0/16"))
	inBubbleWith(t, before, func(w *world) {
		w.hear(node(func(n *intent.Node) {
			n.InternalIPs = []netip.Addr{netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("192.168.1.11")}
		}))
		pass(11 * time.Second)
		w.speaker.Establish("tor")
		w.hearAll(tor(), blocks("10.49.0.0/16"))
		w.Expect(w.speaker.Observe().Sessions).NotTo(BeEmpty())
		for _, s := range w.speaker.Observe().Sessions {
			w.Expect(s.Peer.RouterID).To(Equal(netip.MustParseAddr("192.168.1.11")))
		}
	})
}

func TestWhatCanNotBeUsedIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"a damaged file": errors.New("it is damaged"), "none": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbleWith(t, func(w *world, _ *agent.Config) {
				if err != nil {
					w.file.err = err
				}
			}, func(w *world) {
				pass(time.Hour)
				w.Expect(w.steps()).To(BeEmpty())
				w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
				w.Expect(w.steps()).To(Equal([][]string{{"Advertise 10.49.0.0/16", "AddPeer tor"}}))
			})
		})
	}
}

func TestASavedStartIsTriedAgain(t *testing.T) {
	t.Parallel()
	before := afterAnother(t, tor(), node(), blocks("10.49.0.0/16"))
	engine := &flaky{errors: 1, panics: 1}
	inBubbleWith(t, before, func(w *world) {
		pass(10 * time.Second)
		w.Expect(w.steps()).To(BeEmpty())
		pass(5 * time.Second)
		w.Expect(w.steps()).To(Equal([][]string{{"Advertise 10.49.0.0/16", "AddPeer tor"}}))
	}, engine.wrap)
}

func TestASavedStartWaitsForTheServiceProxyOfANodeThatBooted(t *testing.T) {
	t.Parallel()
	before := afterAnother(t, tor(), node(), blocks("10.49.0.0/16"))
	var healthy atomic.Bool
	inBubbleWith(t, func(w *world, c *agent.Config) {
		before(w, c)
		proxied(&healthy, 30*time.Second)(w, c)
	}, func(w *world) {
		pass(20 * time.Second)
		w.Expect(w.steps()).To(Equal([][]string{{"Advertise 10.49.0.0/16"}}))
		healthy.Store(true)
		pass(time.Second)
		w.Expect(w.steps()[1:]).To(Equal([][]string{{"AddPeer tor"}}))
	})
}

func TestLeavingFromSavedStateKeepsRoutesWhileNothingIsKnown(t *testing.T) {
	t.Parallel()
	before := afterAnother(t, tor(), node(func(n *intent.Node) { n.Labels = map[string]string{"rack": "a"} }), blocks("10.49.0.0/16"))
	inBubbleWith(t, before, func(w *world) {
		pass(11 * time.Second)
		w.workload.err = errors.New("the API server is away")
		w.Expect(w.stop()).To(Succeed())
		mode, _ := w.speaker.Closed()
		w.Expect(mode).To(Equal(speaker.KeepRoutes))
		w.Expect(w.workload.asked).To(HaveKeyWithValue("rack", "a"), "the node is who it was")
	})
}

func TestABurstIsSavedOnceASecondAndNothingWhereNothingChanged(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"), endpointHere("a"))
		for i := range 250 {
			pass(10 * time.Millisecond)
			w.hear(local("a", fmt.Sprintf("10.49.0.%d", i)))
		}
		pass(2 * time.Second)
		w.Expect(w.file.written()).To(BeNumerically("<=", 4))
		w.Expect(w.saved()).To(ConsistOf("10.49.0.0/16", "10.49.0.249/32"))
		before := w.file.written()
		w.hear(node(), tor(), local("a", "10.49.0.249"))
		pass(time.Minute)
		w.Expect(w.file.written()).To(Equal(before))

		w.hear(local("a", "10.49.0.7"))
		w.Expect(w.stop()).To(Succeed())
		w.Expect(w.saved()).To(ConsistOf("10.49.0.0/16", "10.49.0.7/32"), "what was last wanted")
	})
}

func TestAnAgentThatLeavesForGoodLeavesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.workload.hasLeft = true
		w.Expect(w.stop()).To(Succeed())
		_, err := w.file.Load()
		w.Expect(err).To(HaveOccurred())
	})
}

// saved returns the prefixes that an agent would find.
func (w *world) saved() []string {
	state, err := w.file.Load()
	w.Expect(err).NotTo(HaveOccurred())
	var prefixes []string
	for _, p := range state.Paths {
		prefixes = append(prefixes, p.Prefix.String())
	}
	return prefixes
}

func TestASavedPasswordHoldsUntilItsSecretIsRead(t *testing.T) {
	t.Parallel()
	before := afterAnother(t, tor(withPassword), node(), blocks("10.49.0.0/16"), holds("hush"))
	inBubbleWith(t, before, func(w *world) {
		pass(11 * time.Second)
		w.Expect(w.passwords()).To(Equal(map[string]string{"tor": "hush"}))
		w.speaker.Establish("tor")
		w.hearAll(tor(withPassword), node(), blocks("10.49.0.0/16"))
		pass(10 * time.Second)
		w.Expect(w.steps()).To(HaveLen(1), "the Secret was not read yet")
		w.hear(holds("hush"))
		w.Expect(w.steps()).To(HaveLen(1), "it says the same")
		w.hear(holds("other"))
		w.Expect(w.steps()[1:]).To(Equal([][]string{{"UpdatePeer tor"}}))
	})
}
