// Package tour walks through what Herald does, step by step, on a running lab: it types the commands that a user would,
// shows what they really print, and checks after each that it is what it should be.
package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// Command is one command line, as a person would type it on one of the lab's hosts.
type Command struct {
	// Host is Control, External, or the name of a router.
	Host string
	Argv []string
	// Input is given as a here document where it is not empty.
	Input string
}

// Hosts of the lab that every tour uses.
const (
	Control  = "control"
	External = "external"
)

// Result is what a command did: all that it printed, standard error included, and its exit status.
type Result struct {
	Output string
	Status int
}

// Runner runs commands on the hosts of a lab.
type Runner interface {
	// Run returns an error only where the command could not be run at all.
	Run(ctx context.Context, command Command) (Result, error)
}

// Router is a top-of-rack router of the lab, with the address that the nodes peer with.
type Router struct {
	Host    string
	Address netip.Addr
}

// action is a command of the tour and what is expected of it.
type action struct {
	command Command
	// lines is how much of the output is shown; 0 is all.
	lines int
	check check
	// patience is how long a command that only looks may be repeated until its check passes; 0 runs it once.
	patience time.Duration
}

// A check returns in words what it verified, in a line for each thing, or as an error what differs. It may note facts that later steps need.
type check func(result Result) (string, error)

// step is a chapter of the tour.
type step struct {
	title   string
	text    string
	actions []action
}

// How long a change may take to show, and how often is looked. Both are far above what a change needs: a tour that is
// slow is still a tour.
const (
	patience = 20 * time.Second
	interval = 100 * time.Millisecond
)

// Run walks through the tour on a lab whose routers have the given addresses, and returns an error at the first command
// whose result differs from what it should be.
func Run(ctx context.Context, runner Runner, routers []Router, out io.Writer) error {
	start := time.Now()
	guide := &guide{runner: runner, page: newPage(out), facts: facts{routers: routers}}
	var titles []string
	for i, build := range steps() {
		step := build(&guide.facts)
		guide.page.title(i+1, step.title, step.text)
		if err := guide.walk(ctx, step); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, strings.ToLower(step.title[:1])+step.title[1:], err)
		}
		titles = append(titles, step.title)
	}
	guide.page.summary(titles, guide.commands, time.Since(start))
	return nil
}

// guide is one walk through the tour.
type guide struct {
	runner Runner
	page   *page
	facts  facts
	// commands counts those that did what they should.
	commands int
}

func (g *guide) walk(ctx context.Context, step step) error {
	for _, a := range step.actions {
		g.page.prompt(a.command)
		result, verdict, err := g.attempt(ctx, a)
		g.page.output(result.Output, a.lines)
		if err != nil {
			g.page.differs(err)
			return fmt.Errorf("%s: %w", quote(a.command.Argv), err)
		}
		g.commands++
		g.page.passed(verdict)
	}
	return nil
}

// attempt runs a command, and again until its check passes or its patience ends.
func (g *guide) attempt(ctx context.Context, a action) (Result, string, error) {
	deadline := time.Now().Add(a.patience)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		result, err := g.runner.Run(ctx, a.command)
		if err != nil {
			return result, "", err
		}
		verdict, err := a.check(result)
		if err == nil || time.Now().After(deadline) {
			return result, verdict, err
		}
		select {
		case <-ctx.Done():
			return result, "", errors.Join(err, ctx.Err())
		case <-tick.C:
		}
	}
}
