package gobgp

import (
	"context"
	"net/netip"
	"sync"

	"github.com/herald-network/herald/internal/core/bgp"
)

// book is what is on the wire of the node's sessions now: one page for each peer, and sums over all of them. Every
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

// page is what is on the wire of a peer's session. While one session takes over from another it has two columns, and a
// prefix in both of them counts once. It is guarded by the book's lock.
type page struct {
	book     *book
	prefixes map[netip.Prefix]uint8 // in how many columns a prefix is
}

func (b *book) newPage() *page { return &page{book: b, prefixes: map[netip.Prefix]uint8{}} }

// len returns how many prefixes are on the page.
func (p *page) len() int {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	return len(p.prefixes)
}

func (p *page) enter(prefix netip.Prefix) {
	p.prefixes[prefix]++
	if p.prefixes[prefix] > 1 {
		return
	}
	p.book.sessions[prefix]++
	if p.book.sessions[prefix] == 1 {
		p.book.routes[bgp.FamilyOf(prefix.Addr())]++
	}
}

func (p *page) strike(prefix netip.Prefix) {
	p.prefixes[prefix]--
	if p.prefixes[prefix] > 0 {
		return
	}
	delete(p.prefixes, prefix)
	p.book.sessions[prefix]--
	if p.book.sessions[prefix] == 0 {
		delete(p.book.sessions, prefix)
		p.book.routes[bgp.FamilyOf(prefix.Addr())]--
	}
}

// column is what is on the wire of one connection. It is guarded by the book's lock.
type column struct {
	page     *page
	prefixes map[netip.Prefix]struct{}
	empty    chan struct{} // closed while there are no prefixes
}

func (p *page) newColumn() *column {
	c := &column{page: p, prefixes: map[netip.Prefix]struct{}{}, empty: make(chan struct{})}
	close(c.empty)
	return c
}

// record enters what an UPDATE that was sent said.
func (c *column) record(sent changes) {
	c.page.book.mu.Lock()
	defer c.page.book.mu.Unlock()
	for _, prefix := range sent.withdrawn {
		c.strike(prefix)
	}
	for _, prefix := range sent.announced {
		c.enter(prefix)
	}
}

// clear strikes everything: the session is gone, and its routes with it.
func (c *column) clear() {
	c.page.book.mu.Lock()
	defer c.page.book.mu.Unlock()
	for prefix := range c.prefixes {
		c.strike(prefix)
	}
}

func (c *column) len() int {
	c.page.book.mu.Lock()
	defer c.page.book.mu.Unlock()
	return len(c.prefixes)
}

// count returns how many prefixes of a family are on the wire.
func (c *column) count(family bgp.Family) int {
	c.page.book.mu.Lock()
	defer c.page.book.mu.Unlock()
	n := 0
	for prefix := range c.prefixes {
		if bgp.FamilyOf(prefix.Addr()) == family {
			n++
		}
	}
	return n
}

// waitEmpty waits until nothing is on the wire, the connection has ended, or the context is done.
func (c *column) waitEmpty(ctx context.Context, ended <-chan struct{}) {
	c.page.book.mu.Lock()
	empty := c.empty
	c.page.book.mu.Unlock()
	select {
	case <-empty:
	case <-ended:
	case <-ctx.Done():
	}
}

func (c *column) enter(prefix netip.Prefix) {
	if _, known := c.prefixes[prefix]; known {
		return
	}
	if len(c.prefixes) == 0 {
		c.empty = make(chan struct{})
	}
	c.prefixes[prefix] = struct{}{}
	c.page.enter(prefix)
}

func (c *column) strike(prefix netip.Prefix) {
	if _, known := c.prefixes[prefix]; !known {
		return
	}
	delete(c.prefixes, prefix)
	c.page.strike(prefix)
	if len(c.prefixes) == 0 {
		close(c.empty)
	}
}
