package kubelet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/test/lab/proc"
)

// world is a kubelet with an API server and a host that are not real, in a time that is not either.
type world struct {
	*testing.T
	client  *fake.Clientset
	host    *fakeHost
	kubelet *Kubelet
	start   time.Time
	stop    context.CancelFunc
	// recorder takes the events, and events are those that were looked at.
	recorder *record.FakeRecorder
	events   []string
	// cutOff makes every request to the API server fail.
	cutOff atomic.Bool
}

// inWorld runs a test with a kubelet of node-1 that has registered and follows its pods.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}}
		service.Spec = corev1.ServiceSpec{ClusterIP: "10.49.0.1", Ports: []corev1.ServicePort{{Port: 443}}}
		w := &world{T: t, client: newFakeClient(t, service), host: &fakeHost{}, start: time.Now(), recorder: record.NewFakeRecorder(1000)}
		w.client.PrependReactor("*", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
			return w.cutOff.Load(), nil, errors.New("connection refused")
		})
		dir := t.TempDir()
		w.kubelet = newKubelet(Config{
			NodeName:  "node-1",
			Addresses: []netip.Addr{netip.MustParseAddr("192.168.1.11")},
			PodCIDRs:  []netip.Prefix{netip.MustParsePrefix("10.48.1.0/24")},
			REST:      &rest.Config{},
			Dir:       dir,
			Binaries:  filepath.Join(dir, "bin"),
			Self:      filepath.Join(dir, "lab"),
			Log:       testr.New(t),
		}, w.client, w.host, w.recorder)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.kubelet.Run(ctx) }()
		w.stop = func() {
			cancel()
			synctest.Wait()
		}
		synctest.Wait()
		test(w)
		w.stop()
		if err := <-ended; err != nil {
			t.Errorf("the kubelet ended with %v", err)
		}
	})
}

// after waits until that much time has passed since the start, and for what happens then.
func (w *world) after(since time.Duration) {
	w.Helper()
	wait := time.Until(w.start.Add(since))
	if wait < 0 {
		w.Fatalf("%s is past", since)
	}
	<-time.After(wait)
	synctest.Wait()
}

// create makes a pod of a manifest that is bound to node-1, and waits for what follows at once. A pod without a name is
// called web, one without containers has an nginx.
func (w *world) create(manifest string) {
	w.Helper()
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(manifest), pod); err != nil {
		w.Fatal(err)
	}
	if pod.Name == "" {
		pod.Name = "web"
	}
	pod.Namespace, pod.UID, pod.Spec.NodeName = "default", types.UID("uid-"+pod.Name), "node-1"
	if pod.Spec.RestartPolicy == "" {
		pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
	}
	if len(pod.Spec.Containers) == 0 {
		pod.Spec.Containers = []corev1.Container{{Name: "c", Image: "nginx"}}
	}
	if _, err := w.client.CoreV1().Pods("default").Create(w.Context(), pod, metav1.CreateOptions{}); err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}

// pod returns the pod web as the API server has it; nil when it has not.
func (w *world) pod() *corev1.Pod {
	w.Helper()
	list, err := w.client.CoreV1().Pods("default").List(w.Context(), metav1.ListOptions{})
	if err != nil {
		w.Fatal(err)
	}
	i := slices.IndexFunc(list.Items, func(p corev1.Pod) bool { return p.Name == "web" })
	if i < 0 {
		return nil
	}
	return &list.Items[i]
}

// container returns the status of the pod's first container.
func (w *world) container() corev1.ContainerStatus {
	w.Helper()
	pod := w.pod()
	if pod == nil || len(pod.Status.ContainerStatuses) == 0 {
		w.Fatal("the pod has no status of a container")
	}
	return pod.Status.ContainerStatuses[0]
}

// delete begins the deletion of the pod web, as the API server does.
func (w *world) delete(graceSeconds int64) {
	w.Helper()
	pod, now := w.pod(), metav1.Now()
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &now, &graceSeconds
	if _, err := w.client.CoreV1().Pods("default").Update(w.Context(), pod, metav1.UpdateOptions{}); err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}

