package kubelet

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPodRunsAndSaysSo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{}`)
		status := w.pod().Status
		if status.Phase != corev1.PodRunning || !w.isReady() || status.PodIP != "10.48.1.2" || status.HostIP != "192.168.1.11" {
			t.Errorf("phase %s, ready %v, pod %s on %s", status.Phase, w.isReady(), status.PodIP, status.HostIP)
		}
		if c := w.container(); c.State.Running == nil || !c.Ready || !*c.Started || c.RestartCount != 0 {
			t.Errorf("container: %+v", c)
		}
		if got := w.host.last().spec; got.Netns != "pod-uid-web" || got.Hostname != "web" || !got.NewPID {
			t.Errorf("started in namespace %s as %s, first of its process ids: %v", got.Netns, got.Hostname, got.NewPID)
		}
	})
}

func TestContainerThatEndsIsRestartedWithBackOff(t *testing.T) {
	inWorld(t, func(w *world) {
		w.host.onStart = func(p *fakeProcess) { p.exit(3) }
		w.create(`{}`)
		w.after(40 * time.Second)
		const s = time.Second
		want := []time.Duration{0, 0, 1 * s, 3 * s, 7 * s, 15 * s, 31 * s}
		if diff := cmp.Diff(want, w.host.started()); diff != "" {
			t.Errorf("started at (-want +got):\n%s", diff)
		}
		c := w.container()
		if c.State.Waiting == nil || c.State.Waiting.Reason != "CrashLoopBackOff" || c.RestartCount != 6 {
			t.Errorf("container: %+v", c)
		}
		if last := c.LastTerminationState.Terminated; last == nil || last.ExitCode != 3 || last.Reason != "Error" {
			t.Errorf("last termination: %+v", last)
		}
		if w.isReady() {
			t.Error("the pod is ready")
		}
	})
}

func TestLongRunMakesBackOffBeginAnew(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{}`)
		for _, step := range []struct{ runs, waits time.Duration }{
			{time.Second, 0}, {time.Second, time.Second}, {time.Second, 2 * time.Second}, {backoffReset, 0}, {time.Second, time.Second},
		} {
			p, started := w.host.last(), time.Now()
			w.after(time.Since(w.start) + step.runs)
			p.exit(1)
			synctest.Wait()
			w.after(time.Since(w.start) + step.waits)
			if got := w.host.last(); got == p || got.startedAt.Sub(started) != step.runs+step.waits {
				t.Fatalf("after a run of %s: next start after %s, want %s", step.runs, got.startedAt.Sub(started)-step.runs, step.waits)
			}
		}
	})
}

func TestRestartPolicySaysWhatIsStartedAgain(t *testing.T) {
	for policy, want := range map[corev1.RestartPolicy]map[int]corev1.PodPhase{
		corev1.RestartPolicyNever:     {0: corev1.PodSucceeded, 1: corev1.PodFailed},
		corev1.RestartPolicyOnFailure: {0: corev1.PodSucceeded, 1: corev1.PodRunning},
		corev1.RestartPolicyAlways:    {0: corev1.PodRunning, 1: corev1.PodRunning},
	} {
		for code, phase := range want {
			inWorld(t, func(w *world) {
				w.create(`{spec: {restartPolicy: ` + string(policy) + `}}`)
				w.host.last().exit(code)
				synctest.Wait()
				if got := w.pod().Status.Phase; got != phase {
					t.Errorf("%s, exit status %d: phase %s, want %s", policy, code, got, phase)
				}
				if restarted := len(w.host.started()) > 1; restarted != (phase == corev1.PodRunning) {
					t.Errorf("%s, exit status %d: restarted %v", policy, code, restarted)
				}
			})
		}
	}
}

func TestInitContainersRunOneAfterAnotherBeforeTheRest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`
spec:
  initContainers: [{name: first, image: nginx, args: [first]}, {name: second, image: nginx, args: [second]}]
  containers: [{name: c, image: nginx, args: [main]}]
`)
		for i, name := range []string{"first", "second", "main"} {
			if got := w.host.last().spec.Args; len(w.host.started()) != i+1 || got[len(got)-1] != name {
				t.Fatalf("start %d is that of %v, want %s", len(w.host.started()), got, name)
			}
			if phase := w.pod().Status.Phase; (phase == corev1.PodRunning) != (name == "main") {
				t.Errorf("phase is %s while %s runs", phase, name)
			}
			if name != "main" {
				w.host.last().exit(0)
				synctest.Wait()
			}
		}
	})
}

func TestUnknownImageIsReportedAndTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{spec: {containers: [{name: c, image: busybox}]}}`)
		if c := w.container(); c.State.Waiting == nil || c.State.Waiting.Reason != "ImagePullBackOff" {
			t.Errorf("container: %+v", c)
		}
		if !w.hasEvent("Failed", `no image "busybox"`) {
			t.Error("no event tells which image is unknown")
		}
		if got := w.pod().Status.Phase; got != corev1.PodPending {
			t.Errorf("phase is %s", got)
		}
	})
}

func TestPodWaitsForWhatItRefersTo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{spec: {volumes: [{name: v, configMap: {name: settings}}]}}`)
		w.after(3 * time.Second)
		if len(w.host.started()) > 0 || !w.hasEvent("FailedMount", `ConfigMap "settings" not found`) {
			t.Fatalf("starts: %v, or no event tells what is missing", w.host.started())
		}
		settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"level": "debug"}}
		if _, err := w.client.CoreV1().ConfigMaps("default").Create(w.Context(), settings, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.after(5 * time.Second)
		if len(w.host.started()) != 1 {
			t.Error("the pod was not started once the ConfigMap was there")
		}
		file := filepath.Join(w.kubelet.node.config.Dir, "pods", "uid-web", "volumes", "v", "level")
		for _, level := range []string{"info", "error"} {
			settings.Data["level"] = level
			if _, err := w.client.CoreV1().ConfigMaps("default").Update(w.Context(), settings, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.after(time.Since(w.start) + 2*refreshPeriod)
			if text, err := os.ReadFile(file); err != nil || string(text) != level {
				t.Errorf("the volume holds %q, want %q (%v)", text, level, err)
			}
		}
	})
}

