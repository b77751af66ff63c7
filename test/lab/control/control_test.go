package control_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/test/lab/control"
)

// serve takes commands in a directory until the test ends, and returns the socket once it does.
func serve(t *testing.T, dir string, handle control.Handler) (socket string) {
	t.Helper()
	socket = filepath.Join(dir, "control.sock")
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- control.Serve(ctx, socket, handle, func() error { close(ready); return nil })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	return socket
}

func TestCommandsAndAnswersPassThrough(t *testing.T) {
	g := NewWithT(t)
	want := control.Answer{Paths: []string{"/a"}, PID: 7, Parts: []control.PartStatus{{Name: "etcd", Running: true, Paused: true}}}
	socket := serve(t, t.TempDir(), func(_ context.Context, verb control.Verb, name string) (control.Answer, error) {
		if verb == control.Logs && name == "kube-proxy/node-1 & more" {
			return want, nil
		}
		return control.Answer{}, errors.New("got " + string(verb) + " " + name)
	})
	g.Expect(control.Call(t.Context(), socket, control.Logs, "kube-proxy/node-1 & more")).To(Equal(want))
	_, err := control.Call(t.Context(), socket, control.Kill, "tor")
	g.Expect(err).To(MatchError("got kill tor"))
}

func TestPathMayBeLongerThanASocketsAddress(t *testing.T) {
	g := NewWithT(t)
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 60))
	g.Expect(os.MkdirAll(dir, 0o755)).To(Succeed())
	socket := serve(t, dir, func(context.Context, control.Verb, string) (control.Answer, error) {
		return control.Answer{PID: 1}, nil
	})
	g.Expect(control.Call(t.Context(), socket, control.Pod, "p")).To(Equal(control.Answer{PID: 1}))
}

func TestCallerThatGoesAwayEndsItsCommand(t *testing.T) {
	g := NewWithT(t)
	begun, over := make(chan struct{}), make(chan struct{})
	socket := serve(t, t.TempDir(), func(ctx context.Context, _ control.Verb, _ string) (control.Answer, error) {
		close(begun)
		<-ctx.Done()
		close(over)
		return control.Answer{}, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := control.Call(ctx, socket, control.Start, "etcd")
	g.Expect(err).To(MatchError(ContainSubstring("ask the lab to start etcd")))
	g.Eventually(over).Should(BeClosed())
}

func TestNobodyThereIsAnError(t *testing.T) {
	g := NewWithT(t)
	_, err := control.Call(t.Context(), filepath.Join(t.TempDir(), "control.sock"), control.Status, "")
	g.Expect(err).To(MatchError(ContainSubstring("ask the lab to status")))
}
