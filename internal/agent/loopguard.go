package agent

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/loopguard"
	"github.com/herald-network/herald/internal/core/wording"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/metrics"
)

const (
	// guardInterval is the time between two looks at whether the rules are still what they should be, and between two
	// tries to put them in place.
	guardInterval = 10 * time.Second
	// uplinkRest is how long changes of routes and interfaces are gathered, which come many at a time.
	uplinkRest = 200 * time.Millisecond
)

// Firewall is where the rules against loops stand.
type Firewall interface {
	// Apply makes the rules those of the guard, between the uplinks, and removes them for the zero Guard. It reports whether
	// it had to change anything.
	Apply(guard loopguard.Guard, uplinks []string) (changed bool, err error)
}

// Uplinks are the interfaces that lead out of the node.
type Uplinks interface {
	// Find returns those through which the addresses are reached, and those of the default routes.
	Find(addresses []netip.Addr) ([]string, error)
	// Follow watches for changes until the context ends, or it can't; Changed receives a nudge after one.
	Follow(ctx context.Context) error
	Changed() <-chan struct{}
}

// LoopGuard keeps the rules against loops what the agent's loop wants them to be, whatever becomes of routes, interfaces
// and the rules themselves. BGP never waits for it, and goes on where it fails.
type LoopGuard struct {
	firewall Firewall
	uplinks  Uplinks
	metrics  *metrics.LoopPrevention
	log      logr.Logger

	// wanted receives a nudge when want has changed; changed is told when what Condition returns may have.
	wanted  chan struct{}
	changed func()

	// applying is held while the rules are changed.
	applying sync.Mutex
	// applied is what the rules were last made from.
	applied struct {
		guard   loopguard.Guard
		uplinks []string
	}

	mu sync.Mutex
	// want is nil until it is known: then the rules of the agent before are left as they are.
	want *loopguard.Guard
	// isTried says that something wanted was tried; standing is what last succeeded, err why the last try did not.
	isTried  bool
	standing loopguard.Guard
	err      error
	// removed says that the rules are gone for good.
	removed bool
}

// NewLoopGuard returns a guard that does nothing until it runs and something is wanted of it.
func NewLoopGuard(firewall Firewall, uplinks Uplinks, m *metrics.LoopPrevention, log logr.Logger) *LoopGuard {
	return &LoopGuard{
		firewall: firewall, uplinks: uplinks, metrics: m, log: log,
		wanted: make(chan struct{}, 1), changed: func() {},
	}
}

// Run keeps the rules until the context ends, and leaves them as they are then: routers go on sending.
func (g *LoopGuard) Run(ctx context.Context) {
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() { g.follow(ctx) })
	ticker := time.NewTicker(guardInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wanted:
		case <-ticker.C:
		case <-g.uplinks.Changed():
			if !pause(ctx, uplinkRest) {
				return
			}
		}
		g.apply(ctx)
	}
}

// follow watches routes and interfaces. While that fails, they are looked at every guardInterval all the same.
func (g *LoopGuard) follow(ctx context.Context) {
	for failing := false; ; failing = true {
		if err := g.uplinks.Follow(ctx); err != nil && !failing {
			g.log.Error(err, "Watching the node's uplinks, trying again")
		}
		if !pause(ctx, guardInterval) {
			return
		}
	}
}

// set says what is wanted from now on.
func (g *LoopGuard) set(guard loopguard.Guard) {
	g.mu.Lock()
	isNew := g.want == nil || !g.want.Equal(guard)
	if isNew {
		g.want = &guard
	}
	g.mu.Unlock()
	if isNew {
		select {
		case g.wanted <- struct{}{}:
		default:
		}
	}
}

// remove removes the rules for good.
func (g *LoopGuard) remove() error {
	none := &loopguard.Guard{}
	g.mu.Lock()
	g.removed, g.want = true, none
	g.mu.Unlock()
	g.applying.Lock()
	defer g.applying.Unlock()
	_, err := g.firewall.Apply(*none, nil)
	g.note(none, err)
	return err
}

// apply brings the rules to what is wanted.
func (g *LoopGuard) apply(ctx context.Context) {
	g.applying.Lock()
	defer g.applying.Unlock()
	g.mu.Lock()
	want := g.want
	if g.removed || ctx.Err() != nil {
		want = nil
	}
	g.mu.Unlock()
	if want == nil {
		return
	}
	g.note(want, g.write(*want))
}

func (g *LoopGuard) write(want loopguard.Guard) error {
	var uplinks []string
	if !want.IsNone() {
		found, err := g.uplinks.Find(want.Peers)
		if err != nil {
			return err
		}
		uplinks = found
	}
	changed, err := g.firewall.Apply(want, uplinks)
	if err != nil {
		return err
	}
	log := g.log.WithValues("mode", want.Mode.String(), "blocks", want.Blocks, "uplinks", uplinks)
	switch asBefore := g.applied.guard.Equal(want) && slices.Equal(g.applied.uplinks, uplinks); {
	case changed && asBefore:
		g.metrics.Repairs.Inc()
		log.Info("Repaired the rules against loops, which somebody had changed")
	case changed:
		log.Info("Changed the rules against loops")
	}
	g.applied.guard, g.applied.uplinks = want, uplinks
	return nil
}

// note takes down what came of an attempt, and logs what is new about it.
func (g *LoopGuard) note(want *loopguard.Guard, err error) {
	g.mu.Lock()
	isNews := !g.isTried || text(err) != text(g.err) || err == nil && g.standing.IsNone() != want.IsNone()
	isNewError := err != nil && text(err) != text(g.err)
	g.isTried, g.err = true, err
	g.metrics.InPlace.Set(0)
	if err == nil {
		g.standing = *want
	}
	if err == nil && !want.IsNone() {
		g.metrics.InPlace.Set(1)
	}
	g.mu.Unlock()
	if err != nil {
		g.metrics.Errors.Inc()
	}
	if isNewError {
		g.log.Error(err, "Putting the rules against loops in place, trying again", logkey.Reason, "packets for addresses that no Service has may loop")
	}
	if isNews {
		g.changed()
	}
}

// hasTried reports whether it is known what becomes of what is wanted: a status that says that it is not would be followed
// by another at once.
func (g *LoopGuard) hasTried() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.isTried
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// condition returns the condition LoopsPrevented under a mode.
func (g *LoopGuard) condition(mode loopguard.Mode) metav1.Condition {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := metav1.Condition{Type: string(v1alpha1.ConditionLoopsPrevented)}
	say := func(status metav1.ConditionStatus, reason v1alpha1.ConditionReason, message string) metav1.Condition {
		c.Status, c.Reason, c.Message = status, string(reason), wording.Cut(message, maxLastError)
		return c
	}
	switch {
	case g.err != nil:
		return say(metav1.ConditionFalse, v1alpha1.ReasonPreventionFailed, g.err.Error())
	case mode == loopguard.Disabled:
		return say(metav1.ConditionFalse, v1alpha1.ReasonPreventionDisabled, "serviceLoopPrevention is Disabled")
	case !g.isTried:
		return say(metav1.ConditionUnknown, v1alpha1.ReasonPending, "the rules are being put in place")
	case g.standing.IsNone():
		return say(metav1.ConditionTrue, v1alpha1.ReasonNoAggregates, "the node advertises no aggregate")
	default:
		return say(metav1.ConditionTrue, v1alpha1.ReasonRulesInPlace, "the nftables table inet herald holds the rules")
	}
}
