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
	changed  *sync.Cond
	listener net.Listener
	open     map[net.Conn]struct{}
	// silences counts how often there was silence; isShut and isSilent say what there is now.
	silences         int
	isShut, isSilent bool
}

// newGate returns an open gate to a server.
func newGate(t *testing.T, server string) *gate {
	t.Helper()
	g := &gate{server: server, address: "127.0.0.1:0", open: map[net.Conn]struct{}{}}
	g.changed = sync.NewCond(&g.mu)
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
	g.listener, g.address, g.isShut = listener, listener.Addr().String(), false
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
	g.isShut = true
	g.changed.Broadcast()
}

// Silence lets every connection stand, but nothing comes through any more, as with a server that lost its power.
func (g *gate) Silence() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silences++
	g.isSilent = true
}

// Speak ends Silence for new connections; of those from before it the server knows nothing.
func (g *gate) Speak() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.isSilent = false
	g.changed.Broadcast()
}

// listen waits for as long as a connection that was made after so many silences has nothing to say.
func (g *gate) listen(since int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.isShut && (g.isSilent || since < g.silences) {
		g.changed.Wait()
	}
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
	since := g.enter(client)
	defer g.leave(client)
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, &through{client, g, since}) // Either side's end is the end of both.
	}()
	_, _ = io.Copy(client, &through{server, g, since})
}

func (g *gate) enter(client net.Conn) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[client] = struct{}{}
	return g.silences
}

func (g *gate) leave(client net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, client)
}

// through reads what comes through a gate.
type through struct {
	net.Conn

	gate  *gate
	since int
}

func (r *through) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	if err == nil {
		r.gate.listen(r.since)
	}
	return n, err
}
