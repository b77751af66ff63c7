package agent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent"
)

// nodeStatus is a BGPNode in an API server that a test can take away.
type nodeStatus struct {
	mu      sync.Mutex
	status  v1alpha1.BGPNodeStatus
	written []time.Time
	err     error
}

func (n *nodeStatus) Status(context.Context) (v1alpha1.BGPNodeStatus, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status, n.err
}

func (n *nodeStatus) SetStatus(_ context.Context, status v1alpha1.BGPNodeStatus) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	n.status = status
	n.written = append(n.written, time.Now())
	return nil
}

// fail makes reading and writing fail, or work again.
func (n *nodeStatus) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

func (n *nodeStatus) stands() v1alpha1.BGPNodeStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

// writes returns when the status was written.
func (n *nodeStatus) writes() []time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.written)
}

// report runs a reporter until it is stopped.
func (w *world) report() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&agent.Reporter{Agent: w.agent, Node: w.bgpNode, Metrics: w.loop, Log: logr.Discard()}).Run(ctx)
	}()
	return func() { cancel(); <-done }
}

func TestNoStatusBeforeTheAgentKnowsWhatToDo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		defer w.report()()
		w.hear(node(), tor())
		pass(time.Minute)
		w.Expect(w.bgpNode.writes()).To(BeEmpty())
	})
}

func TestTheFirstChangeIsWrittenAtOnceAndABurstOnceASecond(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		defer w.report()()
		start := time.Now()
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"), endpointHere("a"))
		w.Expect(w.bgpNode.writes()).To(Equal([]time.Time{start}))

		w.speaker.Establish("tor")
		for i := range 250 {
			pass(10 * time.Millisecond)
			w.hear(local("a", fmt.Sprintf("10.49.0.%d", i)))
		}
		pass(time.Hour)
		w.Expect(w.bgpNode.writes()).To(Equal([]time.Time{start, start.Add(1 * time.Second), start.Add(2 * time.Second), start.Add(3 * time.Second)}))
		w.Expect(w.bgpNode.stands().Advertisements).To(ContainElement(HaveField("Prefix", "10.49.0.249/32")))
	})
}

func TestNothingIsWrittenWhereNothingChanged(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		defer w.report()()
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		pass(time.Minute)
		for range 10 {
			w.hear(node())
			pass(time.Second)
		}
		w.Expect(w.bgpNode.writes()).To(HaveLen(1))

		stop := w.report() // As an agent that starts again and finds what it would say.
		w.hear(node())
		pass(time.Minute)
		stop()
		w.Expect(w.bgpNode.writes()).To(HaveLen(1))
	})
}

func TestAChangeThatAsksForNoStepIsReportedToo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		defer w.report()()
		w.hearAll(tor(), node())
		w.Expect(w.bgpNode.stands().Conditions).To(ContainElement(HaveField("Reason", "NoConfiguration")))
		pass(2 * time.Second)
		w.hear(blocks())
		w.Expect(w.bgpNode.stands().Conditions).To(ContainElement(HaveField("Reason", "SessionsDown")))
	})
}

func TestAStatusThatCouldNotBeWrittenIsWrittenLater(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.bgpNode.fail(errors.New("connection refused"))
		defer w.report()()
		w.hearAll(tor(), node())
		pass(90*time.Second + time.Millisecond)
		w.Expect(w.bgpNode.writes()).To(BeEmpty())

		w.bgpNode.fail(nil)
		back := time.Now()
		pass(time.Minute)
		w.Expect(w.bgpNode.writes()).To(HaveLen(1))
		w.Expect(w.bgpNode.writes()[0].Sub(back)).To(BeNumerically("<=", time.Second))
	})
}

func TestAConditionRemembersWhenItChanged(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		defer w.report()()
		ready := func() metav1.Condition { return w.bgpNode.stands().Conditions[0] }
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		down := ready()
		w.Expect(down.Status).To(Equal(metav1.ConditionFalse))

		pass(time.Minute)
		w.speaker.Establish("tor")
		synctest.Wait()
		up := ready()
		w.Expect(up.Status).To(Equal(metav1.ConditionTrue))
		w.Expect(up.LastTransitionTime.Sub(down.LastTransitionTime.Time)).To(Equal(time.Minute))

		pass(time.Minute)
		w.hear(blocks("10.49.0.0/16", "10.50.0.0/16"))
		w.Expect(w.bgpNode.writes()).To(HaveLen(3))
		w.Expect(ready()).To(Equal(up))
	})
}
