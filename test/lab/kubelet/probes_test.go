package kubelet

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The fake host answers exec probes; the period is a second where nothing is said.
const (
	withLiveness  = `{spec: {terminationGracePeriodSeconds: 5, containers: [{name: c, image: nginx, livenessProbe: {exec: {command: [x]}, periodSeconds: 1, failureThreshold: 3}}]}}`
	withReadiness = `{spec: {containers: [{name: c, image: nginx, readinessProbe: {exec: {command: [x]}, periodSeconds: 1, failureThreshold: 1}}]}}`
	withStartup   = `{spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: nginx,
	  startupProbe: {exec: {command: [x]}, periodSeconds: 1, failureThreshold: 10},
	  livenessProbe: {exec: {command: [x]}, periodSeconds: 1, failureThreshold: 1}}]}}`
)

func TestReadinessFollowsItsProbe(t *testing.T) {
	inWorld(t, func(w *world) {
		w.host.setUnwell(true)
		w.create(withReadiness)
		if w.isReady() {
			t.Error("ready before the probe succeeded")
		}
		for _, unwell := range []bool{false, true, false} {
			w.host.setUnwell(unwell)
			w.after(time.Since(w.start) + time.Second)
			if w.isReady() == unwell {
				t.Errorf("unwell %v, ready %v", unwell, w.isReady())
			}
		}
		if !w.hasEvent("Unhealthy", "feeling unwell") {
			t.Error("no event tells why it was not ready")
		}
		if got := len(w.host.started()); got != 1 {
			t.Errorf("%d starts", got)
		}
	})
}

func TestReadinessIsProbedWhileThePodEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(withReadiness)
		w.delete(30)
		for _, unwell := range []bool{false, true} {
			w.host.setUnwell(unwell)
			w.after(time.Since(w.start) + time.Second)
			if w.isReady() == unwell {
				t.Errorf("unwell %v, ready %v", unwell, w.isReady())
			}
		}
	})
}

func TestContainerThatIsNotAliveIsRestarted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(withLiveness)
		p := w.host.last()
		w.host.setUnwell(true)
		w.after(time.Since(w.start) + 3*time.Second)
		if p.got() != "quit" {
			t.Fatalf("after three failures it got %q", p.got())
		}
		w.host.setUnwell(false)
		w.after(time.Since(w.start) + 5*time.Second)
		if p.runs() || len(w.host.started()) != 2 {
			t.Errorf("after the grace period: runs %v, starts at %v", p.runs(), w.host.started())
		}
		w.after(time.Since(w.start) + time.Minute)
		if got := len(w.host.started()); got != 2 {
			t.Errorf("%d starts of a container that is alive", got)
		}
	})
}

func TestLivenessWaitsForTheStartupProbe(t *testing.T) {
	inWorld(t, func(w *world) {
		w.host.setUnwell(true)
		w.create(withStartup)
		p := w.host.last()
		w.after(5 * time.Second)
		if !p.runs() || *w.container().Started || w.isReady() {
			t.Fatalf("before its startup probe succeeds: runs %v, started %v, ready %v", p.runs(), *w.container().Started, w.isReady())
		}
		w.host.setUnwell(false)
		w.after(6 * time.Second)
		if !*w.container().Started || !w.isReady() {
			t.Fatalf("after its startup probe succeeded: started %v, ready %v", *w.container().Started, w.isReady())
		}
		w.host.setUnwell(true)
		w.after(7 * time.Second)
		if p.got() != "quit" {
			t.Errorf("after its liveness probe failed it got %q", p.got())
		}
	})
}

func TestContainerThatNeverStartsUpIsRestarted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.host.setUnwell(true)
		w.create(withStartup)
		p := w.host.last()
		p.obey(syscall.SIGQUIT)
		w.after(9 * time.Second)
		if len(w.host.started()) != 2 || p.got() != "quit" {
			t.Errorf("starts at %v, got %q", w.host.started(), p.got())
		}
	})
}

func TestVerdictOnAProcessThatIsGoneIsOfNoAccount(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(withReadiness)
		w.host.setUnwell(true)
		w.host.last().exit(1)
		synctest.Wait()
		if w.isReady() {
			t.Error("ready on the word of the process before")
		}
	})
}
