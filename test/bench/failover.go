package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/lab/topology"
)

const (
	// failoverRate is how many new connections a second look for losses while a node goes.
	failoverRate = 200
	// failoverHoldTime is what the sessions agree on, in seconds, so that twenty nodes can be cut off in a benchmark's time. Without
	// BFD a node that is cut off is missed after it.
	failoverHoldTime = 9
	// keptFor is after how long a route counts as one that stays: BFD would have taken it long before.
	keptFor = 4 * time.Second
	// graceful is how long a node that leaves marks its routes before it withdraws them, in seconds.
	graceful = 2
	// agentLabel is what nodes carry that have an agent, while this is measured.
	agentLabel = "bench.herald.network/agent"
	// maintenanceLabel takes a node out of service.
	maintenanceLabel = "herald.network/maintenance"
)

// departure is a way in which a node stops to serve.
type departure struct {
	name string
	// leave has the node go, and comeBack undoes it.
	leave, comeBack func(ctx context.Context, r *rack, n node) error
	// kept says that the routes are to stay without BFD: graceful restart bridges what happens.
	kept bool
}

func departures() []departure {
	return []departure{
		{
			name:     "link cut",
			leave:    func(ctx context.Context, r *rack, n node) error { return r.lab(ctx, "cut", n.name) },
			comeBack: func(ctx context.Context, r *rack, n node) error { return r.lab(ctx, "mend", n.name) },
		},
		{
			name:     "agent killed (SIGKILL)",
			kept:     true,
			leave:    func(ctx context.Context, r *rack, n node) error { return r.lab(ctx, "kill", "agent/"+n.name) },
			comeBack: func(context.Context, *rack, node) error { return nil }, // The kubelet starts it again.
		},
		{
			name:     "agent removed from the node",
			leave:    func(ctx context.Context, r *rack, n node) error { return r.label(ctx, n, agentLabel+"-") },
			comeBack: func(ctx context.Context, r *rack, n node) error { return r.label(ctx, n, agentLabel+"=true") },
		},
		{
			name:     "node drained (maintenance label)",
			leave:    func(ctx context.Context, r *rack, n node) error { return r.label(ctx, n, maintenanceLabel+"=true") },
			comeBack: func(ctx context.Context, r *rack, n node) error { return r.label(ctx, n, maintenanceLabel+"-") },
		},
	}
}

func (r *rack) lab(ctx context.Context, args ...string) error {
	_, err := r.Run(ctx, args...)
	return err
}

func (r *rack) label(ctx context.Context, n node, label string) error {
	_, err := r.Kubectl(ctx, "label", "--overwrite", "node", n.name, label)
	return err
}

// failovers measures how long a router goes on sending to a node that goes, and how many new connections that costs.
func failovers(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteSingles(context.WithoutCancel(ctx), 1)) }()
	address, err := r.prepareFailovers(ctx)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, bfd := range []string{"null", "{}"} {
		if err := r.setBFD(ctx, bfd); err != nil {
			return rows, err
		}
		for _, d := range departures() {
			row, err := r.measureDeparture(ctx, d, bfd != "null", address, o.failovers)
			if err != nil {
				return rows, fmt.Errorf("%s, bfd %s: %w", d.name, bfd, err)
			}
			rows = append(rows, row)
			fmt.Fprintf(os.Stderr, "          %s: %s\n", row.work, row.result)
		}
	}
	return rows, nil
}

// prepareFailovers gives every node a Service of its own kind: each node serves its own part of the traffic, so that a node
// that is missed costs what the router sends to it and nothing else.
func (r *rack) prepareFailovers(ctx context.Context) (netip.Addr, error) {
	for _, n := range r.nodes {
		if err := r.label(ctx, n, agentLabel+"=true"); err != nil {
			return netip.Addr{}, err
		}
	}
	for _, patch := range [][]string{
		{"bgppeer", "tor", fmt.Sprintf(`{"spec":{"holdTimeSeconds":%d}}`, failoverHoldTime)},
		{"bgpconfiguration", "default", fmt.Sprintf(`{"spec":{"gracefulShutdown":{"timeSeconds":%d}}}`, graceful)},
	} {
		if _, err := r.Kubectl(ctx, "patch", patch[0], patch[1], "--type=merge", "-p", patch[2]); err != nil {
			return netip.Addr{}, err
		}
	}
	if err := r.selectAgents(ctx); err != nil {
		return netip.Addr{}, err
	}
	address := addressOf(singleRange, 0)
	service, _, err := r.createSingle(ctx, "failover", always, corev1.ServiceExternalTrafficPolicyLocal)
	if err != nil {
		return address, err
	}
	if err := r.setAddress(ctx, service, address); err != nil {
		return address, err
	}
	if _, err := r.await(ctx, r.mark(), routes{hostRoute(address): r.nextHops()}); err != nil {
		return address, err
	}
	return address, r.warmUp(ctx, []string{"http://" + address.String() + "/"})
}

