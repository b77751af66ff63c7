package controllers

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/status"
	"github.com/herald-network/herald/internal/metrics"
)

func TestSessionsThatAreLostTogetherAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newClusterRig(t, 3, 1)
		rig.start()
		rig.pass(30 * time.Second)
		if up := rig.eventsOf(status.EventSessionUp); len(up) != 0 {
			t.Errorf("what was so before the start is told as news: %v", up)
		}
		for node := range 3 {
			rig.reports(report(node, 1, v1alpha1.SessionActive, 1))
			rig.pass(300 * time.Millisecond)
		}
		rig.pass(time.Minute)
		down := rig.eventsOf(status.EventSessionDown)
		if len(down) != 1 {
			t.Fatalf("%d events, want 1 for all three nodes: %v", len(down), down)
		}
		e := down[0]
		if e.Type != corev1.EventTypeWarning || e.Regarding.Kind != "BGPPeer" || e.Regarding.Name != peerName(0) || e.Regarding.UID != "peer-1" {
			t.Errorf("it is a %s on %+v", e.Type, e.Regarding)
		}
		if !strings.Contains(e.Note, "hold timer expired") || e.Namespace != "default" {
			t.Errorf("it says %q, in %s", e.Note, e.Namespace)
		}
	})
}

// A session that flaps can't flood: 10 s lie between two events of a reason, and the last state is told.
func TestASessionThatFlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newClusterRig(t, 1, 1)
		rig.start()
		rig.pass(time.Second)
		for turn := range 85 {
			rig.reports(report(0, 1, v1alpha1.SessionActive, int32(turn)))
			rig.pass(300 * time.Millisecond)
			rig.reports(report(0, 1, v1alpha1.SessionEstablished, int32(turn+1)))
			rig.pass(400 * time.Millisecond)
		}
		rig.pass(time.Minute)
		if down := rig.eventsOf(status.EventSessionDown); len(down) < 4 {
			t.Errorf("%d events, want that a session that keeps flapping keeps being told", len(down))
		}
		for _, reason := range []string{status.EventSessionDown, status.EventSessionUp} {
			events := rig.eventsOf(reason)
			if len(events) > 7 {
				t.Errorf("%d events %s in a minute of flaps", len(events), reason)
			}
			for i := range events {
				for j := range i {
					if gap := events[i].EventTime.Sub(events[j].EventTime.Time).Abs(); gap < peerQuietTime-eventsInterval {
						t.Errorf("two events %s within %v", reason, gap)
					}
				}
			}
		}
	})
}

func TestNormalEventsAreBoundedForTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newClusterRig(t, 1, 1)
		rig.start()
		rig.pass(10 * time.Second)
		many := report(0, 1, v1alpha1.SessionEstablished, 0)
		for i := range 40 {
			many.Status.Advertisements = append(many.Status.Advertisements, v1alpha1.NodeAdvertisement{
				Prefix: fmt.Sprintf("192.168.3.%d/32", i), Kind: v1alpha1.KindExternalIP, Services: []string{fmt.Sprintf("default/web-%d", i)},
			})
		}
		rig.reports(many)
		rig.pass(time.Minute)
		if advertised := rig.eventsOf(status.EventAdvertised); len(advertised) != normalPerSecond {
			t.Errorf("%d events, want %d", len(advertised), normalPerSecond)
		}
		counted := func(result string) float64 {
			var m dto.Metric
			if err := rig.reconciler.news.events.written.WithLabelValues(status.EventAdvertised, result).Write(&m); err != nil {
				t.Fatal(err)
			}
			return m.GetCounter().GetValue()
		}
		written, dropped := counted(metrics.ResultWritten), counted(metrics.ResultDropped)
		if written != normalPerSecond || dropped != 40-normalPerSecond {
			t.Errorf("counted are %v written and %v dropped", written, dropped)
		}

		// A Warning is written all the same.
		rig.reports(report(0, 1, v1alpha1.SessionActive, 1))
		rig.pass(10 * time.Second)
		if down := rig.eventsOf(status.EventSessionDown); len(down) != 1 {
			t.Errorf("%d Warnings, want 1", len(down))
		}
	})
}
