package gobgp

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// refreshes paces what a peer asks for with ROUTE-REFRESH (RFC 2918). The engine answers each with all routes of the
// family, and queues them without bound: so it is asked again only once its last answer is on the wire, and however often
// the peer has asked meanwhile, once.
type refreshes struct {
	advertised func(bgp.Family) int // how many routes of a family are on the wire
	isIdle     func() bool          // whether the peer's host has taken all that was sent

	mu    sync.Mutex
	asked map[bgp.Family]*refresh
}

// refresh is the one of a family that is being answered, or was.
type refresh struct {
	owed    int       // how many prefixes the answer still has to name
	begun   time.Time // when the engine was asked
	again   bool      // the peer has asked while the answer was on its way
	waiting bool      // the peer has asked since, and the engine is asked when the pause is over
}

const (
	// refreshPause is how far apart two answers are at least.
	refreshPause = time.Second
	// refreshPatience is after how long an answer counts as given, whatever was seen of it, unless the peer is slow to take it.
	refreshPatience = 30 * time.Second
)

// later says that the engine is asked when the answer that is on its way has gone out.
const later time.Duration = -1

// ask notes that the peer has asked for a family. It returns after how long to ask the engine, 0 for at once, or later.
func (r *refreshes) ask(family bgp.Family, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := r.asked[family]; last != nil {
		age := now.Sub(last.begun)
		switch {
		case last.waiting:
			return later
		case last.owed > 0 && (age < refreshPatience || !r.isIdle()):
			last.again = true
			return later
		case age < refreshPause:
			last.waiting = true
			return refreshPause - age
		}
	}
	r.asked[family] = &refresh{owed: r.advertised(family), begun: now}
	return 0
}

// wake ends the wait that ask has called for.
func (r *refreshes) wake(family bgp.Family) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[family].waiting = false
}

// sent notes what went to the peer, and returns the families whose answer is complete and asked for again.
func (r *refreshes) sent(c changes) []bgp.Family {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []bgp.Family
	for family, last := range r.asked {
		last.owed -= countOf(family, c.announced) + countOf(family, c.withdrawn)
		if last.again && last.owed <= 0 {
			last.again = false
			due = append(due, family)
		}
	}
	return due
}

func countOf(family bgp.Family, prefixes []netip.Prefix) int {
	n := 0
	for _, prefix := range prefixes {
		if bgp.FamilyOf(prefix.Addr()) == family {
			n++
		}
	}
	return n
}

// takeRefresh carries out a ROUTE-REFRESH. One for a family that the session does not carry, or that is not a request
// (RFC 7313, which is not offered), is passed over.
func (l *link) takeRefresh(m message) {
	body := m.body()
	afi, subtype, safi := binary.BigEndian.Uint16(body), body[2], body[3]
	family := familyOf(packet.AfiSafiToRouteFamily(afi, safi))
	if subtype == 0 && l.peer.Families.Has(family) {
		l.refresh(family)
	}
}

// refresh lets the engine send all routes of a family again, now or when it is time.
func (l *link) refresh(family bgp.Family) {
	switch wait := l.refreshes.ask(family, time.Now()); {
	case wait == 0:
		_ = l.engine.send(routeRefresh(family), false) // It fails only where the link is about to end.
	case wait > 0:
		time.AfterFunc(wait, func() {
			l.refreshes.wake(family)
			l.refresh(family)
		})
	}
}

func routeRefresh(family bgp.Family) message {
	afi, safi := packet.RouteFamilyToAfiSafi(routeFamily(family))
	return encode(packet.NewBGPRouteRefreshMessage(afi, 0, safi))
}
