package controllers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/herald-network/herald/internal/config"
)

// AgentReconciler keeps the agent's DaemonSet as the manager's configuration says. What others change of the fields that
// it sets is put back; fields that it does not set, such as the annotation of `kubectl rollout restart`, are left alone.
type AgentReconciler struct {
	// Deployment is the manager's own: the DaemonSet is in its namespace, and goes with it.
	Deployment types.NamespacedName
	// ConfigFile is the path of the manager's configuration file, in a directory that exists, and Defaults are what holds where
	// it says nothing.
	ConfigFile string
	Defaults   config.Defaults

	client client.Client
}

// SetupWithManager registers the reconciler: it acts on changes of the Deployment, the DaemonSet and the file.
func (r *AgentReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.client = mgr.GetClient()
	request := reconcile.Request{NamespacedName: r.Deployment}
	return ctrl.NewControllerManagedBy(mgr).
		Named("agent").
		For(&appsv1.Deployment{}, builder.WithPredicates(isNamed(r.Deployment), changed())).
		Owns(&appsv1.DaemonSet{}, builder.WithPredicates(changed())).
		WatchesRawSource(fileChanges(r.ConfigFile, request)).
		Complete(r)
}

// Reads narrows what the manager's cache reads to the two objects that the manager may read.
func (r *AgentReconciler) Reads() map[client.Object]cache.ByObject {
	named := func(name string) cache.ByObject {
		return cache.ByObject{
			Namespaces: map[string]cache.Config{r.Deployment.Namespace: {}},
			Field:      fields.OneTermEqualSelector("metadata.name", name),
		}
	}
	return map[client.Object]cache.ByObject{
		&appsv1.Deployment{}: named(r.Deployment.Name),
		&appsv1.DaemonSet{}:  named(AgentDaemonSetName),
	}
}

// Reconcile applies the DaemonSet, unless the Deployment is on its way out: then the DaemonSet goes with it.
func (r *AgentReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	owner, err := staying(ctx, r.client, r.Deployment)
	if owner == nil || err != nil {
		return ctrl.Result{}, err
	}
	configuration, err := config.Load(r.ConfigFile, r.Defaults)
	if err != nil {
		// The DaemonSet stays as it is. Nothing but a change of the file helps, and that brings us back.
		return ctrl.Result{}, reconcile.TerminalError(err)
	}
	want, err := agentDaemonSet(owner, configuration.Agent)
	if err != nil {
		return ctrl.Result{}, reconcile.TerminalError(err)
	}
	return ctrl.Result{}, apply(ctx, r.client, want)
}
