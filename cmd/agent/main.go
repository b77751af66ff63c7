// Command agent is Herald's agent: one on every node, it advertises the Service addresses that the node can serve.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/herald-network/herald/internal/access"
	"github.com/herald-network/herald/internal/adapter/bfd"
	"github.com/herald-network/herald/internal/adapter/bootmarker"
	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/adapter/kube"
	"github.com/herald-network/herald/internal/adapter/kubelet"
	"github.com/herald-network/herald/internal/agent"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/logging"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/metrics"
	"github.com/herald-network/herald/internal/version"
)

type options struct {
	node, namespace, daemonSet string
	stateDirectory             string
	httpAddress                string
	metricsAddress             string
	kubeconfig                 string
	kubeletAddress             string
	logLevel                   slog.Level
	logFormat                  string
	serviceProxyHealthURL      string
	serviceProxyWait           time.Duration
	version                    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	o := parse()
	if o.version {
		fmt.Println(version.Line("agent"))
		return
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.node, "node-name", os.Getenv("NODE_NAME"), "name of the Node that the agent runs on; defaults to $NODE_NAME")
	flag.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "Herald's namespace; defaults to $POD_NAMESPACE")
	flag.StringVar(&o.daemonSet, "daemonset", "herald-agent",
		"DaemonSet that runs the agent: once it is gone, an agent withdraws its routes when it ends")
	flag.StringVar(&o.stateDirectory, "state-directory", "/run/herald",
		"directory that outlives the agent but not a reboot; there an agent learns which of the two it comes after")
	flag.StringVar(&o.httpAddress, "http-address", ":17900", "address that serves /healthz and /readyz to anybody")
	flag.StringVar(&o.metricsAddress, "metrics-address", ":17901",
		"address that serves /metrics, over HTTPS to those whose token may get the nonResourceURL /metrics")
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file; without one the agent talks to the cluster that it runs in")
	flag.StringVar(&o.kubeletAddress, "kubelet-address", kubelet.Address,
		"address where this node's kubelet serves /healthz: an agent that is ended together with its kubelet takes the host to shut down; \"\" for never")
	flag.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "lowest level that is logged: error, warn, info or debug (debug-4 shows the wire)")
	flag.StringVar(&o.logFormat, "log-format", string(logging.JSON), "format of the log on standard error: json or text")
	flag.StringVar(&o.serviceProxyHealthURL, "service-proxy-health-url", "http://127.0.0.1:10256/healthz",
		"where kube-proxy says that it is healthy: on the first start after a boot no session is opened before it answers 200")
	flag.DurationVar(&o.serviceProxyWait, "service-proxy-wait", 30*time.Second,
		"how long the first start after a boot waits for that; 0 does not wait, for where something else replaces kube-proxy")
	flag.BoolVar(&o.version, "version", false, "say which Herald this is, and end")
	flag.Parse()
	return o
}

func (o options) validate() error {
	var errs []error
	if o.node == "" {
		errs = append(errs, errors.New("no node name: set --node-name, or NODE_NAME from the pod's spec.nodeName"))
	}
	if o.namespace == "" {
		errs = append(errs, errors.New("no namespace: set --namespace, or POD_NAMESPACE from the pod's metadata.namespace"))
	}
	if u, err := url.Parse(o.serviceProxyHealthURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		errs = append(errs, fmt.Errorf("--service-proxy-health-url %q: want a URL such as http://127.0.0.1:10256/healthz", o.serviceProxyHealthURL))
	}
	if o.serviceProxyWait < 0 {
		errs = append(errs, fmt.Errorf("--service-proxy-wait %s: want 0 or more", o.serviceProxyWait))
	}
	return errors.Join(errs...)
}

