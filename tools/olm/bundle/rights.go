package main

import (
	"fmt"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// OLM makes the service accounts, the ClusterRoles and their bindings of an operator itself, from the permissions in the
// ClusterServiceVersion. It would make Roles too, but not leave it at that: to an operator for all namespaces it gives what
// its Roles say in every namespace (ensureSingletonRBAC in OLM's operatorgroup.go), which would let Herald's manager read
// every Secret of the cluster. So Roles and RoleBindings are objects of the bundle, which are applied as they are.

// clusterPermissions returns what each service account may do in the whole cluster.
func (in *manifests) clusterPermissions() ([]any, error) {
	rules := map[string][]rbacv1.PolicyRule{}
	for _, binding := range in.clusterRoleBindings {
		role := find(in.clusterRoles, binding.RoleRef.Name)
		if role == nil {
			return nil, fmt.Errorf("ClusterRoleBinding %s: there is no ClusterRole %s", binding.Name, binding.RoleRef.Name)
		}
		if err := in.grant(rules, binding.Subjects, role.Rules); err != nil {
			return nil, fmt.Errorf("ClusterRoleBinding %s: %w", binding.Name, err)
		}
	}
	for _, binding := range in.roleBindings {
		if binding.Namespace == in.namespace.GetName() {
			continue
		}
		// A bundle is for one namespace. What is granted in another one, OLM can only grant in all.
		role := find(in.roles, binding.RoleRef.Name)
		if role == nil {
			return nil, fmt.Errorf("RoleBinding %s/%s: there is no Role %s", binding.Namespace, binding.Name, binding.RoleRef.Name)
		}
		if err := in.grant(rules, binding.Subjects, role.Rules); err != nil {
			return nil, fmt.Errorf("RoleBinding %s/%s: %w", binding.Namespace, binding.Name, err)
		}
	}
	var permissions []any
	for _, account := range slices.Sorted(maps.Keys(rules)) {
		granted, err := plain(rules[account])
		if err != nil {
			return nil, err
		}
		permissions = append(permissions, map[string]any{"serviceAccountName": account, "rules": granted})
	}
	for _, account := range in.accounts {
		if rules[account] == nil {
			return nil, fmt.Errorf("ServiceAccount %s: it is bound to no ClusterRole, so OLM would not make it", account)
		}
	}
	return permissions, nil
}

// grant adds rules to those of the service accounts among the subjects.
func (in *manifests) grant(to map[string][]rbacv1.PolicyRule, subjects []rbacv1.Subject, rules []rbacv1.PolicyRule) error {
	for _, subject := range subjects {
		if subject.Kind != rbacv1.ServiceAccountKind || !slices.Contains(in.accounts, subject.Name) {
			return fmt.Errorf("%s %s is none of the ServiceAccounts that are installed", subject.Kind, subject.Name)
		}
		to[subject.Name] = append(to[subject.Name], rules...)
	}
	return nil
}

// find returns the Role or the ClusterRole of a name, or nil.
func find[T rbacv1.Role | rbacv1.ClusterRole](roles []T, name string) *T {
	for i := range roles {
		switch role := any(&roles[i]).(type) {
		case *rbacv1.Role:
			if role.Name == name {
				return &roles[i]
			}
		case *rbacv1.ClusterRole:
			if role.Name == name {
				return &roles[i]
			}
		}
	}
	return nil
}

// carried returns the objects beside the ClusterServiceVersion: those that OLM applies as they are.
func (in *manifests) carried(csv *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	objects := slices.Concat(in.crds, in.asTheyAre)
	for i := range in.clusterRoles {
		role := &in.clusterRoles[i]
		bound := slices.ContainsFunc(in.clusterRoleBindings, func(b rbacv1.ClusterRoleBinding) bool { return b.RoleRef.Name == role.Name })
		switch {
		case !bound: // For users to bind.
		case in.isAnchor(role.Name):
			// Its rules are among the ClusterServiceVersion's: nothing but the object is needed.
			role.Rules = []rbacv1.PolicyRule{}
		default:
			continue
		}
		// OLM deletes the ClusterRoles with these labels once the ClusterServiceVersion is deleted, and adds none of its own to
		// what comes from a bundle.
		labels := map[string]string{"olm.owner": csv.GetName(), "olm.owner.kind": csv.GetKind(), "olm.owner.namespace": in.namespace.GetName()}
		maps.Copy(labels, role.Labels)
		role.Labels = labels
		object, err := untyped(role, rbacv1.SchemeGroupVersion.String(), "ClusterRole")
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	namespaced, err := in.namespaced(csv)
	if err != nil {
		return nil, err
	}
	objects = append(objects, namespaced...)
	for _, object := range objects {
		object.SetNamespace("") // OLM sets it.
	}
	return objects, nil
}

// namespaced returns the Roles and RoleBindings of Herald's own namespace, to go with the ClusterServiceVersion: OLM fills
// in the uid of such an owner, but makes none of these objects' owner by itself.
func (in *manifests) namespaced(csv *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	add := func(object any, kind, namespace string) error {
		if namespace != in.namespace.GetName() {
			return nil // Among the cluster permissions.
		}
		u, err := untyped(object, rbacv1.SchemeGroupVersion.String(), kind)
		if err != nil {
			return err
		}
		owner := map[string]any{"apiVersion": csv.GetAPIVersion(), "kind": csv.GetKind(), "name": csv.GetName(), "uid": ""}
		objects = append(objects, u)
		return unstructured.SetNestedSlice(u.Object, []any{owner}, "metadata", "ownerReferences")
	}
	for i := range in.roles {
		if err := add(&in.roles[i], "Role", in.roles[i].Namespace); err != nil {
			return nil, err
		}
	}
	for i := range in.roleBindings {
		if err := add(&in.roleBindings[i], "RoleBinding", in.roleBindings[i].Namespace); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// isAnchor says whether somebody may get the ClusterRole of a name. Herald's manager may for the one that owns the policies
// which it applies, whose name it knows; those that OLM makes of the permissions have other names with every version.
func (in *manifests) isAnchor(name string) bool {
	return slices.ContainsFunc(in.clusterRoles, func(role rbacv1.ClusterRole) bool {
		return slices.ContainsFunc(role.Rules, func(rule rbacv1.PolicyRule) bool {
			return slices.Contains(rule.Resources, "clusterroles") && slices.Contains(rule.ResourceNames, name)
		})
	})
}

// untyped turns an object into what YAML consists of.
func untyped(object any, apiVersion, kind string) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	return u, nil
}
