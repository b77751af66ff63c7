package agent_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// gate is the network between an agent and its API server. A test shuts it, or lets it swallow what passes, and opens it
// again.
type gate struct {
	address, server string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]struct{}
	silent   bool
	wake     *sync.Cond
}

// newGate returns an open gate to a server.
func newGate(t *testing.T, server string) *gate {
	t.Helper()
	g := &gate{server: server, address: "127.0.0.1:0", open: map[net.Conn]struct{}{}}
	g.wake = sync.NewCond(&g.mu)
	g.Open(t)
	t.Cleanup(g.Shut)
	return g
}

// Open lets connections through.
func (g *gate) Open(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	g.listener, g.address, g.silent = listener, listener.Addr().String(), false
	g.wake.Broadcast()
	go g.accept(listener)
}

// Shut ends all connections and refuses new ones, as a server that was stopped.
func (g *gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.listener.Close()
	for c := range g.open {
		_ = c.Close()
	}
	g.silent = false
	g.wake.Broadcast()
}

// Silence lets every connection stand and take what is sent, but nothing comes through, as with a server that hangs.
func (g *gate) Silence() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silent = true
}

// Speak undoes Silence.
func (g *gate) Speak() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silent = false
	g.wake.Broadcast()
}

func (g *gate) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go g.relay(client)
	}
}

func (g *gate) relay(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", g.server)
	if err != nil {
		return
	}
	defer server.Close()
	g.track(client, true)
	defer g.track(client, false)
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, &listened{g, client}) // Either side's end is the end of both.
	}()
	_, _ = io.Copy(client, &listened{g, server})
}

func (g *gate) track(client net.Conn, isOpen bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if isOpen {
		g.open[client] = struct{}{}
		return
	}
	delete(g.open, client)
}

// listened reads from a connection, but gives nothing while the gate is silent.
type listened struct {
	gate *gate
	net.Conn
}

func (l *listened) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	for l.gate.silent {
		l.gate.wake.Wait()
	}
	return n, err
}
