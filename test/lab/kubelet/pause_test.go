package kubelet

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestPausedPodIsThereUntilItGoesOnOrEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.host.onStart = func(p *fakeProcess) { p.obey(syscall.SIGQUIT) }
		w.create(`{}`)
		web := w.target("pod/default/web")
		expect := func(signals string, paused bool) {
			t.Helper()
			synctest.Wait()
			if got := w.host.last().got(); got != signals || web.Paused() != paused {
				t.Errorf("got %q, paused %v; want %q, %v", got, web.Paused(), signals, paused)
			}
		}
		do := func(verb func(context.Context) error) {
			t.Helper()
			if err := verb(w.Context()); err != nil {
				t.Fatal(err)
			}
		}
		do(web.Pause)
		expect("stopped (signal)", true)
		do(web.Resume)
		expect("stopped (signal), continued", false)
		do(web.Pause)
		do(web.Kill)
		expect("", false) // Its successor.

		do(web.Pause)
		before := time.Now()
		do(web.Stop)
		expect("stopped (signal), continued, quit", false)
		if took := time.Since(before); took != 0 {
			t.Errorf("Stop of a paused pod waited %s for it", took)
		}
		for verb, err := range map[string]error{"pause": web.Pause(w.Context()), "resume": web.Resume(w.Context())} {
			if err == nil || !strings.Contains(err.Error(), "no process of pod/default/web runs") {
				t.Errorf("%s of one that is stopped: %v", verb, err)
			}
		}
	})
}
