package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/herald-network/herald/config/policies"
)

// ManagerClusterRole is the name of the manager's ClusterRole. No object of a namespace can own one that is in none, so
// what the manager applies of those goes with it.
const ManagerClusterRole = "herald-manager"

// PolicyReconciler keeps the ValidatingAdmissionPolicies and their bindings as this manager was built with them. What
// others change of the fields that are set there is put back, lists as a whole; fields that are not set there, such as the
// namespaces that a binding is for, are left alone.
type PolicyReconciler struct {
	// Deployment is the manager's own: once it goes, nothing is brought back.
	Deployment types.NamespacedName

	client client.Client
	// live reads what no cache holds.
	live client.Reader
}

// Reads narrows what the manager's cache reads to Herald's own policies. The Deployment is among what AgentReconciler reads.
func (r *PolicyReconciler) Reads() map[client.Object]cache.ByObject {
	herald := cache.ByObject{
		Label:     labels.SelectorFromSet(labels.Set{"app.kubernetes.io/name": "herald", "app.kubernetes.io/component": "policy"}),
		Transform: cache.TransformStripManagedFields(),
	}
	return map[client.Object]cache.ByObject{
		&admissionv1.ValidatingAdmissionPolicy{}:        herald,
		&admissionv1.ValidatingAdmissionPolicyBinding{}: herald,
	}
}

// SetupWithManager registers the reconciler: it acts on changes of the Deployment, the policies and the bindings.
func (r *PolicyReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.client, r.live = mgr.GetClient(), mgr.GetAPIReader()
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: r.Deployment}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("policy").
		For(&appsv1.Deployment{}, builder.WithPredicates(isNamed(r.Deployment), changed())).
		Watches(&admissionv1.ValidatingAdmissionPolicy{}, all, builder.WithPredicates(changed())).
		Watches(&admissionv1.ValidatingAdmissionPolicyBinding{}, all, builder.WithPredicates(changed())).
		Complete(r)
}

// Reconcile applies all policies and bindings, unless the Deployment is on its way out.
func (r *PolicyReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	deployment, err := staying(ctx, r.client, r.Deployment)
	if deployment == nil || err != nil {
		return ctrl.Result{}, err
	}
	owner := &rbacv1.ClusterRole{}
	if err := r.live.Get(ctx, types.NamespacedName{Name: ManagerClusterRole}, owner); err != nil {
		return ctrl.Result{}, fmt.Errorf("find who is to own the policies: %w", err)
	}
	if !owner.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	wanted, err := policyObjects(r.Deployment.Namespace, owner)
	if err != nil {
		return ctrl.Result{}, reconcile.TerminalError(err)
	}
	var errs []error
	for _, want := range wanted {
		errs = append(errs, r.restoreLists(ctx, want), apply(ctx, r.client, want))
	}
	return ctrl.Result{}, errors.Join(errs...)
}

// restoreLists takes out what others added to the lists of an object's spec. Applying leaves that in, so that a condition
// that never holds would switch a policy off, and a Warn beside Deny would have the API server refuse what is applied.
func (r *PolicyReconciler) restoreLists(ctx context.Context, want *unstructured.Unstructured) error {
	patch, err := json.Marshal(map[string]any{"spec": want.Object["spec"]})
	if err != nil {
		return fmt.Errorf("restore %s %s: %w", want.GetKind(), want.GetName(), err)
	}
	object := want.DeepCopy()
	err = r.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("restore %s %s: %w", want.GetKind(), want.GetName(), err)
	}
	return nil
}

// policyObjects returns the policies and bindings for a Herald in a namespace, owned by a ClusterRole.
func policyObjects(namespace string, owner *rbacv1.ClusterRole) ([]*unstructured.Unstructured, error) {
	documents := yaml.NewYAMLOrJSONDecoder(strings.NewReader(strings.Join(policies.Manifests(namespace), "\n---\n")), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the manifests of the policies: %w", err)
		}
		object.SetOwnerReferences(ownedBy(owner, rbacv1.SchemeGroupVersion.WithKind("ClusterRole")))
		objects = append(objects, object)
	}
}
