package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// memoryEmpty measures what an agent holds that has nothing but its peer to care for.
func memoryEmpty(ctx context.Context, r *rack, _ *options) ([]row, error) {
	return r.memory(ctx, 0, "40 MiB")
}

// memoryMany measures what an agent holds in a large cluster.
func memoryMany(ctx context.Context, r *rack, o *options) ([]row, error) {
	if err := r.deleteAssigned(ctx); err != nil {
		return nil, err
	}
	return r.memory(ctx, o.many, "")
}

// memory measures what an agent at rest holds when there are as many Services.
func (r *rack) memory(ctx context.Context, services int, target string) ([]row, error) {
	if err := r.scale(ctx, services); err != nil {
		return nil, err
	}
	told, err := r.settle(ctx, r.nodes[0])
	if err != nil {
		return nil, err
	}
	return []row{memoryRow("agent", told, services, target)}, nil
}

func memoryRow(process string, told metrics, services int, target string) row {
	return row{
		fmt.Sprintf("%s's memory at %d Services: resident (Go heap in use)", process, services),
		mebibytes(told.sum("process_resident_memory_bytes", nil)) + " (" + mebibytes(told.sum("go_memstats_heap_inuse_bytes", nil)) + ")",
		target,
	}
}

// burst measures the creation of many Services at once: the time until all are routed, and what it costs.
func burst(ctx context.Context, r *rack, o *options) ([]row, error) {
	if err := r.scale(ctx, 0); err != nil {
		return nil, err
	}
	before, err := r.settle(ctx, r.nodes[0])
	if err != nil {
		return nil, err
	}
	writesBefore, err := r.apiWrites(ctx)
	if err != nil {
		return nil, err
	}
	marks, start := r.mark(), time.Now()
	if err := r.createBulk(ctx, 0, o.services); err != nil {
		return nil, err
	}
	created := time.Since(start)
	routed, err := r.awaitSince(ctx, start, marks, bulkRoutes(o.services, r.nextHops()))
	if err != nil {
		return nil, err
	}
	after, err := r.settle(ctx, r.nodes[0])
	if err != nil {
		return nil, err
	}
	writesAfter, err := r.apiWrites(ctx)
	if err != nil {
		return nil, err
	}
	cpu := after.sum("process_cpu_seconds_total", nil) - before.sum("process_cpu_seconds_total", nil)
	work := fmt.Sprintf("%d Services at once", o.services)
	return []row{
		{work + ", all routed (their creation alone)", seconds(routed) + " (" + seconds(created) + ")", "8 s"},
		{work + ": API writes per Service, those for endpoints left out", fmt.Sprintf("%.1f", (writesAfter-writesBefore)/float64(o.services)), "3"},
		{work + ": CPU of one agent", fmt.Sprintf("%.2f s", cpu), "2 s"},
		memoryRow("agent", after, o.services, "60 MiB"),
	}, nil
}

// apiWrites returns how many writes the API server has taken that Services cost, whoever made them. Those for their
// endpoints are left out: they are Kubernetes' own, and the same for every project.
func (r *rack) apiWrites(ctx context.Context) (float64, error) {
	told, err := get(ctx, r.server, r.config.Host+"/metrics")
	if err != nil {
		return 0, err
	}
	return told.sum("apiserver_request_total", isServiceWrite), nil
}

func isServiceWrite(labels map[string]string) bool {
	return slices.Contains([]string{"services", "events", "bgpnodes", "bgpconfigurations", "externalippools"}, labels["resource"]) &&
		slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY"}, labels["verb"])
}

// agentStart measures the time from the start of an agent until a router that knows nothing of its node has all routes
// through it.
func agentStart(ctx context.Context, r *rack, o *options) ([]row, error) {
	if err := r.scale(ctx, o.services); err != nil {
		return nil, err
	}
	starting := r.nodes[0].name
	var others []string
	for _, n := range r.nodes[1:] {
		others = append(others, n.name)
	}
	var times samples
	for range o.rounds {
		// Graceful restart has the router keep what it knows of an agent that ends, until the router itself begins anew.
		for _, command := range [][]string{{"stop", "agent/" + starting}, {"stop", routerName}, {"start", routerName}} {
			if _, err := r.Run(ctx, command...); err != nil {
				return nil, err
			}
		}
		if _, err := r.await(ctx, r.mark(), bulkRoutes(o.services, r.nextHops(others...))); err != nil {
			return nil, err
		}
		marks, start := r.mark(), time.Now()
		if _, err := r.Run(ctx, "start", "agent/"+starting); err != nil {
			return nil, err
		}
		took, err := r.awaitSince(ctx, start, marks, bulkRoutes(o.services, r.nextHops()))
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	return []row{{fmt.Sprintf("agent's start -> %d routes, %d times", o.services, o.rounds), times.each(), "2.2 s"}}, nil
}
