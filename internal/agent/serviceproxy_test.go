package agent_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/agent"
)

// proxied gives an agent a service proxy that is healthy when the test says so.
func proxied(healthy *atomic.Bool, patience time.Duration) func(*world, *agent.Config) {
	return func(_ *world, c *agent.Config) {
		c.ServiceProxy = agent.ServiceProxy{Patience: patience, Check: func(context.Context) error {
			if healthy.Load() {
				return nil
			}
			return errors.New("503")
		}}
	}
}

func TestNoSessionIsOpenedBeforeTheServiceProxyIsHealthy(t *testing.T) {
	t.Parallel()
	var healthy atomic.Bool
	inBubbleWith(t, proxied(&healthy, 30*time.Second), func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		pass(20 * time.Second)
		w.Expect(w.steps()).To(Equal([][]string{{"Advertise 10.49.0.0/16"}}), "no peer")
		w.Expect(w.marker.set).To(BeFalse(), "no router sends anything here")
		w.Expect(w.status().Conditions).To(ContainElement(And(HaveField("Type", "Ready"), HaveField("Reason", "WaitingForServiceProxy"))))
		w.Expect(w.agent.Ready(w.t.Context())).To(MatchError(ContainSubstring("service proxy")))
		w.Expect(w.gauge("herald_waiting_for_service_proxy")).To(BeEquivalentTo(1))

		healthy.Store(true)
		pass(time.Second)
		w.Expect(w.steps()[1:]).To(Equal([][]string{{"AddPeer tor"}}))
		w.Expect(w.marker.set).To(BeTrue())
		w.Expect(w.agent.Ready(w.t.Context())).To(Succeed())
		w.Expect(w.gauge("herald_waiting_for_service_proxy")).To(BeZero())

		healthy.Store(false)
		pass(time.Hour)
		w.Expect(w.steps()).To(HaveLen(2), "later nothing is withdrawn because of it")
	})
}

func TestAServiceProxyIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	var never atomic.Bool
	inBubbleWith(t, proxied(&never, 30*time.Second), func(w *world) {
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		pass(29 * time.Second)
		w.Expect(w.steps()).To(HaveLen(1))
		pass(2 * time.Second)
		w.Expect(w.steps()[1:]).To(Equal([][]string{{"AddPeer tor"}}))
	})
}

func TestWhatIsKnownOnlyAfterTheWaitIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	var healthy atomic.Bool
	healthy.Store(true)
	inBubbleWith(t, proxied(&healthy, 30*time.Second), func(w *world) {
		pass(5 * time.Second)
		w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
		w.Expect(w.steps()).To(Equal([][]string{{"Advertise 10.49.0.0/16", "AddPeer tor"}}))
	})
}
