package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/harness/probe"
	"github.com/herald-network/herald/test/lab/topology"
)

// addressRouted measures the time from a Service's getting its address to a route through every node.
func addressRouted(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteSingles(context.WithoutCancel(ctx), o.samples)) }()
	var times samples
	for i := range o.samples {
		service, _, err := r.createSingle(ctx, fmt.Sprintf("single-%03d", i), always, corev1.ServiceExternalTrafficPolicyCluster)
		if err != nil {
			return nil, err
		}
		address := addressOf(singleRange, i)
		marks, start := r.mark(), time.Now()
		if err := r.setAddress(ctx, service, address); err != nil {
			return nil, err
		}
		took, err := r.awaitSince(ctx, start, marks, routes{hostRoute(address): r.nextHops()})
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	return []row{{"address set on a Service -> routed through 3 nodes: p50 / p99", times.percentiles(), "12 / 30 ms, assignment included"}}, nil
}

// endpointRouted measures, with the traffic policy Local, the time from an endpoint's being ready to the route to its node,
// and from its not being ready any more to the end of that route.
func endpointRouted(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteSingles(context.WithoutCancel(ctx), 1)) }()
	service, slice, err := r.createSingle(ctx, "local", never, corev1.ServiceExternalTrafficPolicyLocal)
	if err != nil {
		return nil, err
	}
	address := addressOf(singleRange, 0)
	if err := r.setAddress(ctx, service, address); err != nil {
		return nil, err
	}
	change := func(isReady func(node) bool, hops []netip.Addr) (time.Duration, error) {
		marks, start := r.mark(), time.Now()
		if err := r.setReady(ctx, slice, isReady); err != nil {
			return 0, err
		}
		return r.awaitSince(ctx, start, marks, routes{hostRoute(address): hops})
	}
	var routed, withdrawn samples
	for i := range o.samples {
		there := r.nodes[i%len(r.nodes)]
		came, err := change(func(n node) bool { return n == there }, r.nextHops(there.name))
		if err != nil {
			return nil, err
		}
		went, err := change(never, nil)
		if err != nil {
			return nil, err
		}
		routed, withdrawn = append(routed, came), append(withdrawn, went)
	}
	return []row{
		{"endpoint ready -> routed to its node (Local): p50 / p99", routed.percentiles(), "5 / 10 ms"},
		{"endpoint not ready -> withdrawn (Local): p50 / p99", withdrawn.percentiles(), "5 / 10 ms"},
	}, nil
}

// requestRate is how many requests a second look for the first answer: it bounds how exactly that is known.
const requestRate = 200

// addressAnswers measures what a user feels: the time from a Service's getting its address until a client outside has got
// an answer from there, the work of kube-proxy included.
func addressAnswers(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteSingles(context.WithoutCancel(ctx), o.slowSamples)) }()
	var times samples
	for i := range o.slowSamples {
		took, err := r.answerTime(ctx, fmt.Sprintf("answer-%02d", i), addressOf(singleRange, i))
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	return []row{{"address set on a Service -> first answer to a client outside: p50 / p99", times.percentiles(), "(kube-proxy: up to 1 s)"}}, nil
}

func (r *rack) answerTime(ctx context.Context, name string, address netip.Addr) (took time.Duration, err error) {
	service, _, err := r.createSingle(ctx, name, always, corev1.ServiceExternalTrafficPolicyCluster)
	if err != nil {
		return 0, err
	}
	url := "http://" + address.String() + "/"
	traffic, err := harness.Send(ctx, r.Lab, topology.External, requestRate, url)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, traffic.Stop()) }()
	start := time.Now()
	if err := r.setAddress(ctx, service, address); err != nil {
		return 0, err
	}
	answer, err := traffic.Await(ctx, func(request probe.Request) bool { return request.Error == "" })
	return answer.Time.Add(answer.Took).Sub(start), err
}
