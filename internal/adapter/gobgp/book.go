package gobgp

import (
	"context"
	"net/netip"
	"sync"

	"github.com/herald-network/herald/internal/core/bgp"
)

// book is what is on the wire of the node's sessions now: one page for each session, and sums over all of them. Every
// question is answered in constant time.
type book struct {
	mu       sync.Mutex
	sessions map[netip.Prefix]int // on how many sessions a prefix is
	routes   map[bgp.Family]int   // distinct prefixes by family
}

func newBook() *book {
	return &book{sessions: map[netip.Prefix]int{}, routes: map[bgp.Family]int{}}
}

// advertised returns on how many sessions the prefix is.
func (b *book) advertised(prefix netip.Prefix) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sessions[prefix]
}

// count returns how many distinct prefixes of a family are on at least one session.
func (b *book) count(family bgp.Family) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.routes[family]
}

// page is what is on the wire of one session. Its prefixes are guarded by the book's lock.
type page struct {
	book     *book
	prefixes map[netip.Prefix]struct{}
	empty    chan struct{} // closed while there are no prefixes
}

func (b *book) newPage() *page {
	p := &page{book: b, prefixes: map[netip.Prefix]struct{}{}, empty: make(chan struct{})}
	close(p.empty)
	return p
}

// record enters what an UPDATE that was sent said.
func (p *page) record(sent changes) {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	for _, prefix := range sent.withdrawn {
		p.strike(prefix)
	}
	for _, prefix := range sent.announced {
		p.enter(prefix)
	}
}

// clear strikes everything: the session is gone, and its routes with it.
func (p *page) clear() {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	for prefix := range p.prefixes {
		p.strike(prefix)
	}
}

func (p *page) len() int {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	return len(p.prefixes)
}

// waitEmpty waits until nothing is on the wire, or the context is done.
func (p *page) waitEmpty(ctx context.Context) {
	p.book.mu.Lock()
	empty := p.empty
	p.book.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	}
}

func (p *page) enter(prefix netip.Prefix) {
	if _, known := p.prefixes[prefix]; known {
		return
	}
	if len(p.prefixes) == 0 {
		p.empty = make(chan struct{})
	}
	p.prefixes[prefix] = struct{}{}
	p.book.sessions[prefix]++
	if p.book.sessions[prefix] == 1 {
		p.book.routes[bgp.FamilyOf(prefix.Addr())]++
	}
}

func (p *page) strike(prefix netip.Prefix) {
	if _, known := p.prefixes[prefix]; !known {
		return
	}
	delete(p.prefixes, prefix)
	p.book.sessions[prefix]--
	if p.book.sessions[prefix] == 0 {
		delete(p.book.sessions, prefix)
		p.book.routes[bgp.FamilyOf(prefix.Addr())]--
	}
	if len(p.prefixes) == 0 {
		close(p.empty)
	}
}
