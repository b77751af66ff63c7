package gobgp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// peering is all that a node has with one peer: its session and, while a change of the configuration is handed over, the
// session that still carries the routes. What is done to it comes from the steps of a plan, one after the other.
type peering struct {
	speaker *Speaker
	page    *page
	tally   *tally
	bfd     *watch
	poked   chan struct{} // receives when one of the sessions has changed

	mu       sync.Mutex
	session  *session
	handover *handover // nil unless the session is to take over from another
}

// tally counts what a peer's sessions have done, over all of them.
type tally struct {
	flaps   atomic.Int64
	updates atomic.Uint64
}

// newPeering returns a peering whose session is not started.
func (s *Speaker) newPeering(ctx context.Context, peer bgp.Peer) (*peering, error) {
	p := &peering{speaker: s, page: s.book.newPage(), tally: &tally{}, poked: make(chan struct{}, 1)}
	p.bfd = &watch{peering: p, begin: s.options.WatchBFD}
	first, err := p.newSession(ctx, peer)
	if err != nil {
		return nil, err
	}
	first.preserved = s.options.ForwardingPreserved
	first.gate = s.options.silence(peer)
	p.session = first
	return p, nil
}

// newSession returns a session that is not started, with an engine of its own that has all of the peer's routes.
func (p *peering) newSession(ctx context.Context, peer bgp.Peer) (*session, error) {
	out := &session{
		rib:      &rib{engine: p.speaker.engines.take(), table: p.speaker.table},
		column:   p.page.newColumn(),
		tally:    p.tally,
		nudge:    p.nudge,
		again:    make(chan struct{}, 1),
		caller:   newCaller(p.speaker.ports),
		bfd:      p.bfd,
		observed: bgp.Session{Peer: peer},
	}
	if err := out.rib.begin(ctx, peer); err != nil {
		p.speaker.engines.give(out.rib.engine)
		return nil, err
	}
	return out, nil
}

// recycle takes the engine of a session that has ended.
func (p *peering) recycle(ctx context.Context, s *session) error {
	s.column.clear()
	err := s.rib.retire(ctx)
	p.speaker.engines.give(s.rib.engine)
	return err
}

func (p *peering) nudge() {
	select {
	case p.poked <- struct{}{}:
	default:
	}
	p.speaker.nudge()
}

// present returns the session, and the handover to it where one is under way.
func (p *peering) present() (*session, *handover) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session, p.handover
}

// sessions returns those that may have something on the wire.
func (p *peering) sessions() []*session {
	now, handover := p.present()
	if handover == nil {
		return []*session{now}
	}
	return []*session{handover.former, now}
}

// stillUp is what a session's cause is followed by while another one does its work.
const stillUp = "the session with the former configuration is still up and carries the routes"

// observe returns what the session with the peer's configuration is doing, and what of its routes is on the wire.
func (p *peering) observe() bgp.Session {
	session, handover := p.present()
	out := session.observe()
	p.bfd.observe(&out)
	if handover == nil {
		return out
	}
	out.Advertised = p.page.len()
	if out.State != bgp.Established && !handover.former.isOver() {
		out.LastError += "; " + stillUp
	}
	return out
}

// update goes over to another configuration of the peer, with the least that its change costs.
func (p *peering) update(ctx context.Context, to bgp.Peer) error {
	defer p.bfd.update(to)
	session, handover := p.present()
	switch {
	case plan.ImpactOf(session.peer(), to) < plan.SessionDrop:
		err := session.adjust(ctx, to)
		if handover != nil {
			err = errors.Join(err, handover.former.adjust(ctx, withRoutesOf(handover.former.peer(), to)))
		}
		return err
	case handover != nil:
		return p.updateMeanwhile(ctx, handover, to)
	case !to.Passive && session.yield():
		return p.handOver(ctx, session, to)
	default:
		return session.replace(ctx, to)
	}
}

// updateMeanwhile goes over to a third configuration while the second one takes over from the first: from the first,
// unless the second has got through.
func (p *peering) updateMeanwhile(ctx context.Context, h *handover, to bgp.Peer) error {
	if h.settle() {
		return p.update(ctx, to)
	}
	p.mu.Lock()
	p.session, p.handover = h.former, nil
	p.mu.Unlock()
	err := errors.Join(h.next.stop(ctx, h.dismiss(), errReconfigured), p.recycle(ctx, h.next))
	if h.former.resume() {
		return errors.Join(err, p.update(ctx, to))
	}
	h.former.column.clear() // The router has let it go, for the second or for another reason.
	return errors.Join(err, h.former.replace(ctx, to))
}

// stop ends everything that the node has with the peer, for good.
func (p *peering) stop(ctx context.Context, last farewell, cause error) error {
	if _, handover := p.present(); handover != nil {
		handover.halt()
	}
	err := together(p.sessions(), func(s *session) error {
		return errors.Join(s.stop(ctx, last, cause), p.recycle(ctx, s))
	})
	p.bfd.leave(ctx, last)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handover = nil
	return err
}
