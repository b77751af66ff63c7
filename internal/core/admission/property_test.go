package admission_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/admission"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
)

// request is any request for any object.
type request struct {
	verdict func(cluster.State) admission.Verdict
	// unchanged is what the same object comes to when nothing about it changes, or nothing but what is sound anywhere.
	unchanged, touched func(cluster.State) admission.Verdict
	// found is what is wrong with the object once the request is let in; hadErrors says that something was before.
	found     func(cluster.State) []crosscheck.Finding
	hadErrors func(cluster.State) bool
}

func randomRequest(t *rapid.T) request {
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		name := rapid.SampledFrom([]string{"tor", "new"}).Draw(t, "name")
		return requestFor(t, clustertest.RandomPeer(t, name), clustertest.RandomPeer(t, name), methods[v1alpha1.BGPPeer]{
			admission.Peer, (*crosscheck.Check).Peer,
			func(p *v1alpha1.BGPPeer) *metav1.ObjectMeta { return &p.ObjectMeta },
			func(p *v1alpha1.BGPPeer) { p.Spec.ConnectRetryTimeSeconds = 77 },
		})
	case 1:
		name := rapid.SampledFrom([]string{"default", "rack-a", "new"}).Draw(t, "name")
		return requestFor(t, clustertest.RandomConfiguration(t, name), clustertest.RandomConfiguration(t, name), methods[v1alpha1.BGPConfiguration]{
			admission.Configuration, (*crosscheck.Check).Configuration,
			func(c *v1alpha1.BGPConfiguration) *metav1.ObjectMeta { return &c.ObjectMeta },
			func(c *v1alpha1.BGPConfiguration) { c.Spec.ListenPort = 1179 },
		})
	default:
		return requestFor(t, clustertest.RandomPool(t, "one"), clustertest.RandomPool(t, "one"), methods[v1alpha1.ExternalIPPool]{
			admission.Pool, (*crosscheck.Check).Pool,
			func(p *v1alpha1.ExternalIPPool) *metav1.ObjectMeta { return &p.ObjectMeta },
			func(p *v1alpha1.ExternalIPPool) { p.Spec.Priority = 7 },
		})
	}
}

type methods[T any] struct {
	judge func(old, wanted *T, before cluster.State) admission.Verdict
	check func(*crosscheck.Check, *T) []crosscheck.Finding
	meta  func(*T) *metav1.ObjectMeta
	touch func(*T)
}

func requestFor[T any](t *rapid.T, old, wanted *T, m methods[T]) request {
	m.meta(wanted).CreationTimestamp = m.meta(old).CreationTimestamp
	touched := *old
	m.touch(&touched)
	r := request{
		verdict:   func(s cluster.State) admission.Verdict { return m.judge(old, wanted, s) },
		unchanged: func(s cluster.State) admission.Verdict { return m.judge(old, old, s) },
		touched:   func(s cluster.State) admission.Verdict { return m.judge(old, &touched, s) },
		found:     func(s cluster.State) []crosscheck.Finding { return m.check(crosscheck.In(s), wanted) },
		hadErrors: func(s cluster.State) bool { return hasErrors(m.check(crosscheck.In(s), old)) },
	}
	if rapid.Bool().Draw(t, "created") {
		r.verdict = func(s cluster.State) admission.Verdict { return m.judge(nil, wanted, s) }
		r.hadErrors = func(cluster.State) bool { return false }
	}
	return r
}

func hasErrors(found []crosscheck.Finding) bool {
	return slices.ContainsFunc(found, func(f crosscheck.Finding) bool { return !f.Warning })
}

func TestAnObjectThatStaysOrIsOnlyTouchedIsLetIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state, r := clustertest.RandomState(t), randomRequest(t)
		if got := r.unchanged(state); len(got.Errors) > 0 || len(got.Warnings) > 0 {
			t.Fatalf("unchanged: %+v", got)
		}
		if got := r.touched(state); len(got.Errors) > 0 {
			t.Fatalf("touched: %v", got.Errors)
		}
	})
}

func TestWhatIsLetInWithoutAFormerErrorHasNone(t *testing.T) {
	letIn, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		state, r := clustertest.RandomState(t), randomRequest(t)
		if r.hadErrors(state) {
			return
		}
		if len(r.verdict(state).Errors) > 0 {
			refused++
			return
		}
		letIn++
		if found := r.found(state); hasErrors(found) {
			t.Fatalf("found of what was let in: %+v", found)
		}
	})
	if letIn == 0 || refused == 0 {
		t.Errorf("%d requests were let in, %d refused: want some of each", letIn, refused)
	}
}

func TestTheOrderOfAStateMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state, r := clustertest.RandomState(t), randomRequest(t)
		if diff := cmp.Diff(r.verdict(state), r.verdict(clustertest.Shuffled(t, state))); diff != "" {
			t.Fatalf("verdicts (-in one order +in another):\n%s", diff)
		}
	})
}