// isReady tells whether the pod web is Ready.
func (w *world) isReady() bool {
	w.Helper()
	return slices.ContainsFunc(w.pod().Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// hasEvent tells whether there was an event of that reason whose message has the text.
func (w *world) hasEvent(reason, text string) bool {
	for len(w.recorder.Events) > 0 {
		w.events = append(w.events, <-w.recorder.Events)
	}
	return slices.ContainsFunc(w.events, func(e string) bool {
		return strings.Contains(e, " "+reason+" ") && strings.Contains(e, text)
	})
}

// newFakeClient does what fake.NewClientset does but for server-side apply, whose schemas take long to read.
func newFakeClient(t *testing.T, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	tracker := clienttesting.NewObjectTracker(scheme.Scheme, scheme.Codecs.UniversalDecoder())
	for _, o := range objects {
		if err := tracker.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	client := &fake.Clientset{}
	client.AddReactor("*", "*", clienttesting.ObjectReaction(tracker))
	client.AddWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		changes, err := tracker.Watch(action.GetResource(), action.GetNamespace())
		return true, changes, err
	})
	return client
}

// fakeHost starts processes that do nothing until a test has them end.
type fakeHost struct {
	mu        sync.Mutex
	processes []*fakeProcess
	attached  []string
	// onStart is called with each process that was started.
	onStart func(*fakeProcess)
	// unwell makes exec fail.
	unwell bool
}

var _ host = (*fakeHost)(nil)

func (h *fakeHost) attach(netns string, _ bool) ([]netip.Addr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attached = append(h.attached, netns)
	return []netip.Addr{netip.MustParseAddr("10.48.1.2")}, nil
}

func (h *fakeHost) detach(netns string, _ bool, _ []netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(h.attached, netns)
	if i < 0 {
		return errors.New("detached " + netns + ", which is not attached")
	}
	h.attached = slices.Delete(h.attached, i, i+1)
	return nil
}

func (h *fakeHost) start(_ context.Context, spec proc.Spec) (process, error) {
	p := &fakeProcess{spec: spec, startedAt: time.Now(), done: make(chan struct{})}
	h.mu.Lock()
	h.processes = append(h.processes, p)
	p.pid = len(h.processes)
	onStart := h.onStart
	h.mu.Unlock()
	if onStart != nil {
		onStart(p)
	}
	return p, nil
}

func (h *fakeHost) exec(context.Context, process, []string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unwell {
		return []byte("feeling unwell"), errors.New("exit status 1")
	}
	return nil, nil
}

func (h *fakeHost) dial(string) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nothing listens") }
}

// started returns when processes were started, since the time of the first.
func (h *fakeHost) started() []time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []time.Duration
	for _, p := range h.processes {
		list = append(list, p.startedAt.Sub(h.processes[0].startedAt))
	}
	return list
}

// last returns the process that was started last.
func (h *fakeHost) last() *fakeProcess {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.processes[len(h.processes)-1]
}

func (h *fakeHost) setUnwell(unwell bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unwell = unwell
}

// fakeProcess ends when it gets SIGKILL, a signal in obeys, or when a test has it exit.
type fakeProcess struct {
	spec      proc.Spec
	pid       int
	startedAt time.Time
	done      chan struct{}

	mu       sync.Mutex
	obeys    []os.Signal
	signals  []os.Signal
	exitCode int
	over     bool
}

func (p *fakeProcess) Pid() int              { return p.pid }
func (p *fakeProcess) Done() <-chan struct{} { return p.done }

func (p *fakeProcess) ExitCode() int {
	<-p.done
	return p.exitCode
}

func (p *fakeProcess) Signal(signal os.Signal) error {
	p.mu.Lock()
	p.signals = append(p.signals, signal)
	obeys := slices.Contains(p.obeys, signal)
	p.mu.Unlock()
	switch {
	case signal == syscall.SIGKILL:
		p.exit(137)
	case obeys:
		p.exit(0)
	}
	return nil
}

// obey makes the process end on the signals.
func (p *fakeProcess) obey(signals ...os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.obeys = signals
}

func (p *fakeProcess) exit(code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.over, p.exitCode = true, code
	close(p.done)
}

// got returns the signals that the process got, by name.
func (p *fakeProcess) got() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, s := range p.signals {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}

func (p *fakeProcess) runs() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}
