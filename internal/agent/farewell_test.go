package agent_test

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
)

// leaving is how a node's routes look that are about to go: of an iBGP session, which all of the stories have.
func leaving() types.GomegaMatcher {
	return And(HaveField("Communities", bgp.CommunitiesOf(bgp.GracefulShutdown())), HaveField("LocalPreference", bgp.Some(0)))
}

// staying is how they look otherwise.
func staying() types.GomegaMatcher {
	return And(HaveField("Communities", bgp.Communities{}), HaveField("LocalPreference", bgp.Some(bgp.DefaultLocalPreference)))
}

// expectRoutes checks that a peer's router has routes to exactly these prefixes, and how they look.
func (w *world) expectRoutes(peer string, look func() types.GomegaMatcher, prefixes ...string) {
	w.t.Helper()
	w.Expect(w.prefixes(peer)).To(ConsistOf(prefixes), "routes of %s", peer)
	for prefix, route := range w.speaker.Routes(peer) {
		w.Expect(route).To(look(), "%s of %s", prefix, peer)
	}
}

// hasPeers says which peers the speaker has.
func (w *world) hasPeers() []string {
	names := []string{}
	for _, s := range w.speaker.Observe().Sessions {
		names = append(names, s.Peer.Name)
	}
	return names
}

func (w *world) ready() metav1.Condition { return w.status().Conditions[0] }

// gauge returns the value of a gauge without labels.
func (w *world) gauge(name string) float64 {
	families, err := w.registry.Gather()
	w.Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

func TestANodeThatGoesOutOfServiceTakesItsLeave(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		event input.Node
		cause string
	}{
		"under maintenance": {node(maintained), "it carries the label herald.network/maintenance"},
		"excluded":          {node(excluded), "it carries the label node.kubernetes.io/exclude-from-external-load-balancers"},
		"shut down":         {node(func(n *intent.Node) { n.ShuttingDown = true }), "it is being shut down"},
		"being deleted":     {node(func(n *intent.Node) { n.Deleting = true }), "it is being deleted"},
		"gone":              {input.Node{}, "it is being deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.hearAll(tor(), node(), blocks("10.49.0.0/16"), local("a", "10.49.0.1"), endpointHere("a"))
				w.speaker.Establish("tor")
				w.expectRoutes("tor", staying, "10.49.0.0/16", "10.49.0.1/32")
				over := time.Now().Add(5 * time.Second).UTC().Format(time.TimeOnly)

				w.hear(row.event)
				w.Expect(w.steps()[1:]).To(Equal([][]string{{"UpdatePeer tor"}}))
				w.expectRoutes("tor", leaving, "10.49.0.0/16", "10.49.0.1/32")
				w.Expect(w.ready()).To(And(
					HaveField("Status", metav1.ConditionFalse), HaveField("Reason", "Draining"),
					HaveField("Message", "the node is out of service: "+row.cause+
						": its routes are marked with GRACEFUL_SHUTDOWN until they are withdrawn at "+over)))
				w.Expect(w.status().Sessions[0].Session).To(And(
					HaveField("State", v1alpha1.SessionEstablished), HaveField("Advertised", BeEquivalentTo(2))))
				w.Expect(w.status().Sessions).To(HaveLen(1))
				w.Expect(w.gauge("herald_agent_draining")).To(BeEquivalentTo(1))
				w.Expect(<-w.warnings).To(And(
					HaveField("Object", intent.Object{Kind: "Node", Name: "node-1", UID: "node-1"}),
					HaveField("Type", "Normal"), HaveField("Reason", "Draining"), HaveField("Message", ContainSubstring(row.cause))))

				pass(4999 * time.Millisecond)
				w.expectRoutes("tor", leaving, "10.49.0.0/16", "10.49.0.1/32")
				pass(time.Millisecond)
				w.Expect(w.steps()[2:]).To(Equal([][]string{{"RemovePeer tor", "Withdraw 10.49.0.0/16", "Withdraw 10.49.0.1/32"}}))
				w.Expect(w.speaker.Ceased("tor")).To(BeTrue())
				w.Expect(w.ready()).To(And(HaveField("Reason", "NodeExcluded"), HaveField("Message", "the node is out of service: "+row.cause)))
				w.Expect(w.status().Sessions[0].Session).To(Equal(v1alpha1.Session{
					State: v1alpha1.SessionIdle, LastError: "the node is out of service: " + row.cause,
				}))
				w.Expect(w.gauge("herald_agent_draining")).To(BeZero())
				w.Expect(<-w.warnings).To(HaveField("Reason", "OutOfService"))

				w.hear(node())
				w.Expect(w.steps()[3:]).To(Equal([][]string{{"Advertise 10.49.0.0/16", "Advertise 10.49.0.1/32", "AddPeer tor"}}))
				w.Expect(<-w.warnings).To(HaveField("Reason", "InService"))
			})
		})
	}
}

