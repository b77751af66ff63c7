package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/drain"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/core/saved"
	"github.com/herald-network/herald/internal/metrics"
	"github.com/herald-network/herald/internal/speaker"
)

// retryAfter is how long the loop waits before it tries again what the speaker did not take over.
const retryAfter = time.Second

// Marker tells the next agent whether routers were made to send traffic to this node since it booted.
type Marker interface {
	Set() error
	Clear() error
}

// Workload is what runs the agent.
type Workload interface {
	// HasLeft reports whether this node's agent, on a node with these labels, nil where they are not known, is gone for good and not
	// merely replaced.
	HasLeft(ctx context.Context, node map[string]string) (bool, error)
}

// Host is the machine that the agent runs on.
type Host interface {
	// IsGoingDown reports whether the host is shutting down by all that it shows. It may watch for as long as the context
	// lets it.
	IsGoingDown(ctx context.Context) bool
}

// Config is what an agent is made of; all fields are needed.
type Config struct {
	// Node is the name of the agent's node, Namespace that of Herald's own and Version the agent's own version.
	Node, Namespace, Version string
	Inputs                   *input.Queue
	Secrets                  Secrets
	Speaker                  speaker.Speaker
	Marker                   Marker
	Workload                 Workload
	Host                     Host
	// ServiceProxy is waited for before the first session.
	ServiceProxy ServiceProxy
	// Loops ends packets that would loop, and Keeper saves what is advertised; both run beside the agent.
	Loops  *LoopGuard
	Keeper *Keeper
	// BGPNode gets the last status of an agent that leaves for good; until then the Reporter writes it.
	BGPNode NodeStatus
	// Warnings takes what people should be told by an event.
	Warnings chan<- Warning
	Metrics  *metrics.Loop
	Log      logr.Logger
}

// Agent is the loop of one node.
type Agent struct {
	Config

	// questions are answered by the loop, between two turns.
	questions chan func()
	// changed receives a nudge when the status may have changed.
	changed chan struct{}

	// All that follows belongs to the loop.

	objects *objects
	table   *advertise.Table
	intent  intent.Intent
	// drain decides about peers that leave, and farewell is what it decided last; excluded is what the table was told.
	drain    drain.Drain
	farewell drain.Outcome
	excluded bool
	// ends says why the agent leaves for good; "" while it does not.
	ends  string
	phase phase
	// again is when a peer that leaves is gone.
	again *time.Timer
	// owed are steps for routes that the speaker failed to carry out, until it does.
	owed []plan.Step
	// hasSpoken says that the speaker has had the first full set of routes, isMarked that the boot marker says so.
	hasSpoken, isMarked bool
	// proxy is closed once sessions may be opened, and nil from then on.
	proxy <-chan struct{}
	// lateSync is when everything should be known, and saved what the speaker runs with until everything is known; nil where that is nothing, and once it is.
	lateSync *time.Timer
	saved    *saved.State
	// secretsBy is until when an agent that has not spoken waits for Secrets; zero before it began to wait.
	secretsBy time.Time
	retry     *time.Timer
	sessions  map[string]bgp.Session
}

// New returns an agent that says nothing until it runs and knows everything.
func New(config Config) *Agent {
	a := &Agent{
		Config:    config,
		questions: make(chan func()),
		changed:   make(chan struct{}, 1),
		objects:   newObjects(config.Node, config.Namespace),
		table:     advertise.NewTable(),
		retry:     stoppedTimer(),
		again:     stoppedTimer(),
		lateSync:  stoppedTimer(),
		sessions:  map[string]bgp.Session{},
	}
	a.Loops.changed = a.nudge
	return a
}

// Run does what the inputs ask for until the context ends, and then leaves the routers as the occasion demands: see leave.
func (a *Agent) Run(ctx context.Context) error {
	a.proxy = a.awaitProxy(ctx)
	a.lateSync.Reset(syncPatience)
	for a.next(ctx, ctx.Done()) {
	}
	return a.leave(context.WithoutCancel(ctx))
}

// next does what is next to do, and returns false where it is nothing any more.
func (a *Agent) next(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	case <-a.Inputs.Ready():
		a.turn(ctx)
	case <-a.retry.C:
		a.turn(ctx)
	case <-a.again.C:
		a.turn(ctx)
	case <-a.proxy:
		a.proxy = nil
		a.turn(ctx)
	case <-a.lateSync.C:
		a.guarded(func() { a.speakFromSaved(ctx) })
		a.nudge()
	case <-a.Speaker.Changed():
		a.guard(a.noteSessions)
		a.nudge()
	case answer := <-a.questions:
		answer()
	}
	return true
}

func stoppedTimer() *time.Timer {
	timer := time.NewTimer(0)
	timer.Stop()
	return timer
}

// StatusChanged receives a nudge when the status may have changed.
func (a *Agent) StatusChanged() <-chan struct{} { return a.changed }

// nudge says that the status may have changed. It says nothing before the guard against loops does: there is no status yet.
func (a *Agent) nudge() {
	if !a.Loops.hasTried() {
		return
	}
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// ask has the loop answer a question, and returns an error where it does not before the context ends.
func ask[T any](ctx context.Context, a *Agent, answer func() T) (T, error) {
	var none T
	answered := make(chan T, 1)
	question := func() { a.guard(func() { answered <- answer() }) }
	select {
	case a.questions <- question:
	case <-ctx.Done():
		return none, fmt.Errorf("the agent's loop does not answer: %w", ctx.Err())
	}
	select {
	case t := <-answered:
		return t, nil
	case <-ctx.Done():
		return none, fmt.Errorf("the agent's loop does not answer: %w", ctx.Err())
	}
}
