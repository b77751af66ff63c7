package agent_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

func preventing(c input.Configuration, mode v1alpha1.LoopPrevention) input.Configuration {
	c.Configuration.Spec.ServiceLoopPrevention = mode
	return c
}

func (w *world) loopsPrevented() string {
	for _, c := range w.status().Conditions {
		if c.Type == string(v1alpha1.ConditionLoopsPrevented) {
			return string(c.Status) + " " + c.Reason
		}
	}
	return ""
}

func TestRulesAgainstLoopsFollowWhatIsAdvertised(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.firewall.change(func(f *firewall) { f.guard.Blocks = prefixes("10.0.0.0/8") }) // Of an agent before.
		w.hear(tor(), node())
		pass(time.Minute)
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.0.0.0/8] []"), "what is not known yet changes nothing")

		w.hearAll(blocks("10.49.0.0/16"))
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.49.0.0/16] [eth0]"))
		w.Expect(w.loopsPrevented()).To(Equal("True RulesInPlace"))
		w.Expect(w.gauge("herald_loop_prevention_in_place")).To(BeEquivalentTo(1))
		w.hear(preventing(blocks("10.49.0.0/16", "10.50.0.0/16"), v1alpha1.LoopPreventionReject))
		w.Expect(w.firewall.rules()).To(Equal("Reject [10.49.0.0/16 10.50.0.0/16] [eth0]"))
		w.hear(preventing(blocks("10.49.0.0/16"), v1alpha1.LoopPreventionDisabled))
		w.Expect(w.firewall.rules()).To(Equal("Drop [] []"))
		w.Expect(w.loopsPrevented()).To(Equal("False PreventionDisabled"))
		w.Expect(w.gauge("herald_loop_prevention_in_place")).To(BeZero())
		w.hear(blocks("10.49.0.0/16"), node(excluded))
		w.Expect(w.firewall.rules()).To(Equal("Drop [] []"))
		w.Expect(w.loopsPrevented()).To(Equal("True NoAggregates"))
	})
}

func TestRulesAgainstLoopsFollowUplinks(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), peer("tor-2", "2001:db8::1"), node(), blocks("10.49.0.0/16"))
		w.uplinks.become(nil, "bond0", "eth1")
		pass(time.Second)
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.49.0.0/16] [bond0 eth1]"))

		w.uplinks.become(errors.New("the kernel does not say"))
		pass(time.Second)
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.49.0.0/16] [bond0 eth1]"), "unknown is not none")
		w.Expect(w.loopsPrevented()).To(Equal("False PreventionFailed"))
	})
}

func TestRulesThatSomebodyChangesArePutRight(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.firewall.change(func(f *firewall) { f.guard.Blocks = nil })
		pass(11 * time.Second)
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.49.0.0/16] [eth0]"))
		w.Expect(w.counter("herald_loop_prevention_repairs_total")).To(BeEquivalentTo(1))
	})
}

func TestBGPDoesNotDependOnTheRulesAgainstLoops(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.firewall.change(func(f *firewall) { f.err = errors.New("operation not permitted") })
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.speaker.Establish("tor")
		synctest.Wait()
		w.Expect(w.prefixes("tor")).To(ConsistOf("10.49.0.0/16"))
		status := w.status()
		w.Expect(status.Conditions).To(ConsistOf(
			And(HaveField("Type", "Ready"), HaveField("Reason", "AllEstablished")),
			And(HaveField("Reason", "PreventionFailed"), HaveField("Message", "operation not permitted")),
		))
		w.Expect(w.counter("herald_loop_prevention_errors_total")).To(BeEquivalentTo(1))

		w.firewall.change(func(f *firewall) { f.err = nil })
		pass(11 * time.Second)
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.49.0.0/16] [eth0]"), "it is tried again")
		w.Expect(w.loopsPrevented()).To(Equal("True RulesInPlace"))
	})
}

func TestRulesAgainstLoopsStayForTheNextAgentAndGoWithTheLast(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		hasLeft bool
		want    string
	}{
		"an upgrade": {want: "Drop [10.49.0.0/16] [eth0]"},
		"a removal":  {hasLeft: true, want: "Drop [] []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
				w.workload.hasLeft = row.hasLeft
				w.Expect(w.stop()).To(Succeed())
				w.Expect(w.firewall.rules()).To(Equal(row.want))
			})
		})
	}
}

func TestPacketsAreCountedByBlock(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.Expect(w.counter("herald_loop_prevention_packets_total")).To(BeEquivalentTo(7))
	})
}

func TestRulesAgainstLoopsStayWhileTheNodeTakesItsLeave(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.speaker.Establish("tor")
		w.hear(node(excluded))
		pass(2 * time.Second)
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.49.0.0/16] [eth0]"), "routers still send packets here")
		pass(10 * time.Second)
		w.Expect(w.firewall.rules()).To(Equal("Drop [] []"))
	})
}

// tardy is a speaker that takes 3 s for everything.
type tardy struct{ speaker.Speaker }

func (s tardy) Run(ctx context.Context, steps []plan.Step) error {
	if len(steps) > 0 {
		<-time.After(3 * time.Second)
	}
	return s.Speaker.Run(ctx, steps)
}

func TestRulesAgainstLoopsGoAfterTheRoutes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		pass(10 * time.Second)
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.49.0.0/16] [eth0]"))
		w.hear(node(excluded))
		pass(2 * time.Second)
		w.Expect(w.firewall.rules()).To(Equal("Drop [10.49.0.0/16] [eth0]"), "the router still sends")
		pass(10 * time.Second)
		w.Expect(w.firewall.rules()).To(Equal("Drop [] []"))
	}, func(s speaker.Speaker) speaker.Speaker { return tardy{s} })
}
