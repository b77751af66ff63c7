package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ledger is who had which address, as a watch tells it: in the order in which it was written, and nothing left out.
type ledger struct {
	mu sync.Mutex
	// holders are the Services by their addresses, addresses those of each Service.
	holders   map[string]string
	addresses map[string][]string
	// wrong is what should never have happened.
	wrong []string
}

// keepLedger keeps the ledger of all Services of a stream until the case ends.
func (r *rack) keepLedger(ctx context.Context, stream string) *ledger {
	GinkgoHelper()
	l := &ledger{holders: map[string]string{}, addresses: map[string][]string{}}
	services := streamWatcher{r.api, stream}
	present := &corev1.ServiceList{}
	Expect(r.api.List(ctx, present, services.options(metav1.ListOptions{}))).To(Succeed())
	Expect(present.Items).To(BeEmpty())
	// An API server ends the watch of one that does not keep up; this one then goes on where it was.
	events, err := watchtools.NewRetryWatcherWithContext(ctx, present.ResourceVersion, services)
	Expect(err).NotTo(HaveOccurred())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range events.ResultChan() {
			l.take(event)
		}
	}()
	DeferCleanup(func() {
		events.Stop()
		<-done
	})
	return l
}

// streamWatcher watches the Services of a stream.
type streamWatcher struct {
	api    client.WithWatch
	stream string
}

func (w streamWatcher) options(raw metav1.ListOptions) *client.ListOptions {
	return &client.ListOptions{
		Namespace: "default", LabelSelector: labels.SelectorFromSet(labels.Set{"stream": w.stream}), Raw: &raw,
	}
}

// WatchWithContext begins at a version.
func (w streamWatcher) WatchWithContext(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
	return w.api.Watch(ctx, &corev1.ServiceList{}, w.options(raw))
}

func (l *ledger) take(event watch.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := event.Object.(*corev1.Service)
	if !ok {
		l.wrong = append(l.wrong, fmt.Sprintf("the watch missed something: %v", event.Object))
		return
	}
	had, has := l.addresses[s.Name], addressesOf(s)
	if event.Type == watch.Deleted {
		has = nil
	}
	if slices.Equal(had, has) {
		return
	}
	if len(had) > 0 && event.Type != watch.Deleted {
		l.wrong = append(l.wrong, fmt.Sprintf("%s moved from %s to %s", s.Name, had, has))
	}
	for _, address := range had {
		if l.holders[address] == s.Name {
			delete(l.holders, address)
		}
	}
	for _, address := range has {
		if other, taken := l.holders[address]; taken {
			l.wrong = append(l.wrong, fmt.Sprintf("%s was given to %s while %s had it", address, s.Name, other))
		}
		l.holders[address] = s.Name
	}
	l.addresses[s.Name] = has
}

// served returns how many Services have an address.
func (l *ledger) served() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	served := 0
	for _, addresses := range l.addresses {
		if len(addresses) > 0 {
			served++
		}
	}
	return served
}

// expectSound asserts that no address was given twice, and none was taken away.
func (l *ledger) expectSound() {
	GinkgoHelper()
	l.mu.Lock()
	defer l.mu.Unlock()
	Expect(l.wrong).To(BeEmpty())
}