func TestDeletedPodEndsInOrderAndIsReadyUntilItsEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{spec: {containers: [{name: c, image: lab/echo}]}}`)
		if len(w.host.started()) > 0 {
			t.Fatal("lab/echo was started without its program")
		}
	})
	inWorld(t, func(w *world) {
		w.create(`{}`)
		p := w.host.last()
		deleted := time.Since(w.start)
		w.delete(7)
		if got := p.got(); got != "quit" {
			t.Errorf("got %q, want nginx's own stop signal", got)
		}
		w.after(deleted + 6*time.Second)
		if !w.isReady() || !p.runs() {
			t.Errorf("while it ends: ready %v, runs %v", w.isReady(), p.runs())
		}
		w.after(deleted + 8*time.Second)
		if p.runs() || p.got() != "quit, killed" {
			t.Errorf("after the grace period: runs %v, got %q", p.runs(), p.got())
		}
		if pod := w.pod(); pod != nil {
			t.Errorf("the pod is still there: %s", pod.Status.Phase)
		}
		if len(w.host.attached) > 0 {
			t.Errorf("networks are left: %v", w.host.attached)
		}
		if _, err := os.Stat(filepath.Join(w.kubelet.node.config.Dir, "pods", "uid-web")); !os.IsNotExist(err) {
			t.Errorf("the pod's directory is left: %v", err)
		}
	})
}

func TestShorterGracePeriodHoldsFromWhenItIsGiven(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{}`)
		p := w.host.last()
		w.delete(3600)
		w.delete(1)
		w.after(time.Since(w.start) + time.Second)
		if p.runs() || w.pod() != nil {
			t.Errorf("runs %v, the pod is there: %v", p.runs(), w.pod() != nil)
		}
	})
}

func TestPreStopHookComesBeforeTheSignal(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{spec: {containers: [{name: c, image: nginx, lifecycle: {preStop: {sleep: {seconds: 3}}}}]}}`)
		p := w.host.last()
		p.obey(syscall.SIGQUIT)
		w.delete(30)
		w.after(time.Since(w.start) + 2*time.Second)
		if p.got() != "" {
			t.Errorf("got %q before the hook was over", p.got())
		}
		w.after(time.Since(w.start) + time.Second)
		if p.got() != "quit" || w.pod() != nil {
			t.Errorf("got %q, the pod is there: %v", p.got(), w.pod() != nil)
		}
	})
}

func TestReadinessGateOfOthersIsHeeded(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{spec: {readinessGates: [{conditionType: example.com/gate}]}}`)
		for _, status := range []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse} {
			pod := w.pod()
			others := func(c corev1.PodCondition) bool { return c.Type == "example.com/gate" }
			pod.Status.Conditions = append(slices.DeleteFunc(pod.Status.Conditions, others),
				corev1.PodCondition{Type: "example.com/gate", Status: status})
			if _, err := w.client.CoreV1().Pods("default").UpdateStatus(w.Context(), pod, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got, want := w.isReady(), status == corev1.ConditionTrue; got != want {
				t.Errorf("the gate is %s, ready %v", status, got)
			}
		}
	})
}

func TestPodThatIsGoneFromTheAPIServerIsKilled(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{}`)
		p := w.host.last()
		if err := w.client.CoreV1().Pods("default").Delete(w.Context(), "web", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if p.runs() || len(w.host.attached) > 0 {
			t.Errorf("runs %v, networks %v", p.runs(), w.host.attached)
		}
		w.create(`{}`) // A successor of the same name is another pod.
		if !w.host.last().runs() {
			t.Error("the successor does not run")
		}
	})
}

func TestPodThatHadEndedIsNotStartedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{status: {phase: Succeeded}}`)
		if len(w.host.started()) > 0 {
			t.Error("it was started")
		}
		w.delete(30)
		if w.pod() != nil {
			t.Error("it was not deleted")
		}
	})
}

func TestIgnoredFieldsAreToldOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{spec: {hostPID: true, containers: [{name: c, image: nginx, tty: true}]}}`)
		if !w.hasEvent("IgnoredByLab", "The lab ignores spec.containers[].tty, spec.hostPID") {
			t.Error("no event names them")
		}
	})
}

func TestEndOfTheKubeletKillsItsPodsAndLeavesThemToTheAPIServer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{metadata: {name: web}}`)
		w.create(`{metadata: {name: db}}`)
		w.stop()
		if slices.ContainsFunc(w.host.processes, (*fakeProcess).runs) || len(w.host.attached) > 0 {
			t.Errorf("something is left; networks: %v", w.host.attached)
		}
		if w.pod() == nil {
			t.Error("the pod was deleted")
		}
	})
}