func TestANodeThatComesBackMeanwhileHasLostNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.speaker.Establish("tor")
		w.hear(node(maintained))
		pass(3 * time.Second)
		w.hear(node())
		w.expectRoutes("tor", staying, "10.49.0.0/16")
		w.Expect(w.ready().Reason).To(Equal("AllEstablished"))
		pass(time.Minute)
		w.Expect(w.steps()[1:]).To(Equal([][]string{{"UpdatePeer tor"}, {"UpdatePeer tor"}}), "and nothing else, ever")
		w.Expect(w.speaker.Observe().Sessions[0].Flaps).To(BeZero())
	})
}

func TestWhatCanNoLongerBeServedGoesAtOnceWhileTheNodeTakesItsLeave(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"), local("a", "10.49.0.1"), endpointHere("a"))
		w.speaker.Establish("tor")
		w.hear(node(maintained))
		gone := endpointHere("a")
		gone.Slice = nil
		w.hear(gone)
		w.expectRoutes("tor", leaving, "10.49.0.0/16")
		w.hear(local("b", "10.49.0.2"), endpointHere("b"))
		w.expectRoutes("tor", leaving, "10.49.0.0/16", "10.49.0.2/32")
	})
}

func TestOnlyAPeerThatIsRemovedIsTakenLeaveOf(t *testing.T) {
	t.Parallel()
	for name, removed := range map[string]input.Peer{
		"deleted":          {Name: "spine"},
		"selects no more":  peer("spine", "192.168.1.2", func(p *v1alpha1.BGPPeer) { p.Spec.NodeSelector = rackB() }),
		"no longer sound":  peer("spine", "192.168.1.2", func(p *v1alpha1.BGPPeer) { p.Spec.ASNumber = 23456 }),
		"taken by another": peer("spine", "192.168.1.1", func(p *v1alpha1.BGPPeer) { p.CreationTimestamp = metav1.Now() }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.hearAll(tor(), peer("spine", "192.168.1.2"), node(), blocks("10.49.0.0/16"))
				w.speaker.Establish("tor")
				w.speaker.Establish("spine")
				w.hear(removed)
				w.expectRoutes("spine", leaving, "10.49.0.0/16")
				w.expectRoutes("tor", staying, "10.49.0.0/16")
				w.Expect(w.ready().Reason).NotTo(Equal("Draining"), "the node stays")
				w.Expect(w.status().Sessions).To(ContainElement(And(
					HaveField("Peer", "spine"), HaveField("State", v1alpha1.SessionEstablished))))

				pass(5 * time.Second)
				w.Expect(w.hasPeers()).To(Equal([]string{"tor"}))
				w.Expect(w.speaker.Ceased("spine")).To(BeTrue())
				w.expectRoutes("tor", staying, "10.49.0.0/16")
				w.Expect(w.warnings).To(BeEmpty())
			})
		})
	}
}

func rackB() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"rack": "b"}}
}

func TestHowLongItTakesIsConfigured(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int32{0, 60} {
		inBubble(t, func(w *world) {
			w.hearAll(tor(), node(), takingLeaveFor(seconds))
			w.speaker.Establish("tor")
			w.hear(node(maintained))
			if seconds > 0 {
				pass(time.Duration(seconds)*time.Second - time.Millisecond)
				w.expectRoutes("tor", leaving, "10.49.0.0/16")
				pass(time.Millisecond)
			}
			w.Expect(w.hasPeers()).To(BeEmpty())
			w.Expect(w.speaker.Paths()).To(BeEmpty())
		})
	}
}

// takingLeaveFor is the base configuration with a time of the graceful shutdown.
func takingLeaveFor(seconds int32) input.Configuration {
	c := blocks("10.49.0.0/16")
	c.Configuration.Spec.GracefulShutdown.TimeSeconds = &seconds
	return c
}

