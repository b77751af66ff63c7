package agent_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/agent"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

// lease remembers when it was renewed.
type lease struct {
	mu    sync.Mutex
	times []time.Time
}

func (l *lease) Renew(_ context.Context, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times = append(l.times, now)
	return nil
}

func (l *lease) renewed() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.times)
}

// stuck is a speaker that hangs until it is released.
type stuck struct {
	speaker.Speaker

	release chan struct{}
}

func (s *stuck) Run(ctx context.Context, steps []plan.Step) error {
	<-s.release
	return s.Speaker.Run(ctx, steps)
}

func TestALeaseIsRenewedForAsLongAsTheLoopAnswers(t *testing.T) {
	t.Parallel()
	hanging := &stuck{}
	inBubble(t, func(w *world) {
		hanging.release = make(chan struct{})
		ctx, cancel := context.WithCancel(w.t.Context())
		done := make(chan struct{})
		l := &lease{}
		start := time.Now()
		go func() {
			defer close(done)
			(&agent.Heartbeat{Agent: w.agent, Lease: l, Log: logr.Discard()}).Run(ctx)
		}()
		defer func() { cancel(); <-done }()
		pass(25 * time.Second)
		w.Expect(l.renewed()).To(Equal([]time.Time{start, start.Add(10 * time.Second), start.Add(20 * time.Second)}))

		w.hearAll(tor(), node())
		w.Expect(w.agent.Alive(within(w.t, time.Second))).To(MatchError(ContainSubstring("the agent's loop does not answer")))
		pass(time.Minute)
		w.Expect(l.renewed()).To(HaveLen(3))

		close(hanging.release)
		synctest.Wait()
		w.Expect(w.agent.Alive(within(w.t, time.Second))).To(Succeed())
		pass(10 * time.Second)
		w.Expect(l.renewed()).To(HaveLen(4))
	}, func(s speaker.Speaker) speaker.Speaker { hanging.Speaker = s; return hanging })
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
