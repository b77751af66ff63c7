package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
)

// apiServer answers questions about tokens, and counts them.
type apiServer struct {
	answers map[string]Answer
	isAway  bool
	asked   int
}

func (s *apiServer) review(_ context.Context, token, path string) (Answer, error) {
	s.asked++
	if s.isAway {
		return Answer{}, errors.New("connection refused")
	}
	answer := s.answers[token]
	answer.IsAllowed = answer.IsAllowed && path == "/metrics"
	return answer, nil
}

func newAPIServer() *apiServer {
	return &apiServer{answers: map[string]Answer{
		"good":   {User: "prometheus", IsAllowed: true},
		"rights": {User: "somebody"},
	}}
}

// get asks a guard of "the figures" for a path.
func get(guard http.Handler, path, authorization string) (int, string) {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	answer := httptest.NewRecorder()
	guard.ServeHTTP(answer, request)
	return answer.Code, answer.Body.String()
}

func figures() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "the figures") })
}

func TestWhoGetsIn(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		path, authorization string
		isAway              bool
		code                int
		text                string
	}{
		"a token that may":         {"/metrics", "Bearer good", false, 200, "the figures"},
		"no token":                 {"/metrics", "", false, 401, "a bearer token is needed\n"},
		"an empty token":           {"/metrics", "Bearer ", false, 401, "a bearer token is needed\n"},
		"a password":               {"/metrics", "Basic good", false, 401, "a bearer token is needed\n"},
		"a token of nobody's":      {"/metrics", "Bearer bad", false, 401, "the token is not valid\n"},
		"a token that may not":     {"/metrics", "Bearer rights", false, 403, "somebody may not get /metrics: it takes a ClusterRole for that nonResourceURL, such as herald-metrics-reader\n"},
		"another path":             {"/debug", "Bearer good", false, 403, "prometheus may not get /debug: it takes a ClusterRole for that nonResourceURL, such as herald-metrics-reader\n"},
		"nobody can say":           {"/metrics", "Bearer good", true, 503, "the API server can't be asked whose the token is\n"},
		"nobody needs to be asked": {"/metrics", "", true, 401, "a bearer token is needed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newAPIServer()
			server.isAway = row.isAway
			code, text := get(newGuard(figures(), server.review), row.path, row.authorization)
			g := NewWithT(t)
			g.Expect(code).To(Equal(row.code))
			g.Expect(text).To(Equal(row.text))
		})
	}
}

func TestOnlyReading(t *testing.T) {
	t.Parallel()
	request := httptest.NewRequest(http.MethodPost, "/metrics", nil)
	request.Header.Set("Authorization", "Bearer good")
	answer := httptest.NewRecorder()
	newGuard(figures(), newAPIServer().review).ServeHTTP(answer, request)
	NewWithT(t).Expect(answer.Code).To(Equal(http.StatusMethodNotAllowed))
}

func TestAnswersAreRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, server := NewWithT(t), newAPIServer()
		guard := newGuard(figures(), server.review)
		codeAt := func(path, token string) int { code, _ := get(guard, path, "Bearer "+token); return code }

		for range 3 {
			g.Expect(codeAt("/metrics", "good")).To(Equal(200))
		}
		g.Expect(server.asked).To(Equal(1), "a scraper costs the API server a question a minute")
		g.Expect(codeAt("/debug", "good")).To(Equal(403), "another path is another question")
		g.Expect(codeAt("/metrics", "rights")).To(Equal(403))
		server.answers["rights"] = Answer{User: "somebody", IsAllowed: true}
		g.Expect(codeAt("/metrics", "rights")).To(Equal(200), "a refusal is not remembered")

		delete(server.answers, "good")
		g.Expect(codeAt("/metrics", "good")).To(Equal(200))
		<-time.After(time.Minute)
		g.Expect(codeAt("/metrics", "good")).To(Equal(401), "a token that was taken back")
		server.isAway = true
		g.Expect(codeAt("/metrics", "good")).To(Equal(503), "and is not let in again")
	})
}

func TestWhoWasLetInStaysInWhileTheAPIServerIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, server := NewWithT(t), newAPIServer()
		guard := newGuard(figures(), server.review)
		code := func() int { code, _ := get(guard, "/metrics", "Bearer good"); return code }
		g.Expect(code()).To(Equal(200))
		server.isAway = true
		<-time.After(59 * time.Minute)
		g.Expect(code()).To(Equal(200))
		<-time.After(time.Minute)
		g.Expect(code()).To(Equal(503), "not for longer than an hour")
		server.isAway = false
		g.Expect(code()).To(Equal(200))
	})
}

func TestAFloodOfTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, server := NewWithT(t), newAPIServer()
		guard := newGuard(figures(), server.review)
		code := func(token string) int { code, _ := get(guard, "/metrics", "Bearer "+token); return code }
		g.Expect(code("good")).To(Equal(200))
		<-time.After(2 * time.Minute)
		codes := map[int]int{}
		for i := range 1000 {
			codes[code(fmt.Sprint("bad", i))]++
		}
		g.Expect(codes).To(Equal(map[int]int{401: reviewBurst, 429: 1000 - reviewBurst}))
		g.Expect(server.asked).To(Equal(1 + reviewBurst))
		g.Expect(code("good")).To(Equal(200), "who is known is not kept out")
		<-time.After(time.Second)
		g.Expect(code("good")).To(Equal(200))
		g.Expect(server.asked).To(Equal(2+reviewBurst), "and asked about again")
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, server := NewWithT(t), newAPIServer()
		guard := newGuard(figures(), server.review)
		for i := range 3 * remembered {
			token := fmt.Sprint("good", i)
			server.answers[token] = Answer{User: "prometheus", IsAllowed: true}
			code, _ := get(guard, "/metrics", "Bearer "+token)
			g.Expect(code).To(Equal(200))
			<-time.After(time.Second / reviewsPerSecond)
		}
		g.Expect(guard.allowed).To(HaveLen(remembered))
		asked := server.asked
		_, _ = get(guard, "/metrics", fmt.Sprint("Bearer good", 3*remembered-1))
		g.Expect(server.asked).To(Equal(asked), "the latest is remembered")
	})
}

func TestServer(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	server, err := NewServer("node-1", figures(), newAPIServer().review)
	g.Expect(err).NotTo(HaveOccurred())
	listening := httptest.NewUnstartedServer(server.Handler)
	listening.Config, listening.TLS = server, server.TLSConfig
	listening.StartTLS()
	defer listening.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, listening.URL+"/metrics", nil)
	g.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer good")
	transport := listening.Client().Transport.(*http.Transport)
	transport.TLSClientConfig.InsecureSkipVerify = true
	answer, err := listening.Client().Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer answer.Body.Close()
	g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
	g.Expect(answer.Proto).To(Equal("HTTP/1.1"))
	g.Expect(answer.TLS.PeerCertificates[0].DNSNames).To(Equal([]string{"node-1"}))
}
