package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/lab/topology"
)

// nodeCount is the number of nodes of a rack.
const nodeCount = 3

const (
	routerName = "tor"
	namespace  = "bench"
	echoPort   = 8080
)

//go:embed manifests/rack.yaml
var rackManifests string

//go:embed manifests/second-router.yaml
var secondRouterManifests string

// rack is a lab in which every node peers with every router, runs an echo server and may advertise host routes for
// LoadBalancers and external IPs, and whose pools have more addresses of both kinds than any scenario takes.
type rack struct {
	*harness.Lab
	api client.WithWatch
	// config is how the API server is reached, server a client for it that knows no objects; scrapers reaches agents and managers.
	config           *rest.Config
	server, scrapers *http.Client
	routers          []*harness.Router
	nodes            []node
}

// node is a node with its address and that of its echo server.
type node struct {
	name          string
	address, echo netip.Addr
}

// startRack brings a rack up and returns when its routers route the block that every node advertises.
func startRack(ctx context.Context, binaries harness.Binaries, dir string, shape shape) (_ *rack, err error) {
	lab, err := harness.Up(ctx, binaries, dir, shape.options()...)
	if err != nil {
		return nil, err
	}
	r := &rack{Lab: lab}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stop(context.WithoutCancel(ctx)))
		}
	}()
	plan, err := topology.New(topology.Options{Nodes: nodeCount, Routers: shape.routers()})
	if err != nil {
		return nil, err
	}
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	for _, host := range plan.With(topology.RoleRouter) {
		router, err := harness.Watch(ctx, lab, host.Name)
		if err != nil {
			return nil, err
		}
		r.routers = append(r.routers, router)
	}
	if err := r.configure(ctx); err != nil {
		return nil, err
	}
	if r.scrapers, err = r.scrapeClient(ctx, topology.ControlPlane); err != nil {
		return nil, err
	}
	if err := r.findNodes(ctx, plan); err != nil {
		return nil, err
	}
	if _, err = r.await(ctx, r.mark(), routes{netip.MustParsePrefix("10.49.0.0/16"): r.nextHops()}); err != nil {
		return nil, err
	}
	if shape == large {
		err = r.stopProxies(ctx)
	}
	return r, err
}

func (r *rack) stopProxies(ctx context.Context) error {
	for _, n := range r.nodes {
		if _, err := r.Run(ctx, "stop", "kube-proxy/"+n.name); err != nil {
			return err
		}
	}
	return nil
}

// connect makes the clients.
func (r *rack) connect(ctx context.Context) (err error) {
	if r.config, err = r.Config(ctx); err != nil {
		return err
	}
	if r.server, err = rest.HTTPClientFor(r.config); err != nil {
		return err
	}
	r.api, err = r.Client(ctx)
	return err
}

// configure creates what the rack is to have, and returns when the echo servers run.
func (r *rack) configure(ctx context.Context) error {
	manifests := rackManifests
	if len(r.routers) > 1 {
		manifests += "---\n" + secondRouterManifests
	}
	if err := r.Apply(ctx, manifests); err != nil {
		return err
	}
	_, err := r.Kubectl(ctx, "-n", namespace, "rollout", "status", "daemonset/echo", "--timeout=60s")
	return err
}

func (r *rack) findNodes(ctx context.Context, plan topology.Rack) error {
	var pods corev1.PodList
	if err := r.api.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app": "echo"}); err != nil {
		return err
	}
	echo := map[string]string{}
	for _, pod := range pods.Items {
		echo[pod.Spec.NodeName] = pod.Status.PodIP
	}
	for _, host := range plan.With(topology.RoleNode) {
		address, err := netip.ParseAddr(echo[host.Name])
		if err != nil {
			return fmt.Errorf("address of the echo server on %s: %w", host.Name, err)
		}
		r.nodes = append(r.nodes, node{name: host.Name, address: host.Addresses()[0], echo: address})
	}
	return nil
}

// stop takes the rack down. A watch that had broken off before is an error: its figures would be wrong.
func (r *rack) stop(ctx context.Context) error {
	var errs []error
	for _, router := range r.routers {
		errs = append(errs, router.Stop())
	}
	return errors.Join(append(errs, r.Down(ctx))...)
}

func (r *rack) kubernetesVersion(_ context.Context) (string, error) {
	server, err := discovery.NewDiscoveryClientForConfigAndClient(r.config, r.server)
	if err != nil {
		return "", err
	}
	version, err := server.ServerVersion()
	if err != nil {
		return "", err
	}
	return version.GitVersion, nil
}
