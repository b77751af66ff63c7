package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/controllers"
	"github.com/herald-network/herald/internal/adapter/certificates"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/adapter/leadership"
	"github.com/herald-network/herald/internal/config"
	"github.com/herald-network/herald/internal/kubeobject"
	"github.com/herald-network/herald/webhooks"
)

const (
	// leaderElectionID is the name of the Lease that the leader holds.
	leaderElectionID = "herald-manager"
	// webhookConfiguration is the name of the ValidatingWebhookConfiguration that calls this manager.
	webhookConfiguration = "herald-admission"
	// shutdownTimeout bounds how long requests under way are waited for. It fits in the Deployment's
	// terminationGracePeriodSeconds, after the pod has left its Services.
	shutdownTimeout = 5 * time.Second
)

// parts are what the manager is made of.
type parts struct {
	agents       *controllers.AgentReconciler
	policies     *controllers.PolicyReconciler
	secrets      *controllers.SecretsRoleReconciler
	status       *controllers.StatusReconciler
	assignment   *controllers.AssignmentReconciler
	certificates *certificates.Certificates
	synced       *synced
}

func newParts(o options, c config.Manager, lease controllers.Lease) parts {
	deployment := types.NamespacedName{Namespace: o.namespace, Name: o.deployment}
	assignment := &controllers.AssignmentReconciler{
		Namespace:  o.namespace,
		Deployment: o.deployment,
		Claims:     kubeobject.Claims{DefaultLoadBalancer: o.defaultLoadBalancer},
		Lease:      lease,
	}
	return parts{
		agents:     &controllers.AgentReconciler{Deployment: deployment, ConfigFile: o.configFile, Defaults: o.defaults},
		policies:   &controllers.PolicyReconciler{Deployment: deployment},
		secrets:    &controllers.SecretsRoleReconciler{Deployment: deployment},
		status:     &controllers.StatusReconciler{Namespace: o.namespace, Usage: assignment},
		synced:     &synced{},
		assignment: assignment,
		certificates: certificates.New(certificates.Options{
			Mode:           c.Webhook.Certificates,
			Namespace:      o.namespace,
			Configurations: []string{webhookConfiguration},
		}),
	}
}

// reads says what the manager's cache holds.
func (p parts) reads(namespace string) map[client.Object]cache.ByObject {
	objects := clustercache.Objects(namespace)
	for _, more := range []map[client.Object]cache.ByObject{
		p.agents.Reads(), p.policies.Reads(), p.secrets.Reads(), p.status.Reads(),
	} {
		maps.Copy(objects, more)
	}
	return objects
}

func newManager(ctx context.Context, restConfig *rest.Config, o options, c config.Manager, log logr.Logger) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, fmt.Errorf("register types: %w", err)
	}
	lock, err := leadership.New(restConfig, o.namespace, leaderElectionID, o.election.renewDeadline)
	if err != nil {
		return nil, fmt.Errorf("take part in the leader election: %w", err)
	}
	p := newParts(o, c, lock)
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                              scheme,
		Logger:                              log,
		Cache:                               cache.Options{ByObject: p.reads(o.namespace)},
		LeaderElection:                      true,
		LeaderElectionResourceLockInterface: lock,
		LeaseDuration:                       &o.election.leaseDuration,
		RenewDeadline:                       &o.election.renewDeadline,
		RetryPeriod:                         &o.election.retryPeriod,
		LeaderElectionReleaseOnCancel:       true,
		GracefulShutdownTimeout:             new(shutdownTimeout),
		HealthProbeBindAddress:              o.healthAddress,
		Metrics: metricsserver.Options{
			BindAddress:    o.metricsAddress,
			SecureServing:  true,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
		WebhookServer: webhook.NewServer(webhook.Options{Port: o.webhookPort, TLSOpts: []func(*tls.Config){p.certificates.TLS}}),
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	if err := p.setUp(ctx, mgr, o.namespace); err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return mgr, nil
}

func (p parts) setUp(ctx context.Context, mgr ctrl.Manager, namespace string) error {
	events := controllers.NewEventWriter(mgr.GetClient(), ctrlmetrics.Registry)
	return errors.Join(
		preload(ctx, mgr.GetCache(), namespace),
		p.agents.SetupWithManager(mgr),
		p.policies.SetupWithManager(mgr),
		p.secrets.SetupWithManager(mgr),
		p.status.SetupWithManager(mgr, events),
		p.assignment.SetupWithManager(mgr, events),
		p.certificates.SetupWithManager(mgr),
		webhooks.Setup(ctx, mgr, clustercache.Source{
			Reader: mgr.GetCache(), Namespace: namespace, Claims: p.assignment.Claims,
		}),
		mgr.Add(p.synced),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("cache", p.synced.ready),
		mgr.AddReadyzCheck("webhooks", mgr.GetWebhookServer().StartedChecker()),
		mgr.AddReadyzCheck("certificate", p.certificates.Ready),
	)
}

// preload has the cache read on every replica what the webhooks judge by, and a leader assigns by: else the first request that
// asks for a kind, and a new leader, would wait until all of it has been read.
func preload(ctx context.Context, c cache.Cache, namespace string) error {
	var errs []error
	for object := range clustercache.Objects(namespace) {
		_, err := c.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	builder := runtime.NewSchemeBuilder(admissionv1.AddToScheme, appsv1.AddToScheme, coordinationv1.AddToScheme, corev1.AddToScheme, discoveryv1.AddToScheme,
		eventsv1.AddToScheme, networkingv1.AddToScheme, rbacv1.AddToScheme, v1alpha1.AddToScheme)
	return scheme, builder.AddToScheme(scheme)
}

// synced tells whether the cache has been read. A replica that knows nothing yet is to get no requests.
type synced struct{ done atomic.Bool }

// Start is called once the cache has been read.
func (s *synced) Start(context.Context) error {
	s.done.Store(true)
	return nil
}

// NeedLeaderElection says that every replica is to know.
func (s *synced) NeedLeaderElection() bool { return false }

func (s *synced) ready(*http.Request) error {
	if !s.done.Load() {
		return errors.New("not all objects have been read yet")
	}
	return nil
}
