// Command manager is Herald's cluster-wide process. Every replica judges at admission; the one that leads assigns addresses to
// Services, and keeps the agent running on every node, the policies in force, and the status of Herald's objects as their nodes
// report.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-network/herald/internal/config"
	"github.com/herald-network/herald/internal/logging"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/version"
)

type options struct {
	deployment, namespace string
	configFile            string
	defaults              config.Defaults
	healthAddress         string
	metricsAddress        string
	webhookPort           int
	logLevel              slog.Level
	logFormat             string
	defaultLoadBalancer   bool
	election              election
	version               bool
}

// election is how replicas agree on the one that leads.
type election struct {
	// leaseDuration is how long the others wait for a leader that does not renew its Lease, renewDeadline how long the leader
	// tries to, and retryPeriod the time between two tries.
	leaseDuration, renewDeadline, retryPeriod time.Duration
}

// jitter is by how much a leader election may stretch the time between two tries.
const jitter = leaderelection.JitterFactor

// validate says what is wrong with the times, and what would be right.
func (e election) validate() error {
	var errs []error
	if e.retryPeriod <= 0 {
		errs = append(errs, fmt.Errorf("--leader-elect-retry-period is %s: it must be more than 0", e.retryPeriod))
	}
	if stretched := time.Duration(jitter * float64(e.retryPeriod)); e.renewDeadline <= stretched {
		errs = append(errs, fmt.Errorf("--leader-elect-renew-deadline is %s: it must be longer than %s, which is %.1f times "+
			"--leader-elect-retry-period, so that a renewal that fails is tried again", e.renewDeadline, stretched, jitter))
	}
	if e.leaseDuration <= e.renewDeadline {
		errs = append(errs, fmt.Errorf("--leader-elect-lease-duration is %s: it must be longer than --leader-elect-renew-deadline, "+
			"which is %s, so that a leader gives up before another leads", e.leaseDuration, e.renewDeadline))
	}
	if e.leaseDuration%time.Second != 0 {
		errs = append(errs, fmt.Errorf("--leader-elect-lease-duration is %s: it must be whole seconds, since a Lease says no less",
			e.leaseDuration))
	}
	return errors.Join(errs...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err := func() error {
		if len(os.Args) > 1 && os.Args[1] == removeCommand {
			return remove(ctx, parseRemove(os.Args[2:]))
		}
		o := parse()
		if o.version {
			_, err := fmt.Println(version.Line("manager"))
			return err
		}
		return run(ctx, o)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.deployment, "deployment", "herald-manager", "the manager's own Deployment: what the manager installs goes with it")
	flag.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "Herald's namespace; defaults to $POD_NAMESPACE")
	flag.StringVar(&o.configFile, "config", "/etc/herald/manager.yaml", "the manager's configuration file, where there is one, in a directory that "+
		"exists; changes are taken over as they happen")
	flag.StringVar(&o.defaults.AgentImage, "agent-image", os.Getenv("RELATED_IMAGE_AGENT"),
		"the agent's image, unless the configuration file names one; defaults to $RELATED_IMAGE_AGENT")
	flag.StringVar(&o.healthAddress, "health-address", ":8081", "address that serves /healthz and /readyz")
	flag.StringVar(&o.metricsAddress, "metrics-address", ":8443",
		"address that serves /metrics by HTTPS, to those who may get the URL /metrics; 0 for none")
	flag.IntVar(&o.webhookPort, "webhook-port", 9443, "port that serves the webhooks")
	flag.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "lowest level that is logged: error, warn, info or debug")
	flag.StringVar(&o.logFormat, "log-format", string(logging.JSON), "format of the log on standard error: json or text")
	flag.BoolVar(&o.defaultLoadBalancer, "default-load-balancer", true,
		"serve Services of type LoadBalancer that have no spec.loadBalancerClass; false leaves them to another load balancer")
	flag.DurationVar(&o.election.leaseDuration, "leader-elect-lease-duration", 15*time.Second,
		"how long the other replicas wait for a leader that is not heard of, in whole seconds")
	flag.DurationVar(&o.election.renewDeadline, "leader-elect-renew-deadline", 10*time.Second,
		"how long the leader tries to renew its Lease before it gives up and ends")
	flag.DurationVar(&o.election.retryPeriod, "leader-elect-retry-period", 2*time.Second, "time between two tries to lead, or to renew")
	flag.BoolVar(&o.version, "version", false, "say which Herald this is, and end")
	flag.Parse()
	return o
}

func run(ctx context.Context, o options) error {
	if o.namespace == "" {
		return errors.New("no namespace: set --namespace, or POD_NAMESPACE from the pod's metadata.namespace")
	}
	if err := o.election.validate(); err != nil {
		return err
	}
	log, err := logging.New(os.Stderr, o.logLevel, logging.Format(o.logFormat))
	if err != nil {
		return err
	}
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	// The manager does not start with a configuration that is of no use, so that the mistake shows where it was made.
	configuration, err := config.Load(o.configFile, o.defaults)
	if err != nil {
		return err
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	// The API server warns of spec.externalIPs, a deprecated field, at every write of it.
	restConfig.WarningHandlerWithContext = ctrllog.NewKubeAPIWarningLogger(ctrllog.KubeAPIWarningLoggerOptions{Deduplicate: true})
	mgr, err := newManager(ctx, restConfig, o, configuration, log)
	if err != nil {
		return err
	}
	log.Info("Starting", logkey.Version, version.Version(), "commit", version.Commit())
	return mgr.Start(ctx)
}
