package kube

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/advertise"
)

func TestAListReplacesWhatWasKnown(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	queue := input.NewQueue()
	s := newStore(serviceKind(), queue.Push)
	named := func(name string) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	}
	key := func(name string) advertise.ServiceKey { return advertise.ServiceKey{Namespace: "default", Name: name} }
	there := func(name string) input.Event { return input.Service{Key: key(name), Spec: &advertise.Service{}} }
	gone := func(name string) input.Event { return input.Service{Key: key(name)} }
	synced := input.Synced{Kind: input.KindService}

	g.Expect(s.Replace([]any{named("a"), named("b")}, "1")).To(Succeed())
	g.Expect(queue.Take()).To(Equal([]input.Event{there("a"), there("b"), synced}))

	g.Expect(s.Add(named("c"))).To(Succeed())
	g.Expect(s.Update(named("a"))).To(Succeed())
	g.Expect(s.Delete(named("b"))).To(Succeed())
	g.Expect(queue.Take()).To(Equal([]input.Event{there("c"), there("a"), gone("b")}))

	transformed, err := s.Transformer()(named("d"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Replace([]any{named("a"), transformed}, "2")).To(Succeed())
	g.Expect(queue.Take()).To(Equal([]input.Event{there("a"), there("d"), gone("c"), synced}),
		"b is not told again, c was deleted while nobody watched")
}

func TestAnObjectOfAnotherTypeIsRefused(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	queue := input.NewQueue()
	s := newStore(serviceKind(), queue.Push)
	g.Expect(s.Add(&corev1.Node{})).To(MatchError(ContainSubstring("want *v1.Service, got *v1.Node")))
	g.Expect(s.Replace([]any{&corev1.Node{}}, "1")).NotTo(Succeed())
	g.Expect(queue.Take()).To(BeEmpty(), "a list that can't be read says nothing")
}
