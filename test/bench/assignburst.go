package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// burstAssigned measures the creation of many Services at once that Herald assigns addresses to, and what it costs.
func burstAssigned(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteAssigned(context.WithoutCancel(ctx))) }()
	b, err := r.assignAtOnce(ctx, o.services)
	if err != nil {
		return nil, err
	}
	return append(b.rows("8 s"),
		row{b.work() + ": API writes per Service, those for endpoints left out", fmt.Sprintf("%.1f", b.writes/float64(o.services)), "3"},
		row{b.work() + ": CPU of the manager that leads", cpuSeconds(b.manager), ""},
		row{b.work() + ": CPU of one agent", cpuSeconds(b.agent), "2 s"},
		memoryRow("manager", b.manager.before, 0, ""),
		memoryRow("manager", b.manager.after, o.services, ""),
		memoryRow("agent", b.agent.after, o.services, "60 MiB"),
	), nil
}

// manyAssigned measures the same for more Services than that, and leaves them there.
func manyAssigned(ctx context.Context, r *rack, o *options) ([]row, error) {
	if err := r.deleteAssigned(ctx); err != nil {
		return nil, err
	}
	b, err := r.assignAtOnce(ctx, o.assigned)
	if err != nil {
		return nil, err
	}
	return append(b.rows(""),
		row{b.work() + ": CPU of the manager that leads", cpuSeconds(b.manager), ""},
		row{b.work() + ": CPU of one agent", cpuSeconds(b.agent), ""},
		memoryRow("manager", b.manager.before, 0, ""),
		memoryRow("manager", b.manager.after, o.assigned, ""),
		memoryRow("agent", b.agent.after, o.assigned, ""),
	), nil
}

// assignment is what became of Services that were created at once.
type assignment struct {
	services int
	// created is how long it took until the last call of the API had returned, assigned until the last Service had its address,
	// and routed until all routers had a route to each.
	created, assigned, routed time.Duration
	// each is how long the Services waited for their addresses, from their own creation.
	each samples
	// writes is how many the API server took that Services cost.
	writes float64
	// manager and agent are what the manager that leads, and the agent of the first node, told before and after.
	manager, agent change
}

// change is what a process told of itself before and after something was done.
type change struct{ before, after metrics }

func cpuSeconds(c change) string {
	const cpu = "process_cpu_seconds_total"
	return fmt.Sprintf("%.2f s", c.after.sum(cpu, nil)-c.before.sum(cpu, nil))
}

// assignAtOnce creates Services as fast as the API server takes them, and returns when all have been given addresses, all are
// routed, and Herald is at rest.
func (r *rack) assignAtOnce(ctx context.Context, count int) (*assignment, error) {
	leader, err := r.leader(ctx)
	if err != nil {
		return nil, err
	}
	a := &assignment{services: count}
	if a.manager.before, a.agent.before, err = r.settleBoth(ctx, leader); err != nil {
		return nil, err
	}
	writesBefore, err := r.apiWrites(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.measureBurst(ctx, a); err != nil {
		return nil, err
	}
	if a.manager.after, a.agent.after, err = r.settleBoth(ctx, leader); err != nil {
		return nil, err
	}
	writesAfter, err := r.apiWrites(ctx)
	if err != nil {
		return nil, err
	}
	a.writes = writesAfter - writesBefore
	now, err := r.leader(ctx)
	if err == nil && now != leader {
		err = fmt.Errorf("%s led at first and %s in the end", leader.pod, now.pod)
	}
	return a, err
}

// measureBurst creates the Services, and returns when all have been given addresses and are routed.
func (r *rack) measureBurst(ctx context.Context, a *assignment) error {
	watch, err := r.watchAddresses(ctx, assignedGroup)
	if err != nil {
		return err
	}
	marks, start := r.mark(), time.Now()
	begun, err := r.burstOf(ctx, 0, a.services)
	if err != nil {
		return errors.Join(err, watch.end())
	}
	a.created = time.Since(start)
	found, err := watch.all(ctx, a.services)
	if err != nil {
		return err
	}
	a.assigned = last(found).Sub(start)
	for name, g := range found {
		a.each = append(a.each, g.at.Sub(begun[name]))
	}
	a.routed, err = r.awaitSince(ctx, start, marks, to(found, r.nextHops()))
	return err
}

// settleBoth returns what a manager and the agent of the first node tell once both are at rest.
func (r *rack) settleBoth(ctx context.Context, m manager) (ofManager, ofAgent metrics, err error) {
	if ofManager, err = r.settleManager(ctx, m); err != nil {
		return nil, nil, err
	}
	ofAgent, err = r.settle(ctx, r.nodes[0])
	return ofManager, ofAgent, err
}

func (a *assignment) work() string {
	return fmt.Sprintf("%d LoadBalancer Services at once", a.services)
}

func (a *assignment) rows(target string) []row {
	return []row{
		{a.work() + ": all created / all assigned / all routed", seconds(a.created) + " / " + seconds(a.assigned) + " / " + seconds(a.routed), target},
		{a.work() + ": each from its own creation to its address: p50 / p99", a.each.percentiles(), ""},
	}
}
