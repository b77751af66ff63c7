package kubelet

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestNewListTellsWhatCameAndWhatWent(t *testing.T) {
	pod := func(uid types.UID) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: uid}}
	}
	var told []string
	s := &source{
		known: make(map[types.UID]*corev1.Pod),
		seen:  func(p *corev1.Pod) { told = append(told, "+"+string(p.UID)) },
		gone:  func(p *corev1.Pod) { told = append(told, "-"+string(p.UID)) },
	}
	for _, step := range []struct {
		list []any
		want string
	}{
		{[]any{pod("a")}, "+a"},
		{[]any{pod("b")}, "-a +b"}, // Replaced by one of the same name while nobody watched.
		{[]any{pod("b"), pod("c")}, "+b +c"},
		{[]any{pod("c")}, "-b +c"},
		{nil, "-c"},
	} {
		told = nil
		if err := s.Replace(step.list, ""); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(told, " "); got != step.want {
			t.Errorf("told %q, want %q", got, step.want)
		}
	}
}
