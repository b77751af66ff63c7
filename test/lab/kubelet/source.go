package kubelet

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// source follows the pods that are bound to a node. seen is called with each pod that is new or changed, gone with one
// that is no longer there.
type source struct {
	seen, gone func(*corev1.Pod)
	known      map[types.UID]*corev1.Pod
}

var _ cache.ReflectorStore = (*source)(nil)

// follow runs until the context is over. After an outage of the API server it asks again every second: a reflector's own
// back-off grows to a minute.
func (s *source) follow(ctx context.Context, client kubernetes.Interface, node string) {
	s.known = make(map[types.UID]*corev1.Pod)
	pods, ofNode := client.CoreV1().Pods(corev1.NamespaceAll), fields.OneTermEqualSelector("spec.nodeName", node).String()
	lister := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = ofNode
			return pods.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = ofNode
			return pods.Watch(ctx, o)
		},
	}, client)
	options := cache.ReflectorOptions{Name: "pods of " + node, Backoff: &wait.Backoff{Duration: retryPeriod, Jitter: 0.1}}
	cache.NewReflectorWithOptions(lister, &corev1.Pod{}, s, options).RunWithContext(ctx)
}

// Add takes a pod that is new.
func (s *source) Add(obj any) error { return s.Update(obj) }

// Update takes a pod that may be new or changed. One that has another UID than the last of its name comes after a Delete
// of that.
func (s *source) Update(obj any) error {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return fmt.Errorf("got a %T instead of a Pod", obj)
	}
	s.known[pod.UID] = pod
	s.seen(pod)
	return nil
}

// Delete takes a pod that is gone.
func (s *source) Delete(obj any) error {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return fmt.Errorf("got a %T instead of a Pod", obj)
	}
	delete(s.known, pod.UID)
	s.gone(pod)
	return nil
}

// Replace takes all pods that there are now.
func (s *source) Replace(list []any, _ string) error {
	present := make(map[types.UID]bool, len(list))
	for _, obj := range list {
		if pod, ok := obj.(*corev1.Pod); ok {
			present[pod.UID] = true
		}
	}
	for _, pod := range s.missing(present) {
		if err := s.Delete(pod); err != nil {
			return err
		}
	}
	for _, obj := range list {
		if err := s.Update(obj); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) missing(present map[types.UID]bool) []*corev1.Pod {
	var list []*corev1.Pod
	for uid, pod := range s.known {
		if !present[uid] {
			list = append(list, pod)
		}
	}
	return list
}

// Resync does nothing: workers keep their own time.
func (s *source) Resync() error { return nil }
