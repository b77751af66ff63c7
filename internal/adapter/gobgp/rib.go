package gobgp

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"sync"

	"github.com/herald-network/herald/internal/core/bgp"
)

// table is what the node advertises, kept once for all sessions.
type table struct {
	mu    sync.RWMutex
	paths map[netip.Prefix]bgp.Path
}

func newTable() *table { return &table{paths: map[netip.Prefix]bgp.Path{}} }

func (t *table) set(path bgp.Path) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paths[path.Prefix] = path
}

func (t *table) delete(prefix netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.paths, prefix)
}

// all yields the paths. The table must not be changed meanwhile by whom it yields to.
func (t *table) all() iter.Seq[bgp.Path] {
	return func(yield func(bgp.Path) bool) {
		t.mu.RLock()
		defer t.mu.RUnlock()
		for _, path := range t.paths {
			if !yield(path) {
				return
			}
		}
	}
}

// rib keeps an engine's RIB at what one peer shall get of the table. Its methods may be called from any goroutine.
type rib struct {
	engine *engine
	table  *table

	mu      sync.Mutex
	view    view
	running bool // the engine is
	leaving bool // everything is withdrawn, and stays so until the RIB is begun anew
	shut    bool // the engine is not this RIB's any more
}

// view is how a peer sees the table. The zero view sees nothing of it.
type view struct {
	peer bgp.Peer
	// local is the session's own address, the zero Addr until it is known.
	local netip.Addr
	// extended says that the peer takes IPv4 routes with an IPv6 next hop (RFC 8950).
	extended bool
}

// export returns what the peer gets for a path, and whether it gets anything.
func (v view) export(path bgp.Path) (bgp.Advertisement, bool) {
	out, ok := bgp.Export(v.peer, path)
	if ok && out.NextHop.IsUnspecified() {
		out.NextHop = v.local
	}
	if bgp.FamilyOf(path.Prefix.Addr()) == bgp.IPv4 && bgp.FamilyOf(out.NextHop) == bgp.IPv6 && !v.extended {
		return bgp.Advertisement{}, false
	}
	return out, ok && out.NextHop.IsValid()
}

// begin makes the RIB that of a peer, whatever became of it before. No session may be there. After an error the engine is
// stopped where it could not be started, and begun again by the next connection.
func (r *rib) begin(ctx context.Context, peer bgp.Peer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving = false
	return r.configureLocked(ctx, peer)
}

// start starts the engine for a peer and fills its RIB. After an error the engine is stopped. The lock is held.
func (r *rib) start(ctx context.Context, peer bgp.Peer) error {
	if err := r.engine.start(ctx, peer); err != nil {
		return err
	}
	r.running = true
	if err := r.look(ctx, view{peer: peer, local: peer.SourceAddress}); err != nil {
		return errors.Join(err, r.stop(ctx))
	}
	return nil
}

// stop stops the engine, with nothing left in its RIB. The lock is held.
func (r *rib) stop(ctx context.Context) error {
	r.view, r.running = view{}, false
	return r.engine.stop(ctx)
}

// retire closes the RIB for good: whatever comes for it from now on is for nobody.
func (r *rib) retire(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut = true
	return r.stop(ctx)
}

// len returns how many paths of some families the peer shall have.
func (r *rib) len(families bgp.Families) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for path := range r.table.all() {
		if !families.Has(bgp.FamilyOf(path.Prefix.Addr())) {
			continue
		}
		if _, ok := r.view.export(path); ok {
			n++
		}
	}
	return n
}

// configure makes the RIB that of a peer with another configuration. No session may be there where the AS number or the
// router ID change, since they are the engine's own.
func (r *rib) configure(ctx context.Context, peer bgp.Peer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.configureLocked(ctx, peer)
}

func (r *rib) configureLocked(ctx context.Context, peer bgp.Peer) error {
	now := r.view
	switch {
	case r.shut, r.leaving:
		return nil
	case !r.running:
		return r.start(ctx, peer)
	case now.peer.LocalASN != peer.LocalASN, now.peer.RouterID != peer.RouterID:
		return errors.Join(r.stop(ctx), r.start(ctx, peer))
	}
	local := now.local
	if now.peer.SourceAddress != peer.SourceAddress {
		local = peer.SourceAddress
	}
	return r.look(ctx, view{peer: peer, local: local, extended: now.extended})
}

// connected makes the RIB that of a peer's session with the given local address. An engine that could not be started before is
// started now.
func (r *rib) connected(ctx context.Context, peer bgp.Peer, local netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.running && !r.leaving && !r.shut {
		if err := r.start(ctx, peer); err != nil {
			return err
		}
	}
	to := r.view
	to.local = local
	return r.look(ctx, to)
}

// negotiated makes the RIB that of a session whose peer takes extended next hops or does not. What the last session's peer
// took holds until then.
func (r *rib) negotiated(ctx context.Context, extended bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.view
	to.extended = extended
	return r.look(ctx, to)
}

// look goes over to another view: it touches the paths that look different in it, and no others. The lock is held, from when
// the present view was read for the other one.
func (r *rib) look(ctx context.Context, to view) error {
	from := r.view
	if from == to || r.shut || r.leaving {
		return nil
	}
	r.view = to
	var errs []error
	for path := range r.table.all() {
		before, had := from.export(path)
		after, has := to.export(path)
		switch {
		case has && (!had || before != after):
			errs = append(errs, r.engine.advertise(ctx, after))
		case had && !has:
			errs = append(errs, r.engine.withdraw(ctx, path.Prefix))
		}
	}
	return errors.Join(errs...)
}

// advertise brings a path of the table to the peer, if it is one that the peer gets, and otherwise takes from the peer what
// it had for the prefix. The engine sends nothing for a path that it has already.
func (r *rib) advertise(ctx context.Context, path bgp.Path) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return nil
	}
	if out, ok := r.view.export(path); ok {
		return r.engine.advertise(ctx, out)
	}
	return r.engine.withdraw(ctx, path.Prefix)
}

// withdraw takes a prefix from the peer.
func (r *rib) withdraw(ctx context.Context, prefix netip.Prefix) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return nil
	}
	return r.engine.withdraw(ctx, prefix)
}

// withdrawAll takes everything from the peer, which is about to go. Whatever comes later is for the next begin.
func (r *rib) withdrawAll(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return nil
	}
	r.view, r.leaving = view{}, true
	return r.engine.withdrawAll(ctx)
}
