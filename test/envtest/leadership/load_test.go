package leadership_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// perSecond Services come and go, and alive of them live at one time, made by workers. So the addresses of the pool are all
	// given again within seconds.
	perSecond, workers, alive = 50, 5, 60
)

// load is a stream of Services of type LoadBalancer that are created and, a while later, deleted.
type load struct {
	stop func()
	mu   sync.Mutex
	// left are the names of those that live.
	left []string
	made int
}

func startLoad(t *testing.T, c client.Client) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{}
	pace := flowcontrol.NewTokenBucketRateLimiter(perSecond, workers)
	var running sync.WaitGroup
	for worker := range workers {
		running.Go(func() {
			var live []string
			for i := 0; pace.Wait(ctx) == nil; i++ {
				name := fmt.Sprintf("s-%d-%d", worker, i)
				if err := c.Create(t.Context(), balanced(name)); err != nil {
					t.Errorf("create Service %s: %v", name, err)
					break
				}
				if live = append(live, name); len(live) <= alive/workers {
					continue
				}
				if err := c.Delete(t.Context(), balanced(live[0])); err != nil {
					t.Errorf("delete Service %s: %v", live[0], err)
					break
				}
				live = live[1:]
				l.note(1)
			}
			l.note(len(live), live...)
		})
	}
	l.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(l.stop)
	return l
}

func (l *load) note(made int, left ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made += made
	l.left = append(l.left, left...)
}

func balanced(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, AllocateLoadBalancerNodePorts: new(false), Ports: []corev1.ServicePort{{Port: 80}},
		},
	}
}
