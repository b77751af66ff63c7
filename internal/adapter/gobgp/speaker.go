package gobgp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/go-logr/logr"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

// Options are what a speaker is made with.
type Options struct {
	// Log receives the engine's records as V(2), and its faults as errors.
	Log logr.Logger
	// ForwardingPreserved says that the node still forwards what an earlier process of this boot has advertised, so that
	// every OPEN may say so. Otherwise the first OPEN to a peer does not, and the router drops what it kept (RFC 4724,
	// section 4.1).
	ForwardingPreserved bool
	// WatchBFD begins the BFD sessions of peers that ask for BFD; nil leaves it out.
	WatchBFD WatchBFD
}

// Speaker is the BGP speaker of a node on top of GoBGP.
type Speaker struct {
	options Options
	table   *table
	book    *book
	engines *engines
	ports   *ports
	changed chan struct{}

	running sync.Mutex // held while steps run
	closed  bool

	mu       sync.RWMutex
	peerings map[string]*peering // by the peer's name
}

var _ speaker.Speaker = (*Speaker)(nil)

// New returns a speaker without peers and paths. It listens on a port of the network only while there is a passive peer.
func New(options Options) *Speaker {
	return &Speaker{
		options:  options,
		table:    newTable(),
		book:     newBook(),
		engines:  &engines{log: options.Log},
		ports:    &ports{log: options.Log},
		changed:  make(chan struct{}, 1),
		peerings: map[string]*peering{},
	}
}

// Run carries out the steps in order; steps of the same kind run on all sessions at once. The context bounds only how
// long a peer that is removed may take to be told: what is decided about routes is carried out in any case.
func (s *Speaker) Run(ctx context.Context, steps []plan.Step) error {
	s.running.Lock()
	defer s.running.Unlock()
	if s.closed {
		return errors.New("the speaker is closed")
	}
	steps, errs := sound(steps)
	for len(steps) > 0 {
		n := batch(steps)
		errs = append(errs, s.runBatch(ctx, steps[:n]))
		steps = steps[n:]
	}
	return errors.Join(errs...)
}

// sound returns the steps that can be carried out, and what is wrong with the others.
func sound(steps []plan.Step) ([]plan.Step, []error) {
	var errs []error
	steps = slices.DeleteFunc(slices.Clone(steps), func(step plan.Step) bool {
		err := step.Check()
		errs = append(errs, err)
		return err != nil
	})
	return steps, errs
}

// batch returns how many steps at the front can run together: those that are about routes, or those of one verb.
func batch(steps []plan.Step) int {
	n := slices.IndexFunc(steps, func(step plan.Step) bool {
		return step.Verb != steps[0].Verb && (!isRoute(step) || !isRoute(steps[0]))
	})
	if n < 0 {
		return len(steps)
	}
	return n
}

func isRoute(step plan.Step) bool { return step.Verb == plan.Advertise || step.Verb == plan.Withdraw }

func (s *Speaker) runBatch(ctx context.Context, steps []plan.Step) error {
	if isRoute(steps[0]) {
		return s.route(ctx, steps)
	}
	return together(steps, func(step plan.Step) error {
		switch step.Verb {
		case plan.RemovePeer:
			return s.removePeer(ctx, step.Peer.Name)
		case plan.UpdatePeer:
			return s.updatePeer(ctx, step.Peer)
		default:
			return s.addPeer(ctx, step.Peer)
		}
	})
}

// route brings changes of routes into the table, then to each session.
func (s *Speaker) route(ctx context.Context, steps []plan.Step) error {
	for _, step := range steps {
		if step.Verb == plan.Advertise {
			s.table.set(step.Path)
		} else {
			s.table.delete(step.Prefix())
		}
	}
	var sessions []*session
	for _, peering := range s.all() {
		sessions = append(sessions, peering.sessions()...)
	}
	return together(sessions, func(session *session) error {
		var errs []error
		for _, step := range steps {
			if step.Verb == plan.Advertise {
				errs = append(errs, session.rib.advertise(ctx, step.Path))
			} else {
				errs = append(errs, session.rib.withdraw(ctx, step.Prefix()))
			}
		}
		return errors.Join(errs...)
	})
}

func (s *Speaker) addPeer(ctx context.Context, peer bgp.Peer) error {
	if s.peering(peer.Name) != nil {
		return s.updatePeer(ctx, peer)
	}
	added, err := s.newPeering(ctx, peer)
	if err != nil {
		return fmt.Errorf("add peer %s: %w", peer.Name, err)
	}
	s.mu.Lock()
	s.peerings[peer.Name] = added
	s.mu.Unlock()
	added.session.start(ctx)
	return nil
}

func (s *Speaker) updatePeer(ctx context.Context, peer bgp.Peer) error {
	updated := s.peering(peer.Name)
	if updated == nil {
		return fmt.Errorf("update peer %s: there is no such peer", peer.Name)
	}
	if err := updated.update(ctx, peer); err != nil {
		return fmt.Errorf("update peer %s: %w", peer.Name, err)
	}
	return nil
}

func (s *Speaker) removePeer(ctx context.Context, name string) error {
	removed := s.peering(name)
	if removed == nil {
		return nil
	}
	err := removed.stop(ctx, withdrawal, errRemoved)
	s.mu.Lock()
	delete(s.peerings, name)
	s.mu.Unlock()
	s.nudge()
	if err != nil {
		return fmt.Errorf("remove peer %s: %w", name, err)
	}
	return nil
}

// Observe returns what the sessions are doing now.
func (s *Speaker) Observe() bgp.Speaker {
	out := bgp.Speaker{RoutesIPv4: s.book.count(bgp.IPv4), RoutesIPv6: s.book.count(bgp.IPv6)}
	for _, peering := range s.all() {
		out.Sessions = append(out.Sessions, peering.observe())
	}
	return out
}

// Advertised returns on how many sessions the prefix is on the wire now.
func (s *Speaker) Advertised(prefix netip.Prefix) int { return s.book.advertised(prefix) }

// Changed receives a nudge after what Observe returns has changed.
func (s *Speaker) Changed() <-chan struct{} { return s.changed }

// Close ends all sessions. With KeepRoutes no NOTIFICATION is sent: the connections just close, as they do when the
// process ends without Close. With WithdrawRoutes the context bounds how long the peers may take to be told.
func (s *Speaker) Close(ctx context.Context, mode speaker.CloseMode) error {
	s.running.Lock()
	defer s.running.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	last := silence
	if mode == speaker.WithdrawRoutes {
		last = withdrawal
	}
	return together(s.all(), func(p *peering) error { return p.stop(ctx, last, errShutdown) })
}

// RefusedConnections returns how many connections came to the ports of passive peers from whoever is no peer.
func (s *Speaker) RefusedConnections() uint64 { return s.ports.refused.Load() }

func (s *Speaker) peering(name string) *peering {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.peerings[name]
}

// all returns the peerings by the peer's name.
func (s *Speaker) all() []*peering {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := slices.Sorted(maps.Keys(s.peerings))
	out := make([]*peering, 0, len(names))
	for _, name := range names {
		out = append(out, s.peerings[name])
	}
	return out
}

func (s *Speaker) nudge() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// together calls do for each item at once and joins what failed, in the order of the items.
func together[T any](items []T, do func(T) error) error {
	errs := make([]error, len(items))
	var wait sync.WaitGroup
	for i, item := range items {
		wait.Go(func() { errs[i] = do(item) })
	}
	wait.Wait()
	return errors.Join(errs...)
}
