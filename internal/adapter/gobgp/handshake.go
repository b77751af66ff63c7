package gobgp

import (
	"sync"
	"time"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
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

// admit returns a *fault where the router may not send a message of a kind now.
func (h *handshake) admit(kind uint8) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case kind == packet.BGP_MSG_NOTIFICATION:
	case !h.opened && kind != packet.BGP_MSG_OPEN:
		return unexpected(unexpectedInOpenSent, kind, "its OPEN was due")
	case h.opened && !h.confirmed[routerSide] && kind != packet.BGP_MSG_KEEPALIVE:
		return unexpected(unexpectedInOpenConfirm, kind, "the KEEPALIVE after its OPEN was due")
	case h.confirmed[routerSide] && kind == packet.BGP_MSG_OPEN:
		return unexpected(unexpectedInEstablished, kind, "the session had begun")
	}
	return nil
}

// A peer may propose a hold time of 0; then no KEEPALIVEs are sent (RFC 4271, section 4.2). GoBGP v3 writes nothing more
// on such a session: each write gets a deadline of the hold time from now (pkg/server/fsm.go, sendMessageloop). So the
// engine is told its own hold time, and the link speaks and listens in the peer's place: once the session has begun, until
// then the peer has no longer than others.

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
