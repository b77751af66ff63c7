package probe_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/herald-network/herald/test/harness/probe"
)

// await reads records until one fits.
func await(t *testing.T, records *json.Decoder, fits func(probe.Request) bool) probe.Request {
	t.Helper()
	for {
		var record probe.Request
		if err := records.Decode(&record); err != nil {
			t.Fatal(err)
		}
		if fits(record) {
			return record
		}
	}
}

func TestRequestsSayWhatBecameOfEach(t *testing.T) {
	patient := make(chan struct{})
	connections := make(chan net.Conn, 1000)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			<-patient
		}
		_, _ = io.WriteString(w, "pod echo on node-1\n")
	}))
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections <- conn
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(patient) })

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		load := probe.Load{URLs: []string{server.URL + "/", server.URL + "/late"}, Rate: 50, Timeout: 100 * time.Millisecond}
		ended <- probe.SendRequests(ctx, load, writer)
	}()
	records := json.NewDecoder(reader)
	answered := await(t, records, func(r probe.Request) bool { return r.Error == "" })
	if answered.Body != "pod echo on node-1" || !strings.HasSuffix(answered.URL, "/") {
		t.Errorf("answered: %s", answered)
	}
	failed := await(t, records, func(r probe.Request) bool { return r.Error != "" })
	if !strings.HasSuffix(failed.URL, "/late") || failed.Took < 100*time.Millisecond {
		t.Errorf("failed: %s", failed)
	}
	if len(connections) < 2 {
		t.Errorf("%d connections: each request has one of its own", len(connections))
	}
	cancel()
	go func() { _, _ = io.Copy(io.Discard, reader) }() // Those under way are still reported.
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRequestsEndWithTheirReader(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	reader, writer := io.Pipe()
	_ = reader.Close()
	load := probe.Load{URLs: []string{server.URL}, Rate: 100, Timeout: time.Second}
	if err := probe.SendRequests(t.Context(), load, writer); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("ended with %v", err)
	}
}

func TestDialRelaysBothWays(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := bufio.NewReader(conn).ReadString('\n')
		_, _ = io.WriteString(conn, "got "+line)
	}()
	t.Cleanup(func() { _ = listener.Close() })
	var answer strings.Builder
	in, out := io.Pipe()
	go func() { _, _ = io.WriteString(out, "hello\n") }()
	if err := probe.Dial(t.Context(), listener.Addr().String(), in, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.String() != "got hello\n" {
		t.Errorf("answer %q", answer.String())
	}
}