func TestASpeakerThatFailsIsTakenLeaveOfAllTheSame(t *testing.T) {
	t.Parallel()
	broken := &flaky{}
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.speaker.Establish("tor")
		broken.fail()
		w.hear(node(maintained))
		w.expectRoutes("tor", staying, "10.49.0.0/16")
		pass(time.Second)
		w.expectRoutes("tor", leaving, "10.49.0.0/16")
		pass(3 * time.Second)
		broken.fail()
		pass(time.Second)
		w.expectRoutes("tor", leaving, "10.49.0.0/16")
		pass(time.Second)
		w.Expect(w.hasPeers()).To(BeEmpty())
		w.Expect(w.speaker.Paths()).To(BeEmpty())
	}, broken.wrap)
}

func TestAnAgentThatEndsForGoodTakesItsLeave(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.workload.hasLeft = true
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"), local("a", "10.49.0.1"), endpointHere("a"))
		w.speaker.Establish("tor")
		ended := make(chan error, 1)
		go func() { ended <- w.stop() }()
		pass(2 * time.Second)
		w.expectRoutes("tor", leaving, "10.49.0.0/16", "10.49.0.1/32")
		w.Expect(w.ready()).To(And(HaveField("Reason", "Draining"), HaveField("Message", HavePrefix("the agent is removed from the node: "))))
		w.Expect(w.agent.Alive(w.t.Context())).To(Succeed())

		gone := endpointHere("a")
		gone.Slice = nil
		w.hear(gone)
		w.expectRoutes("tor", leaving, "10.49.0.0/16")
		w.Expect(ended).NotTo(Receive())
		pass(3 * time.Second)
		w.Expect(<-ended).To(Succeed())
		w.Expect(w.speaker.Ceased("tor")).To(BeTrue())
		w.Expect(w.bgpNode.stands()).To(And(
			HaveField("Routes", v1alpha1.RouteCounts{}),
			HaveField("Conditions", ContainElement(HaveField("Message", "the agent is removed from the node"))),
			HaveField("Sessions", ConsistOf(And(HaveField("State", v1alpha1.SessionIdle), HaveField("LastError", "the agent is removed from the node"))))))
	})
}

func TestAnAgentThatIsReplacedWhileItTakesLeaveOfAPeerEndsThat(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), peer("spine", "192.168.1.2"), node(), blocks("10.49.0.0/16"))
		w.speaker.Establish("tor")
		w.speaker.Establish("spine")
		w.hear(input.Peer{Name: "spine"})
		w.Expect(w.stop()).To(Succeed())
		w.Expect(w.speaker.Ceased("spine")).To(BeTrue(), "the next agent knows nothing of it")
		w.Expect(w.speaker.Ceased("tor")).To(BeFalse())
	})
}

func TestANodeOutOfServiceIsLeftForGood(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]time.Duration{"meanwhile": 2 * time.Second, "afterwards": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.workload.err = errors.New("connection refused")
				w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
				w.speaker.Establish("tor")
				start := time.Now()
				w.hear(node(maintained))
				pass(before)
				w.Expect(w.stop()).To(Succeed())
				w.Expect(time.Since(start)).To(Equal(max(before, 5*time.Second)), "the time that began goes on")
				w.Expect(w.speaker.Ceased("tor")).To(BeTrue())
				w.Expect(w.marker.set).To(BeFalse())
			})
		})
	}
}

// A kubelet that is gone, as at the end of a shutdown, takes back nothing that it has said.
func TestAShutdownIsNotOverBecauseTheKubeletFallsSilent(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		shuttingDown := node(func(n *intent.Node) { n.ShuttingDown = true })
		silent := node()
		silent.Silent = true
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.speaker.Establish("tor")
		w.hear(silent)
		w.expectRoutes("tor", staying, "10.49.0.0/16")
		w.hear(shuttingDown)
		pass(time.Minute)
		w.hear(silent)
		w.Expect(w.hasPeers()).To(BeEmpty())
		w.hear(node())
		w.Expect(w.hasPeers()).To(Equal([]string{"tor"}))
	})
}

func TestNobodyIsToldAboutANodeThatIsDeleted(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.speaker.Establish("tor")
		w.hear(input.Node{})
		w.Expect(w.stop()).To(Succeed())
		w.Expect(w.speaker.Ceased("tor")).To(BeTrue())
		w.Expect(w.bgpNode.writes()).To(BeEmpty())
	})
}
