package agent_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/agent"
	"github.com/herald-network/herald/internal/speaker"
)

func TestProbes(t *testing.T) {
	t.Parallel()
	hanging := &stuck{}
	inBubble(t, func(w *world) {
		hanging.release = make(chan struct{})
		handler := agent.NewHandler(w.agent)
		get := func(path string) (int, string) {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
			return answer.Code, answer.Body.String()
		}
		code, text := get("/readyz")
		w.Expect(code).To(Equal(http.StatusServiceUnavailable))
		w.Expect(text).To(Equal("not read yet: [Service EndpointSlice Node BGPPeer BGPConfiguration]\n"))
		code, _ = get("/healthz")
		w.Expect(code).To(Equal(http.StatusOK))

		w.hearAll(tor(), node())
		start := time.Now()
		code, _ = get("/healthz")
		w.Expect(code).To(Equal(http.StatusServiceUnavailable), "the speaker hangs")
		w.Expect(time.Since(start)).To(BeNumerically("<", 5*time.Second), "the kubelet's own timeout")

		close(hanging.release)
		for _, path := range []string{"/healthz", "/readyz"} {
			code, text = get(path)
			w.Expect(code).To(Equal(http.StatusOK))
			w.Expect(text).To(Equal("ok\n"))
		}
		code, _ = get("/metrics")
		w.Expect(code).To(Equal(http.StatusNotFound), "what not everybody may read")
	}, func(s speaker.Speaker) speaker.Speaker { hanging.Speaker = s; return hanging })
}