// selectAgents has agents run only where agentLabel is.
func (r *rack) selectAgents(ctx context.Context) error {
	const configMap, namespace = "configmap/herald-manager", "herald-system"
	config, err := r.Kubectl(ctx, "-n", namespace, "get", configMap, "-o", `jsonpath={.data.manager\.yaml}`)
	if err != nil {
		return err
	}
	config = strings.Replace(config, "agent:\n", "agent:\n  nodeSelector: {"+agentLabel+": \"true\"}\n", 1)
	patch := fmt.Sprintf(`{"data":{"manager.yaml":%q}}`, config)
	if _, err := r.Kubectl(ctx, "-n", namespace, "patch", configMap, "--type=merge", "-p", patch); err != nil {
		return err
	}
	return repeat(ctx, func() error {
		selector, err := r.Kubectl(ctx, "-n", namespace, "get", "daemonset/herald-agent", "-o", "jsonpath={.spec.template.spec.nodeSelector}")
		if err == nil && !strings.Contains(selector, agentLabel) {
			return errors.New("the manager has not taken over the node selector of the agents")
		}
		return errors.Join(err, r.lab(ctx, "kubectl", "-n", namespace, "rollout", "status", "daemonset/herald-agent", "--timeout=60s"))
	})
}

// setBFD gives the peer this BFD, null for none, and returns once it is up on every node, or has gone.
func (r *rack) setBFD(ctx context.Context, bfd string) error {
	if _, err := r.Kubectl(ctx, "patch", "bgppeer", "tor", "--type=merge", "-p", `{"spec":{"bfd":`+bfd+`}}`); err != nil {
		return err
	}
	return repeat(ctx, func() error {
		states, err := r.Kubectl(ctx, "get", "bgppeer", "tor", "-o", "jsonpath={.status.sessions[*].bfd}")
		want := 0
		if bfd != "null" {
			want = len(r.nodes)
		}
		if got := strings.Count(states, "Up"); err == nil && got != want {
			err = fmt.Errorf("BFD is up on %d of %d nodes", got, want)
		}
		return err
	})
}

// measureDeparture has one node after the other go and come back, under traffic.
func (r *rack) measureDeparture(ctx context.Context, d departure, bfd bool, address netip.Addr, rounds int) (row, error) {
	traffic, err := harness.Send(ctx, r.Lab, topology.External, failoverRate, "http://"+address.String()+"/")
	if err != nil {
		return row{}, err
	}
	var times samples
	kept := 0
	for i := range rounds {
		took, left, err := r.depart(ctx, d, bfd, r.nodes[i%len(r.nodes)], hostRoute(address))
		if err != nil {
			return row{}, errors.Join(err, traffic.Stop())
		}
		if left {
			times = append(times, took)
		} else {
			kept++
		}
	}
	if err := traffic.Stop(); err != nil {
		return row{}, err
	}
	work := d.name + ", without BFD"
	if bfd {
		work = d.name + ", BFD 300 ms x 3"
	}
	return row{work, fmt.Sprintf("%s; %d of %d lost", departed(times, kept), len(traffic.Failed()), len(traffic.Sent())), ""}, nil
}

// departed says what became of the routes.
func departed(times samples, kept int) string {
	switch {
	case len(times) == 0:
		return fmt.Sprintf("route kept, %d times", kept)
	case kept > 0:
		return fmt.Sprintf("p50 %s, max %s of %d; route kept %d times", seconds2(times.quantile(0.5)), seconds2(times.quantile(1)), len(times), kept)
	default:
		return fmt.Sprintf("p50 %s, max %s of %d", seconds2(times.quantile(0.5)), seconds2(times.quantile(1)), len(times))
	}
}

func seconds2(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// depart has a node go, and returns once it is back how long after that the router's kernel had no route through it any more;
// left is false where it kept the route for long enough to count as kept.
func (r *rack) depart(ctx context.Context, d departure, bfd bool, n node, prefix netip.Prefix) (took time.Duration, left bool, err error) {
	router, mark, start := r.routers[0], r.routers[0].Mark(), time.Now()
	if err := d.leave(ctx, r, n); err != nil {
		return 0, false, err
	}
	waiting, cancel := ctx, context.CancelFunc(func() {})
	if d.kept {
		waiting, cancel = context.WithTimeout(ctx, keptFor)
	}
	err = router.Await(waiting, func(routes map[netip.Prefix][]netip.Addr) bool { return !slices.Contains(routes[prefix], n.address) })
	cancel()
	switch {
	case err == nil:
		left = true
		took = router.Lost(mark, n.address)[0].Time.Sub(start)
	case !d.kept || ctx.Err() != nil:
		return 0, false, err
	}
	if err := d.comeBack(ctx, r, n); err != nil {
		return 0, false, err
	}
	return took, left, r.isBack(ctx, n, prefix, bfd)
}

// isBack returns once a node serves again as it did before, and what its coming back may have cost is over.
func (r *rack) isBack(ctx context.Context, n node, prefix netip.Prefix, bfd bool) error {
	if _, err := r.await(ctx, r.mark(), routes{prefix: r.nextHops()}); err != nil {
		return fmt.Errorf("%s comes back: %w", n.name, err)
	}
	if err := repeat(ctx, func() error { return r.sessionsUp(ctx, n) }); err != nil {
		return fmt.Errorf("%s comes back: %w", n.name, err)
	}
	if bfd {
		err := repeat(ctx, func() error {
			state, err := r.Kubectl(ctx, "get", "bgpnode", n.name, "-o", "jsonpath={.status.sessions[*].bfd}")
			if err == nil && state != "Up" {
				err = fmt.Errorf("BFD of %s is %q", n.name, state)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return pause(ctx, time.Second)
}