func run(ctx context.Context, o options) error {
	if err := o.validate(); err != nil {
		return err
	}
	log, err := logging.New(os.Stderr, o.logLevel, logging.Format(o.logFormat))
	if err != nil {
		return err
	}
	log = log.WithValues(logkey.Node, o.node)
	klog.SetLogger(log)
	config, err := apiServer(o.kubeconfig)
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	clients, err := kube.NewClients(config)
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	marker, err := bootmarker.New(o.stateDirectory, bootmarker.BootIDFile)
	if err != nil {
		return err
	}
	log.Info("Starting", logkey.Version, version.Version(), "commit", version.Commit())
	return serve(logr.NewContext(ctx, log), o, clients, marker)
}

func apiServer(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.BuildConfigFromFlags("", kubeconfig)
}

// serve wires the agent and runs it until the context ends.
func serve(ctx context.Context, o options, clients *kube.Clients, marker bootmarker.Marker) error {
	log := logr.FromContextOrDiscard(ctx)
	healthListener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.httpAddress)
	if err != nil {
		return fmt.Errorf("serve health: %w", err)
	}
	metricsListener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.metricsAddress)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	preserved, err := marker.IsSet()
	if err != nil {
		log.Error(err, "Reading the boot marker, routers will be told of a reboot", logkey.Directory, o.stateDirectory)
	}
	monitor := bfd.New()
	speaker := gobgp.New(gobgp.Options{Log: log.WithName("speaker"), ForwardingPreserved: preserved, WatchBFD: watchWith(monitor)})
	registry := metrics.NewRegistry(version.Version(), speaker.Observe)
	metrics.RegisterBFD(registry, monitor.Dropped)
	metrics.RegisterRefusedConnections(registry, speaker.RefusedConnections)
	loop := metrics.NewLoop(registry)
	inputs, warnings := input.NewQueue(), make(chan agent.Warning, 16)
	bgpNode, secrets := clients.BGPNode(o.node), clients.Secrets(o.namespace, inputs.Push)
	beside := newHost(o, log, clients, registry, loop, marker)
	host := kubelet.New(o.kubeletAddress)
	a := agent.New(agent.Config{
		Node: o.node, Namespace: o.namespace, Version: version.Version(), Log: log,
		Inputs: inputs, Secrets: secrets, Speaker: speaker, Marker: marker, Warnings: warnings, Metrics: loop,
		Workload: clients.DaemonSet(o.namespace, o.daemonSet), Host: host, BGPNode: bgpNode,
		ServiceProxy: serviceProxy(o, preserved), Loops: beside.loops, Keeper: beside.keeper,
	})
	reporter := &agent.Reporter{Agent: a, Node: bgpNode, Metrics: loop, Log: log}
	heartbeat := &agent.Heartbeat{Agent: a, Lease: clients.Lease(o.namespace, o.node), Log: log}

	health := &http.Server{Handler: agent.NewHandler(a), ReadHeaderTimeout: 5 * time.Second}
	protected, err := access.NewServer(o.node, metrics.NewHandler(registry), clients.Review)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}

	group, ctx := errgroup.WithContext(ctx)
	// An agent that takes its leave still follows what happens, and reports.
	working, rest := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer rest()
		defer sayGoodbye(ctx, monitor)
		return a.Run(ctx)
	})
	group.Go(func() error {
		return serveHTTP(working, health, func() error { return health.Serve(healthListener) })
	})
	group.Go(func() error {
		return serveHTTP(working, protected, func() error { return protected.ServeTLS(metricsListener, "", "") })
	})
	group.Go(func() error { kube.Follow(working, clients, o.node, inputs.Push); return nil })
	group.Go(func() error { secrets.Run(working); return nil })
	group.Go(func() error { clients.WriteEvents(working, o.node, warnings); return nil })
	group.Go(func() error { reporter.Run(working); return nil })
	group.Go(func() error { heartbeat.Run(working); return nil })
	group.Go(func() error { host.Run(working); return nil })
	group.Go(func() error { beside.loops.Run(working); return nil })
	group.Go(func() error { beside.keeper.Run(working); return nil })
	return group.Wait()
}

// serveHTTP has a server serve until the context ends.
func serveHTTP(ctx context.Context, server *http.Server, serve func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // Who still asks gets no answer from a process that ends.
	defer stop()
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve health and metrics: %w", err)
	}
	return nil
}
