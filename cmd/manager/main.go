// Command manager is Herald's cluster-wide process. One of its replicas leads: it keeps the agent running on every node.
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

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/herald-network/herald/controllers"
	"github.com/herald-network/herald/internal/config"
	"github.com/herald-network/herald/internal/logging"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/version"
)

// leaderElectionID is the name of the Lease that the leader holds.
const leaderElectionID = "herald-manager"

type options struct {
	deployment, namespace string
	configFile            string
	healthAddress         string
	logLevel              slog.Level
	logFormat             string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, parse()); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.deployment, "deployment", "herald-manager", "the manager's own Deployment: what the manager installs goes with it")
	flag.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "Herald's namespace; defaults to $POD_NAMESPACE")
	flag.StringVar(&o.configFile, "config", "/etc/herald/manager.yaml", "the manager's configuration file; changes are taken over as they happen")
	flag.StringVar(&o.healthAddress, "health-address", ":8081", "address that serves /healthz and /readyz")
	flag.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "lowest level that is logged: error, warn, info or debug")
	flag.StringVar(&o.logFormat, "log-format", string(logging.JSON), "format of the log on standard error: json or text")
	flag.Parse()
	return o
}

func run(ctx context.Context, o options) error {
	if o.namespace == "" {
		return errors.New("no namespace: set --namespace, or POD_NAMESPACE from the pod's metadata.namespace")
	}
	log, err := logging.New(os.Stderr, o.logLevel, logging.Format(o.logFormat))
	if err != nil {
		return err
	}
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	if err := checkConfig(o.configFile); err != nil {
		return err
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	mgr, err := newManager(restConfig, o, log)
	if err != nil {
		return err
	}
	log.Info("Starting", logkey.Version, version.Version(), "commit", version.Commit())
	return mgr.Start(ctx)
}

// checkConfig refuses to start with a configuration that is of no use, so that the mistake shows where it was made.
func checkConfig(path string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if _, err := config.Parse(file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func newManager(restConfig *rest.Config, o options, log logr.Logger) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := appsv1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register types: %w", err)
	}
	agents := &controllers.AgentReconciler{
		Deployment: types.NamespacedName{Namespace: o.namespace, Name: o.deployment},
		ConfigFile: o.configFile,
	}
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                        scheme,
		Logger:                        log,
		Cache:                         cache.Options{ByObject: agents.Reads()},
		LeaderElection:                true,
		LeaderElectionID:              leaderElectionID,
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
		HealthProbeBindAddress:        o.healthAddress,
		Metrics:                       metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	err = errors.Join(
		agents.SetupWithManager(mgr),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("ping", healthz.Ping),
	)
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return mgr, nil
}
