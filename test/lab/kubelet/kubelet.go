package kubelet

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	"github.com/herald-network/herald/test/lab/kubelet/podnet"
	"github.com/herald-network/herald/test/lab/netns"
)

// Kubelet is the kubelet of one node. Its methods may be called from any goroutine.
type Kubelet struct {
	node *node

	mu      sync.Mutex
	workers map[types.UID]*worker
	group   sync.WaitGroup
}

// New returns a kubelet that has yet to Run.
func New(config Config) (*Kubelet, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	settings := rest.CopyConfig(config.REST)
	settings.Dial = netns.Dial(config.NodeName)
	settings.QPS = -1 // No limit: a burst of pods is what the lab is for.
	settings.UserAgent = "kubelet/lab"
	client, err := kubernetes.NewForConfig(settings)
	if err != nil {
		return nil, fmt.Errorf("make a client for node %s: %w", config.NodeName, err)
	}
	return newKubelet(config, client, nil, nil), nil
}

// newKubelet returns a kubelet whose host and events are not the real ones; with nil they are.
func newKubelet(config Config, client kubernetes.Interface, h host, events record.EventRecorder) *Kubelet {
	return &Kubelet{
		node: &node{
			config:    config,
			client:    client,
			host:      h,
			events:    events,
			log:       config.Log.WithValues("node", config.NodeName),
			apiServer: &apiServer{client: client},
			held:      make(map[Selector]struct{}),
		},
		workers: make(map[types.UID]*worker),
	}
}

// Run registers the node and runs its pods until the context is over. Then it kills what runs, says that the node is not
// ready, and returns when nothing is left. It returns an error only where the node could not be registered before that.
func (k *Kubelet) Run(ctx context.Context) error {
	n := k.node
	if n.events == nil {
		broadcaster := record.NewBroadcaster()
		defer broadcaster.Shutdown()
		broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: n.client.CoreV1().Events("")})
		n.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: n.config.NodeName})
	}
	r := &registration{client: n.client, config: n.config, log: n.log}
	ranges, err := r.register(ctx)
	if err != nil {
		return err
	}
	if n.host == nil {
		n.host = &machine{node: n.config.NodeName, hostIPs: n.config.Addresses, pool: podnet.NewPool(ranges)}
	}
	k.group.Go(func() { r.keep(ctx) })
	pods := &source{
		seen: func(pod *corev1.Pod) { k.seen(ctx, pod) },
		gone: k.gone,
	}
	pods.follow(ctx, n.client, n.config.NodeName)
	k.group.Wait()
	return nil
}

func (k *Kubelet) seen(ctx context.Context, pod *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w, ok := k.workers[pod.UID]; ok {
		w.update(pod)
		return
	}
	w := newWorker(k.node, pod)
	k.workers[pod.UID] = w
	k.group.Go(func() {
		w.run(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.workers, pod.UID)
	})
}

func (k *Kubelet) gone(pod *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w, ok := k.workers[pod.UID]; ok {
		w.vanish()
	}
}
