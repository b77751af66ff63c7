package kube

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/logkey"
)

// Follow reports all that the agent of a node needs to know, and every change of it, until the context ends. An API server
// that is away is tried again and again; nothing is reported meanwhile, and what changed meanwhile afterwards.
func Follow(ctx context.Context, clients *Clients, node string, push func(...input.Event)) {
	log := logr.FromContextOrDiscard(ctx)
	// Reflectors repeat what fails at every attempt; followers log when it begins and when it ends.
	ctx = klog.NewContext(ctx, logr.Discard())
	var running sync.WaitGroup
	for _, reflector := range reflectors(clients, node, push, log) {
		running.Go(func() { reflector.RunWithContext(ctx) })
	}
	running.Wait()
}

func reflectors(clients *Clients, node string, push func(...input.Event), log logr.Logger) []*cache.Reflector {
	return []*cache.Reflector{
		newReflector(serviceKind(), &follower{client: clients.core, resource: "services"}, push, log),
		newReflector(clients.server.noting(sliceKind(node)), &follower{client: clients.discovery, resource: "endpointslices", narrow: notHeadless}, push, log),
		newReflector(nodeKind(), &follower{client: clients.core, resource: "nodes", narrow: named(node)}, push, log),
		newReflector(peerKind(), &follower{client: clients.herald, resource: "bgppeers"}, push, log),
		newReflector(configurationKind(), &follower{client: clients.herald, resource: "bgpconfigurations"}, push, log),
	}
}

// retry is how long a reflector waits between attempts while the API server is away. Client-go's own goes up to a minute,
// and so would the time from the server's return to the first change that is heard of.
func retry() *wait.Backoff {
	return &wait.Backoff{Duration: 200 * time.Millisecond, Factor: 1.5, Steps: 8, Cap: 800 * time.Millisecond, Jitter: 0.5}
}

func newReflector[T runtime.Object](k kind[T], f *follower, push func(...input.Event), log logr.Logger) *cache.Reflector {
	f.log = log.WithValues(logkey.Input, k.name)
	source := &cache.ListWatch{ListWithContextFunc: f.list, WatchFuncWithContext: f.watch}
	options := cache.ReflectorOptions{Name: string(k.name), Backoff: retry()}
	return cache.NewReflectorWithOptions(source, k.example, newStore(k, push), options)
}

// named narrows to the object of a name.
func named(name string) func(*metav1.ListOptions) {
	return func(o *metav1.ListOptions) { o.FieldSelector = "metadata.name=" + name }
}

// notHeadless narrows to EndpointSlices whose Service may have an address.
func notHeadless(o *metav1.ListOptions) { o.LabelSelector = "!service.kubernetes.io/headless" }

// follower lists and watches a resource, and logs when that begins to fail and when it works again.
type follower struct {
	client   rest.Interface
	resource string
	// namespace is "" for all.
	namespace string
	// narrow says which objects; nil for all.
	narrow func(*metav1.ListOptions)
	log    logr.Logger
	// failed is used by one request at a time but for those that a reflector leaves behind when it ends.
	failed atomic.Bool
}

func (f *follower) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	list, err := f.request(options).Do(ctx).Get()
	f.note(ctx, err)
	return list, err
}

func (f *follower) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	w, err := f.request(options).Watch(ctx)
	f.note(ctx, err)
	return w, err
}

func (f *follower) request(options metav1.ListOptions) *rest.Request {
	if f.narrow != nil {
		f.narrow(&options)
	}
	return f.client.Get().NamespaceIfScoped(f.namespace, f.namespace != "").Resource(f.resource).VersionedParams(&options, metav1.ParameterCodec)
}

func (f *follower) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && !f.failed.Swap(true):
		f.log.Error(err, "Losing sight of an input, what it said last holds")
	case err == nil && f.failed.Swap(false):
		f.log.Info("Following an input again")
	}
}
