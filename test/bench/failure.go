package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/lab/topology"
)

const (
	// outage is how long the API server is away.
	outage = 20 * time.Second
	// absence is how long killed agents are away.
	absence = 3 * time.Second
	// aftermath is how long is watched for losses after the agents are back.
	aftermath = 5 * time.Second
	// killRate is how many requests a second look for losses.
	killRate = 150
	// lookPeriod is how often is looked at what no event tells.
	lookPeriod = 20 * time.Millisecond
)

// apiOutage measures the time from the API server's return after an outage until a Service that is new then is routed.
func apiOutage(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteSingles(context.WithoutCancel(ctx), o.rounds)) }()
	var times samples
	for i := range o.rounds {
		if _, err := r.Run(ctx, "stop", "kube-apiserver"); err != nil {
			return nil, err
		}
		if err := pause(ctx, outage); err != nil {
			return nil, err
		}
		returned := make(chan error, 1)
		go func() {
			_, err := r.Run(ctx, "start", "kube-apiserver")
			returned <- err
		}()
		took, err := r.routedAfterReturn(ctx, fmt.Sprintf("after-outage-%d", i), addressOf(singleRange, i))
		if err := errors.Join(err, <-returned); err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	work := fmt.Sprintf("API server away for %.0f s, then ready -> a new Service routed, %d times", outage.Seconds(), o.rounds)
	return []row{{work, times.each(), "3 s"}}, nil
}

func (r *rack) routedAfterReturn(ctx context.Context, name string, address netip.Addr) (time.Duration, error) {
	if err := repeat(ctx, func() error { return r.apiReady(ctx) }); err != nil {
		return 0, err
	}
	marks, start := r.mark(), time.Now()
	service, _, err := r.createSingle(ctx, name, always, corev1.ServiceExternalTrafficPolicyCluster)
	if err != nil {
		return 0, err
	}
	if err := r.setAddress(ctx, service, address); err != nil {
		return 0, err
	}
	return r.awaitSince(ctx, start, marks, routes{hostRoute(address): r.nextHops()})
}

func (r *rack) apiReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.config.Host+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := r.server.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the API server is not ready: %s", response.Status)
	}
	return nil
}

// agentsKilled counts what is lost while the agents of all nodes are killed at once and stay away for a while.
func agentsKilled(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteSingles(context.WithoutCancel(ctx), 1)) }()
	address := addressOf(singleRange, 0)
	service, _, err := r.createSingle(ctx, "killed", always, corev1.ServiceExternalTrafficPolicyLocal)
	if err != nil {
		return nil, err
	}
	if err := r.setAddress(ctx, service, address); err != nil {
		return nil, err
	}
	if _, err := r.await(ctx, r.mark(), routes{hostRoute(address): r.nextHops()}); err != nil {
		return nil, err
	}
	urls := []string{"http://" + address.String() + "/", "http://" + service.Spec.ClusterIP + "/"}
	if err := r.warmUp(ctx, urls); err != nil {
		return nil, err
	}
	traffic, err := harness.Send(ctx, r.Lab, topology.External, killRate, urls...)
	if err != nil {
		return nil, err
	}
	marks := r.mark()
	for range o.rounds {
		if err := r.killAgents(ctx); err != nil {
			return nil, errors.Join(err, traffic.Stop())
		}
	}
	if err := traffic.Stop(); err != nil {
		return nil, err
	}
	for _, lost := range traffic.Failed() {
		fmt.Fprintf(os.Stderr, "          lost at %s after %s: %s\n", lost.Time.Format(time.StampMilli), lost.Took, lost.Error)
	}
	events := 0
	for i, router := range r.routers {
		events += len(router.Since(marks[i]))
	}
	work := fmt.Sprintf("all agents killed (SIGKILL), back after %.0f s, 2 routers, %d times: requests lost; route events", absence.Seconds(), o.rounds)
	return []row{{work, fmt.Sprintf("%d of %d; %d", len(traffic.Failed()), len(traffic.Sent()), events), "0; 0"}}, nil
}

// warmUp returns when every kube-proxy knows the Service: after a second in which nothing failed. It asks from a router,
// because a node's connection tracking remembers for two minutes what it forwarded before kube-proxy knew better: the
// outside client would lose a request whenever it came by one of the same ports again.
func (r *rack) warmUp(ctx context.Context, urls []string) error {
	for {
		traffic, err := harness.Send(ctx, r.Lab, routerName, killRate, urls...)
		if err != nil {
			return err
		}
		if err := errors.Join(pause(ctx, time.Second), traffic.Stop()); err != nil {
			return err
		}
		if len(traffic.Failed()) == 0 {
			return nil
		}
	}
}

// killAgents kills the agent of every node and keeps it away, and returns some time after all sessions are back.
func (r *rack) killAgents(ctx context.Context) error {
	group, groupCtx := errgroup.WithContext(ctx)
	for _, n := range r.nodes {
		group.Go(func() error { return r.killAgent(groupCtx, n) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, n := range r.nodes {
		if err := repeat(ctx, func() error { return r.sessionsUp(ctx, n) }); err != nil {
			return err
		}
	}
	return pause(ctx, aftermath)
}

// killAgent kills one agent and lets it be started again after its absence.
func (r *rack) killAgent(ctx context.Context, n node) error {
	if _, err := r.Run(ctx, "kill", "agent/"+n.name); err != nil {
		return err
	}
	back := time.Now().Add(absence)
	// A kubelet starts at once what ended for the first time; that process is stopped while it begins.
	if _, err := r.Run(ctx, "stop", "agent/"+n.name); err != nil {
		return err
	}
	if err := pause(ctx, time.Until(back)); err != nil {
		return err
	}
	_, err := r.Run(ctx, "start", "agent/"+n.name)
	return err
}

// sessionsUp returns an error unless the agent of a node has a session with every router.
func (r *rack) sessionsUp(ctx context.Context, n node) error {
	told, err := r.scrape(ctx, n)
	if err != nil {
		return err
	}
	if up := int(told.sum("herald_bgp_session_established", nil)); up != len(r.routers) {
		return fmt.Errorf("%d of %d sessions of %s are established", up, len(r.routers), n.name)
	}
	return nil
}

// repeat calls what may fail until it does not.
func repeat(ctx context.Context, try func() error) error {
	tick := time.NewTicker(lookPeriod)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// pause waits for as long as something is to last.
func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
