package gobgp

import (
	"sync"
	"time"
)

// side is one of the two that a link connects.
type side uint8

const (
	engineSide side = iota
	routerSide
)

// handshake is how far the two sides have got: the router has sent its OPEN, and each has confirmed the other's with a
// KEEPALIVE.
type handshake struct {
	mu        sync.Mutex
	opened    bool
	timeless  bool // the negotiated hold time is 0
	confirmed [2]bool
}

func (h *handshake) open(timeless bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened, h.timeless = true, timeless
}

func (h *handshake) isOpened() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.opened
}

func (h *handshake) isTimeless() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.timeless
}

// confirm notes a KEEPALIVE and returns whether it is the first of its side, and whether it completes the handshake.
func (h *handshake) confirm(by side) (first, completes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first = !h.confirmed[by]
	h.confirmed[by] = true
	return first, first && h.opened && h.confirmed[engineSide] && h.confirmed[routerSide]
}

// A peer may propose a hold time of 0; then no KEEPALIVEs are sent (RFC 4271, section 4.2). GoBGP v3 writes nothing more
// on such a session: each write gets a deadline of the hold time from now (pkg/server/fsm.go, sendMessageloop). So the
// engine is told its own hold time, and the link speaks and listens in the peer's place.

// holdForEver returns the peer's OPEN with the engine's own hold time, and keeps the engine's hold timer from expiring.
func (l *link) holdForEver(m message) message {
	go l.reassure()
	return withHoldTime(m, l.peer.HoldTime)
}

// reassure sends the engine the KEEPALIVEs that the peer does not, until the link ends.
func (l *link) reassure() {
	ticker := time.NewTicker(l.peer.HoldTime / 3)
	defer ticker.Stop()
	for {
		select {
		case <-l.ended:
			return
		case <-ticker.C:
			if l.engine.send(keepalive(), false) != nil {
				return
			}
		}
	}
}
