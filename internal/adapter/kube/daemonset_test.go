package kube_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/herald-network/herald/internal/adapter/kube"
)

func TestHasLeft(t *testing.T) {
	t.Parallel()
	selecting := appsv1.DaemonSet{}
	selecting.Spec.Template.Spec.NodeSelector = map[string]string{"rack": "b"}
	for name, row := range map[string]struct {
		status int
		object appsv1.DaemonSet
		want   bool
		err    string
	}{
		"it stands":                {status: http.StatusOK, want: false},
		"it is being deleted":      {status: http.StatusOK, object: deleting(), want: true},
		"it selects other nodes":   {status: http.StatusOK, object: selecting, want: true},
		"it is gone":               {status: http.StatusNotFound, want: true},
		"credentials were revoked": {status: http.StatusUnauthorized, want: true},
		"rights were revoked":      {status: http.StatusForbidden, want: true},
		"the API server is ill":    {status: http.StatusServiceUnavailable, err: "get DaemonSet herald-system/herald-agent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			left, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/readyz" {
					return
				}
				g.Expect(r.URL.Path).To(Equal("/apis/apps/v1/namespaces/herald-system/daemonsets/herald-agent"))
				answer(g, w, row.status, row.object)
			})
			g.Expect(left).To(Equal(row.want))
			if row.err == "" {
				g.Expect(err).NotTo(HaveOccurred())
			} else {
				g.Expect(err).To(MatchError(ContainSubstring(row.err)))
			}
		})
	}
}

// An agent that ends before it has heard of its Node is replaced, as far as can be told.
func TestANodeWithoutKnownLabelsIsNotLeft(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	object := appsv1.DaemonSet{}
	object.Spec.Template.Spec.NodeSelector = map[string]string{"rack": "b"}
	left, err := askFor(t, nil, func(w http.ResponseWriter, _ *http.Request) { answer(g, w, http.StatusOK, object) })
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(left).To(BeFalse())
}

// An API server that has just started refuses, for a moment, what it allows.
func TestARightThatIsMissingForAMomentIsNotRevoked(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var asked atomic.Int32
	left, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			return
		}
		if asked.Add(1) < 3 {
			answer(g, w, http.StatusForbidden, appsv1.DaemonSet{})
			return
		}
		answer(g, w, http.StatusOK, appsv1.DaemonSet{})
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(left).To(BeFalse())
}

// One that refuses everything knows nobody's rights yet.
func TestAnAPIServerThatIsNotReadyRevokesNothing(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	left, err := ask(t, func(w http.ResponseWriter, _ *http.Request) { answer(g, w, http.StatusForbidden, appsv1.DaemonSet{}) })
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(left).To(BeFalse())
}

// One that goes away after it has refused knows nothing.
func TestARightThatNobodyRefusesAnyMoreIsNotRevoked(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			return
		}
		if asked.Add(1) < 3 {
			answer(g, w, http.StatusForbidden, appsv1.DaemonSet{})
			return
		}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	clients, err := kube.NewClients(&rest.Config{Host: server.URL})
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	left, err := clients.DaemonSet("herald-system", "herald-agent").HasLeft(ctx, nil)
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(left).To(BeFalse())
}

func TestHasLeftIsUnknownWhereNobodyAnswers(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	left, err := ask(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(left).To(BeFalse())
}

// ask asks an API server that answers in this way.
func ask(t *testing.T, server http.HandlerFunc) (bool, error) {
	t.Helper()
	return askFor(t, map[string]string{"rack": "a"}, server)
}

func askFor(t *testing.T, node map[string]string, server http.HandlerFunc) (bool, error) {
	t.Helper()
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	clients, err := kube.NewClients(&rest.Config{Host: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	return clients.DaemonSet("herald-system", "herald-agent").HasLeft(ctx, node)
}

func answer(g *WithT, w http.ResponseWriter, status int, object appsv1.DaemonSet) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status == http.StatusOK {
		object.TypeMeta = metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"}
		g.Expect(json.NewEncoder(w).Encode(object)).To(Succeed())
		return
	}
	reasons := map[int]metav1.StatusReason{
		http.StatusNotFound:           metav1.StatusReasonNotFound,
		http.StatusUnauthorized:       metav1.StatusReasonUnauthorized,
		http.StatusForbidden:          metav1.StatusReasonForbidden,
		http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable,
	}
	g.Expect(json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Reason: reasons[status], Message: string(reasons[status]), Code: int32(status),
	})).To(Succeed())
}

func deleting() appsv1.DaemonSet {
	return appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: new(metav1.Now())}}
}
