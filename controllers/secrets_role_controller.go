package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/password"
)

const (
	// AgentSecretsRole is the name of the Role, and of its binding, by which agents read the passwords of their peers.
	AgentSecretsRole = "herald-agent-secrets"
	// agentServiceAccount is the name of the agents' ServiceAccount, in the manager's namespace.
	agentServiceAccount = "herald-agent"
)

// SecretsRoleReconciler keeps the Role by which agents read the Secrets that BGPPeers name for their passwords, and no
// others. With no such Secret, the Role is there but without rules.
//
// Whoever may write BGPPeers may not choose from all of Herald's Secrets: a Role never names the webhook's key, nor one
// whose type says that it is made for something else, such as the token of a ServiceAccount.
type SecretsRoleReconciler struct {
	// Deployment is the manager's own: Role and binding are in its namespace, and go with it.
	Deployment types.NamespacedName

	client client.Client
}

// Reads narrows what the manager's cache reads to the Role and its binding. The Deployment is among what AgentReconciler
// reads, BGPPeers and Secrets are among what clustercache.Objects says.
func (r *SecretsRoleReconciler) Reads() map[client.Object]cache.ByObject {
	own := cache.ByObject{
		Namespaces: map[string]cache.Config{r.Deployment.Namespace: {}},
		Field:      fields.OneTermEqualSelector("metadata.name", AgentSecretsRole),
	}
	return map[client.Object]cache.ByObject{&rbacv1.Role{}: own, &rbacv1.RoleBinding{}: own}
}

// SetupWithManager registers the reconciler: it acts on changes of the Deployment, the Role, the binding, BGPPeers, and on
// Secrets that come and go.
func (r *SecretsRoleReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.client = mgr.GetClient()
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: r.Deployment}}
	})
	inNamespace := predicate.NewPredicateFuncs(func(o client.Object) bool { return o.GetNamespace() == r.Deployment.Namespace })
	return ctrl.NewControllerManagedBy(mgr).
		Named("secrets-role").
		For(&appsv1.Deployment{}, builder.WithPredicates(isNamed(r.Deployment), changed())).
		Owns(&rbacv1.Role{}).
		Owns(&rbacv1.RoleBinding{}).
		Watches(&v1alpha1.BGPPeer{}, all, builder.WithPredicates(predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, anew()))).
		Watches(&corev1.Secret{}, all, builder.WithPredicates(inNamespace, anew())).
		Complete(r)
}

// anew passes all events but updates of one and the same object: what was deleted and made anew while nobody watched comes as
// an update.
func anew() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() }}
}

// Reconcile applies Role and binding, unless the Deployment is on its way out: then they go with it.
func (r *SecretsRoleReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	owner, err := staying(ctx, r.client, r.Deployment)
	if owner == nil || err != nil {
		return ctrl.Result{}, err
	}
	var (
		peers   v1alpha1.BGPPeerList
		secrets corev1.SecretList
	)
	if err := r.client.List(ctx, &peers); err != nil {
		return ctrl.Result{}, fmt.Errorf("read BGPPeers: %w", err)
	}
	if err := r.client.List(ctx, &secrets, client.InNamespace(r.Deployment.Namespace)); err != nil {
		return ctrl.Result{}, fmt.Errorf("read Secrets: %w", err)
	}
	return ctrl.Result{}, errors.Join(
		apply(ctx, r.client, secretsRole(owner, readable(peers.Items, secrets.Items))),
		apply(ctx, r.client, secretsRoleBinding(owner)),
	)
}

// readable returns the names of the Secrets that agents need to read, sorted.
func readable(peers []v1alpha1.BGPPeer, secrets []corev1.Secret) []string {
	named := map[string]bool{}
	for i := range peers {
		if p := peers[i].Spec.Password; p != nil {
			named[p.SecretKeyRef.Name] = true
		}
	}
	var names []string
	for i := range secrets {
		if named[secrets[i].Name] && password.MayHold(secrets[i].Name, string(secrets[i].Type)) {
			names = append(names, secrets[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

func secretsRole(owner *appsv1.Deployment, names []string) *rbacv1.Role {
	role := &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: secretsRoleMeta(owner),
		Rules:      []rbacv1.PolicyRule{},
	}
	if len(names) > 0 { // No names would be all names.
		role.Rules = []rbacv1.PolicyRule{{
			APIGroups: []string{corev1.GroupName}, Resources: []string{"secrets"}, ResourceNames: names,
			Verbs: []string{"get", "list", "watch"},
		}}
	}
	return role
}

func secretsRoleBinding(owner *appsv1.Deployment) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: secretsRoleMeta(owner),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: AgentSecretsRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: agentServiceAccount, Namespace: owner.Namespace}},
	}
}

func secretsRoleMeta(owner *appsv1.Deployment) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: AgentSecretsRole, Namespace: owner.Namespace,
		Labels:          map[string]string{"app.kubernetes.io/name": "herald", "app.kubernetes.io/component": "agent"},
		OwnerReferences: ownedBy(owner, appsv1.SchemeGroupVersion.WithKind("Deployment")),
	}
}
