package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/harness/probe"
	"github.com/herald-network/herald/test/lab/topology"
)

// loadBalancersAssigned measures the time from the creation of a Service of type LoadBalancer to its address, and to the
// route through every node.
func loadBalancersAssigned(ctx context.Context, r *rack, o *options) ([]row, error) {
	return r.oneByOne(ctx, o, "LoadBalancer Service created", newAssigned)
}

// externalIPsAssigned measures the same for a Service of type ClusterIP that asks for an external IP.
func externalIPsAssigned(ctx context.Context, r *rack, o *options) ([]row, error) {
	return r.oneByOne(ctx, o, "annotated ClusterIP Service created", newExternal)
}

func (r *rack) oneByOne(ctx context.Context, o *options, work string, create func(group, name string) *corev1.Service) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteAssigned(context.WithoutCancel(ctx))) }()
	watch, err := r.watchAddresses(ctx, assignedSingleGroup)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, watch.end()) }()
	var created, assigned, routed samples
	for i := range o.samples {
		service := create(assignedSingleGroup, fmt.Sprintf("assigned-single-%03d", i))
		// The endpoints are there first: what is measured is not how fast they come.
		if err := r.api.Create(ctx, r.newSlice(service, always)); err != nil {
			return nil, err
		}
		marks, start := r.mark(), time.Now()
		if err := r.api.Create(ctx, service); err != nil {
			return nil, err
		}
		created = append(created, time.Since(start))
		got, err := watch.of(ctx, service.Name)
		if err != nil {
			return nil, err
		}
		took, err := r.awaitSince(ctx, start, marks, routes{hostRoute(got.address): r.nextHops()})
		if err != nil {
			return nil, err
		}
		assigned, routed = append(assigned, got.at.Sub(start)), append(routed, took)
	}
	return []row{
		{work + " -> the call returns: p50 / p99", created.percentiles(), ""},
		{work + " -> address assigned: p50 / p99", assigned.percentiles(), ""},
		{work + " -> assigned and routed through 3 nodes: p50 / p99", routed.percentiles(), "12 / 30 ms"},
	}, nil
}

// assignedAnswer measures what a user feels: the time from a Service's creation until a client outside has got an answer from
// its address, the work of kube-proxy included.
func assignedAnswer(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteAssigned(context.WithoutCancel(ctx))) }()
	var times samples
	for i := range o.slowSamples {
		took, err := r.firstAnswer(ctx, fmt.Sprintf("assigned-answer-%02d", i), addressOf(poolRange, firstRequested+i))
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	return []row{{"LoadBalancer Service created -> first answer to a client outside: p50 / p99", times.percentiles(), "(kube-proxy: up to 1 s)"}}, nil
}

// firstRequested is the number of an address that nobody gets by himself before all that are below it are in use.
const firstRequested = 50_000

// firstAnswer creates a Service that requests an address, so that the client can ask it from the start.
func (r *rack) firstAnswer(ctx context.Context, name string, address netip.Addr) (took time.Duration, err error) {
	service := newAssigned(assignedSingleGroup, name)
	service.Annotations = map[string]string{v1alpha1.AnnotationAddresses: address.String()}
	if err := r.api.Create(ctx, r.newSlice(service, always)); err != nil {
		return 0, err
	}
	traffic, err := harness.Send(ctx, r.Lab, topology.External, requestRate, "http://"+address.String()+"/")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, traffic.Stop()) }()
	start := time.Now()
	if err := r.api.Create(ctx, service); err != nil {
		return 0, err
	}
	answer, err := traffic.Await(ctx, func(request probe.Request) bool { return request.Error == "" })
	return answer.Time.Add(answer.Took).Sub(start), err
}
