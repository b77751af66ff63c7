package podnet

import (
	"fmt"
	"net/netip"
	"sync"
)

// first is the number of the first address that a pod may have: 0 names the range, and 1 is by custom the gateway.
const first = 2

// Pool gives out the addresses of a node's pods. A pod has the same number in the range of each family, and a number that
// was given back is the last to be given again. Its methods may be called from any goroutine.
type Pool struct {
	mu     sync.Mutex
	ranges []netip.Prefix
	next   int
	taken  map[int]bool
}

// NewPool returns a pool of the node's pod ranges, at most one of each family.
func NewPool(ranges []netip.Prefix) *Pool {
	return &Pool{ranges: ranges, next: first, taken: make(map[int]bool)}
}

// Take returns an address of each range, in their order.
func (p *Pool) Take() ([]netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := p.size()
	for range size - first {
		number := p.next
		if p.next++; p.next == size {
			p.next = first
		}
		if p.taken[number] {
			continue
		}
		p.taken[number] = true
		addrs := make([]netip.Addr, len(p.ranges))
		for i, r := range p.ranges {
			addrs[i] = plus(r.Masked().Addr(), number)
		}
		return addrs, nil
	}
	return nil, fmt.Errorf("all of the %d pod addresses in %v are taken", max(size-first, 0), p.ranges)
}

// Give gives back what Take returned.
func (p *Pool) Give(addrs []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for number := range p.taken {
		if len(addrs) > 0 && plus(p.ranges[0].Masked().Addr(), number) == addrs[0] {
			delete(p.taken, number)
			return
		}
	}
}

// size returns one more than the highest number: the broadcast address of the smallest range.
func (p *Pool) size() int {
	if len(p.ranges) == 0 {
		return first
	}
	bits := 16
	for _, r := range p.ranges {
		bits = min(bits, r.Addr().BitLen()-r.Bits())
	}
	return max(1<<bits-1, first)
}

// plus adds a number below 1<<16 to an address whose last 16 bits have room for it.
func plus(a netip.Addr, number int) netip.Addr {
	bytes := a.AsSlice()
	last := len(bytes) - 1
	sum := int(bytes[last-1])<<8 + int(bytes[last]) + number
	bytes[last-1], bytes[last] = byte(sum>>8), byte(sum)
	sumAddr, _ := netip.AddrFromSlice(bytes)
	return sumAddr
}
