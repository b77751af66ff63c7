package agent_test

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/speaker"
)

// takingLeave is how long routers have by default to take other paths.
const takingLeave = 5 * time.Second

func TestHowAnAgentLeaves(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		workload workload
		host     host
		want     speaker.CloseMode
		// within is how long it may take until the sessions are ended.
		within time.Duration
	}{
		"for an upgrade": {host: host{after: time.Second}, want: speaker.KeepRoutes, within: time.Second},
		"for good":       {workload: workload{hasLeft: true}, want: speaker.WithdrawRoutes, within: takingLeave},
		"nobody knows":   {workload: workload{err: errors.New("connection refused")}, want: speaker.KeepRoutes},
		"the API server takes its time": {
			workload: workload{hasLeft: true, after: time.Second}, want: speaker.WithdrawRoutes, within: time.Second + takingLeave,
		},
		"the API server takes all the time": {
			workload: workload{hasLeft: true, after: time.Minute}, want: speaker.KeepRoutes, within: 2 * time.Second,
		},
		"the host shuts down": {host: host{down: true}, want: speaker.WithdrawRoutes, within: takingLeave},
		"the host shuts down, and the network with it": {
			workload: workload{after: time.Minute}, host: host{down: true, after: 500 * time.Millisecond},
			want: speaker.WithdrawRoutes, within: 2*time.Second + takingLeave,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				*w.workload, *w.host = row.workload, row.host
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
