package agent_test

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/speaker"
)

func TestHowAnAgentLeaves(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		workload workload
		want     speaker.CloseMode
		// within is how long it may take until the sessions are ended.
		within time.Duration
	}{
		"for an upgrade":                    {workload{}, speaker.KeepRoutes, 0},
		"for good":                          {workload{hasLeft: true}, speaker.WithdrawRoutes, 0},
		"nobody knows":                      {workload{err: errors.New("connection refused")}, speaker.KeepRoutes, 0},
		"the API server takes its time":     {workload{hasLeft: true, after: time.Second}, speaker.WithdrawRoutes, time.Second},
		"the API server takes all the time": {workload{hasLeft: true, after: time.Minute}, speaker.KeepRoutes, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				*w.workload = row.workload
				w.hearAll(tor(), node(), blocks("10.49.0.0/16"))
				w.speaker.Establish("tor")
				start := time.Now()
				w.Expect(w.stop()).To(Succeed())
				w.Expect(time.Since(start)).To(Equal(row.within))

				if row.want == speaker.WithdrawRoutes {
					w.Expect(w.bgpNode.stands().Sessions).To(ConsistOf(HaveField("State", v1alpha1.SessionIdle)))
				} else {
					w.Expect(w.bgpNode.writes()).To(BeEmpty())
				}
				mode, closed := w.speaker.Closed()
				w.Expect(closed).To(BeTrue())
				w.Expect(mode).To(Equal(row.want))
				w.Expect(w.marker.set).To(Equal(row.want == speaker.KeepRoutes),
					"the next agent finds this boot's forwarding state unless the routers were told to forget it")
			})
		})
	}
}
