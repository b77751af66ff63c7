package kubelet

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fleet returns the kubelet as a lab's command line sees it.
func (w *world) fleet() Fleet { return Fleet{"node-1": w.kubelet} }

// target returns what a name stands for.
func (w *world) target(name string) Target {
	w.Helper()
	t, ok := w.fleet().Find(name)
	if !ok {
		w.Fatalf("no %s", name)
	}
	return t
}

func TestStoppedPodStaysStoppedUntilItIsStarted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.host.onStart = func(p *fakeProcess) { p.obey(syscall.SIGQUIT) }
		w.create(`{}`)
		web := w.target("pod/default/web")
		if err := web.Stop(w.Context()); err != nil {
			t.Fatal(err)
		}
		w.after(time.Since(w.start) + time.Minute)
		if w.host.last().runs() || web.Running() != 0 || w.isReady() {
			t.Errorf("runs %v, %d running, ready %v", w.host.last().runs(), web.Running(), w.isReady())
		}
		if c := w.container(); c.State.Waiting == nil || c.State.Waiting.Reason != "Stopped" {
			t.Errorf("container: %+v", c.State)
		}
		if err := web.Start(w.Context()); err != nil {
			t.Fatal(err)
		}
		if !w.host.last().runs() || web.Running() != 1 {
			t.Errorf("after Start: runs %v, %d running", w.host.last().runs(), web.Running())
		}
	})
}

func TestStopKillsWhatDoesNotEndInItsGracePeriod(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{spec: {terminationGracePeriodSeconds: 5}}`)
		before := time.Now()
		if err := w.target("pod/default/web").Stop(w.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(before); took != 5*time.Second || w.host.last().got() != "quit, killed" {
			t.Errorf("took %s, got %q", took, w.host.last().got())
		}
	})
}

func TestStopThatIsGivenUpReturns(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{spec: {terminationGracePeriodSeconds: 3600}}`)
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if err := w.target("pod/default/web").Stop(ctx); err == nil {
			t.Error("no error")
		}
	})
}

func TestKilledPodIsRestartedAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{}`)
		p := w.host.last()
		if err := w.target("pod/default/web").Kill(w.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if p.got() != "killed" || !w.host.last().runs() || w.container().RestartCount != 1 {
			t.Errorf("got %q, runs %v, %d restarts", p.got(), w.host.last().runs(), w.container().RestartCount)
		}
		if last := w.container().LastTerminationState.Terminated; last == nil || last.ExitCode != 137 {
			t.Errorf("last termination: %+v", last)
		}
	})
}

func TestComponentStaysStoppedThroughAChangeOfItsPods(t *testing.T) {
	const agent = `{metadata: {name: %s, labels: {app.kubernetes.io/component: agent}}}`
	inWorld(t, func(w *world) {
		w.host.onStart = func(p *fakeProcess) { p.obey(syscall.SIGQUIT) }
		selector := Selector{Namespace: "default", Component: "agent"}
		w.create(`{}`)
		w.create(strings.ReplaceAll(agent, "%s", "agent-1"))
		if pods, err := w.kubelet.Stop(w.Context(), selector); pods != 1 || err != nil {
			t.Fatalf("stopped %d pods, %v", pods, err)
		}
		if err := w.client.CoreV1().Pods("default").Delete(w.Context(), "agent-1", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.create(strings.ReplaceAll(agent, "%s", "agent-2"))
		if got := len(w.host.started()); got != 2 {
			t.Errorf("%d starts, want those of web and agent-1", got)
		}
		if pods, err := w.kubelet.Start(w.Context(), selector); pods != 1 || err != nil {
			t.Fatalf("started %d pods, %v", pods, err)
		}
		if got := len(w.host.started()); got != 3 {
			t.Errorf("%d starts after Start", got)
		}
	})
}

func TestNamesOfTheCommandLine(t *testing.T) {
	f := Fleet{"node-1": {}, "node-2": {}}
	for name, want := range map[string]struct {
		ok       bool
		kubelets int
		selector Selector
	}{
		"agent/node-2":    {true, 1, Selector{Namespace: "herald-system", Component: "agent"}},
		"manager":         {true, 2, Selector{Namespace: "herald-system", Component: "manager"}},
		"manager/node-1":  {true, 1, Selector{Namespace: "herald-system", Component: "manager"}},
		"pod/default/web": {true, 2, Selector{Namespace: "default", Name: "web"}},
		"agent":           {ok: false},
		"agent/node-9":    {ok: false},
		"pod/web":         {ok: false},
		"etcd":            {ok: false},
	} {
		got, ok := f.Find(name)
		if ok != want.ok || (ok && (len(got.kubelets) != want.kubelets || got.selector != want.selector)) {
			t.Errorf("%s: %v, %d kubelets, %+v", name, ok, len(got.kubelets), got.selector)
		}
	}
}

func TestNameWithoutPodsIsAnError(t *testing.T) {
	inWorld(t, func(w *world) {
		manager := w.target("manager")
		_, netnsErr := manager.Netns()
		_, logsErr := manager.Logs()
		_, processErr := manager.Process(w.Context())
		for verb, err := range map[string]error{
			"stop": manager.Stop(w.Context()), "start": manager.Start(w.Context()), "kill": manager.Kill(w.Context()),
			"pause": manager.Pause(w.Context()), "resume": manager.Resume(w.Context()),
			"netns": netnsErr, "logs": logsErr, "process": processErr,
		} {
			if err == nil || !strings.Contains(err.Error(), "manager") {
				t.Errorf("%s: %v", verb, err)
			}
		}
	})
}

func TestPodIsFoundByItsNetworkAndItsProcess(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(`{}`)
		w.create(`{metadata: {name: agent}, spec: {hostNetwork: true}}`)
		for name, want := range map[string]string{"pod/default/web": "pod-uid-web", "pod/default/agent": "node-1"} {
			if got, err := w.target(name).Netns(); got != want || err != nil {
				t.Errorf("%s is in %s (%v), want %s", name, got, err, want)
			}
		}
		if pid, err := w.target("pod/default/web").Process(w.Context()); pid == 0 || err != nil {
			t.Errorf("process %d, %v", pid, err)
		}
		want := filepath.Join(w.kubelet.node.config.Dir, "logs", "default_web_uid-web", "c.log")
		if got := w.host.processes[0].spec.LogPath; got != want {
			t.Errorf("logs to %s, want %s", got, want)
		}
	})
}

func TestRunningPodsOutliveAnOutageOfTheAPIServer(t *testing.T) {
	inWorld(t, func(w *world) {
		settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"level": "debug"}}
		if _, err := w.client.CoreV1().ConfigMaps("default").Create(w.Context(), settings, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.create(`{spec: {containers: [{name: c, image: nginx, envFrom: [{configMapRef: {name: settings}}]}]}}`)
		w.cutOff.Store(true)
		w.after(time.Since(w.start) + time.Minute)
		if len(w.host.started()) != 1 || !w.host.last().runs() {
			t.Fatal("it did not keep running")
		}
		w.host.last().exit(1)
		synctest.Wait()
		if len(w.host.started()) != 2 || !w.host.last().runs() {
			t.Fatal("it was not restarted")
		}
		if env := w.host.last().spec.Env; !slices.Contains(env, "level=debug") {
			t.Errorf("the environment is %v", env)
		}
		w.cutOff.Store(false)
		w.after(time.Since(w.start) + 2*retryPeriod)
		if got := w.container().RestartCount; got != 1 {
			t.Errorf("%d restarts are told after the outage", got)
		}
	})
}

func TestPodThatWasDeletedInAnOutageIsGoneAfterIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.host.onStart = func(p *fakeProcess) { p.obey(syscall.SIGQUIT) }
		w.create(`{}`)
		w.delete(3)
		if w.pod() != nil {
			t.Fatal("not deleted")
		}
		w.create(`{}`)
		w.host.last().obey()
		w.delete(3)
		w.cutOff.Store(true)
		w.after(time.Since(w.start) + 10*time.Second)
		if w.host.last().runs() {
			t.Error("it still runs")
		}
		w.cutOff.Store(false)
		w.after(time.Since(w.start) + 2*retryPeriod)
		if w.pod() != nil {
			t.Error("it is still there")
		}
	})
}

func TestNodeIsReadyAndItsLeaseFreshUntilTheKubeletEnds(t *testing.T) {
	ready := func(w *world) corev1.ConditionStatus {
		n, err := w.client.CoreV1().Nodes().Get(context.WithoutCancel(w.Context()), "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady {
				return c.Status
			}
		}
		return corev1.ConditionUnknown
	}
	inWorld(t, func(w *world) {
		if got := ready(w); got != corev1.ConditionTrue {
			t.Errorf("Ready is %s", got)
		}
		w.after(time.Minute)
		lease, err := w.client.CoordinationV1().Leases("kube-node-lease").Get(w.Context(), "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(lease.Spec.RenewTime.Time); age > heartbeatPeriod || *lease.Spec.HolderIdentity != "node-1" {
			t.Errorf("the lease is %s old and held by %s", age, *lease.Spec.HolderIdentity)
		}
		w.stop()
		if got := ready(w); got != corev1.ConditionFalse {
			t.Errorf("Ready is %s after the end", got)
		}
	})
}

func TestNodeIsWrittenOnlyWhenItHasNews(t *testing.T) {
	inWorld(t, func(w *world) {
		nodes := w.client.CoreV1().Nodes()
		writes := func() (n int) {
			for _, action := range w.client.Actions() {
				if action.Matches("update", "nodes/status") || (action.GetVerb() == "update" && action.GetResource().Resource == "nodes") {
					n++
				}
			}
			return n
		}
		w.after(statusPeriod - time.Second)
		if got := writes(); got != 1 {
			t.Errorf("%d writes of a status that does not change", got)
		}
		w.after(statusPeriod + 2*heartbeatPeriod)
		if got := writes(); got != 2 {
			t.Errorf("%d writes after the period, want one more", got)
		}
		n, err := nodes.Get(w.Context(), "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range n.Status.Conditions { // As the controller manager does with a node that was silent.
			n.Status.Conditions[i].Status = corev1.ConditionUnknown
		}
		if _, err := nodes.UpdateStatus(w.Context(), n, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.after(time.Since(w.start) + heartbeatPeriod)
		n, err = nodes.Get(w.Context(), "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
				t.Errorf("Ready is %s", c.Status)
			}
		}
	})
}

func TestNodeSaysWhoItIs(t *testing.T) {
	inWorld(t, func(w *world) {
		n, err := w.client.CoreV1().Nodes().Get(w.Context(), "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if n.Labels[corev1.LabelHostname] != "node-1" || n.Labels[corev1.LabelOSStable] != "linux" || n.Spec.PodCIDR != "10.48.1.0/24" {
			t.Errorf("labels %v, pod range %s", n.Labels, n.Spec.PodCIDR)
		}
		if !slices.Contains(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "192.168.1.11"}) {
			t.Errorf("addresses %v", n.Status.Addresses)
		}
		if n.Status.Allocatable.Pods().Value() == 0 || n.Status.Capacity.Cpu().Value() == 0 {
			t.Errorf("capacity %v", n.Status.Capacity)
		}
	})
}
