package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/controllers"
	"github.com/herald-network/herald/internal/adapter/certificates"
	"github.com/herald-network/herald/internal/logging"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/removal"
	"github.com/herald-network/herald/internal/version"
)

// removeCommand is the first argument that has the manager remove Herald, instead of running it.
const removeCommand = "remove"

type removeOptions struct {
	deployment, namespace string
	addresses             removal.Addresses
	patience              time.Duration
	logFormat             string
}

func parseRemove(args []string) removeOptions {
	o := removeOptions{addresses: removal.Keep}
	flags := flag.NewFlagSet(removeCommand, flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), `usage: manager remove [flags]

Takes Herald out of the cluster, but for what the tool that installed it removes by itself: the manager, the agents, which take
leave of their routers and withdraw their routes, webhooks, policies, the marks on Services, the finalizers of pools, and what
manager and agents kept. It works without a manager too, and may be run again.`)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.namespace, "namespace", "herald-system", "the namespace that Herald is in, or was in")
	flags.StringVar(&o.deployment, "deployment", "herald-manager", "the manager's Deployment")
	flags.TextVar(&o.addresses, "addresses", removal.Keep,
		"what becomes of the addresses that Herald gave to Services: Keep leaves them there as if a person had written them, Release takes them away")
	flags.DurationVar(&o.patience, "patience", 2*time.Minute,
		"how long managers may take to end, and then agents to leave their routers; one whose node is away is not waited for any longer")
	flags.StringVar(&o.logFormat, "log-format", string(logging.JSON), "format of the log on standard error: json or text")
	_ = flags.Parse(args) // It ends the program where it fails.
	return o
}

func remove(ctx context.Context, o removeOptions) error {
	log, err := logging.New(os.Stderr, 0, logging.Format(o.logFormat))
	if err != nil {
		return err
	}
	ctrl.SetLogger(log)
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	restConfig.QPS = -1 // The API server itself knows best how much it can take.
	scheme, err := newScheme()
	if err != nil {
		return fmt.Errorf("register types: %w", err)
	}
	reader, err := client.New(restConfig, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	log.Info("Removing Herald", logkey.Version, version.Version(), "namespace", o.namespace)
	job := removal.Removal{
		Client: reader,
		Names: removal.Names{
			Namespace: o.namespace, Manager: o.deployment, Agent: controllers.AgentDaemonSetName,
			Webhooks: webhookConfiguration, WebhookSecret: certificates.DefaultSecret, SecretsRole: controllers.AgentSecretsRole,
		},
		Addresses: o.addresses, Patience: o.patience, Log: log,
	}
	if err := job.Run(ctx); err != nil {
		return fmt.Errorf("remove Herald: %w", err)
	}
	log.Info("Herald is removed, but for what installed it")
	return nil
}
