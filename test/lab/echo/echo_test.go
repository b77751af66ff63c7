package echo_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/herald-network/herald/test/lab/echo"
)

// serve starts a server and returns its URL, the function that tells it to end, and what Serve returns.
func serve(t *testing.T, linger time.Duration) (url string, stop func(), served <-chan error) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- echo.Serve(ctx, listener, echo.Options{Pod: "web-1", Node: "node-1", Linger: linger}) }()
	return "http://" + listener.Addr().String() + "/", cancel, ended
}

func get(t *testing.T, url, accept string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestAnswersSayWhoSawWhom(t *testing.T) {
	url, stop, served := serve(t, 0)
	if got, want := get(t, url, "*/*"), "pod web-1 on node-1 saw 127.0.0.1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var answer echo.Answer
	if err := json.Unmarshal([]byte(get(t, url, "application/json")), &answer); err != nil {
		t.Fatal(err)
	}
	if want := (echo.Answer{Pod: "web-1", Node: "node-1", Client: netip.MustParseAddr("127.0.0.1")}); answer != want {
		t.Errorf("got %+v, want %+v", answer, want)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestServerToldToEndStillServesAWhile(t *testing.T) {
	url, stop, served := serve(t, time.Hour)
	stop()
	if got := get(t, url, ""); got == "" {
		t.Error("no answer")
	}
	select {
	case err := <-served:
		t.Errorf("ended at once, with %v", err)
	default:
	}
}
