package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// FieldManager is the name under which the manager applies what it owns.
const FieldManager = "herald-manager"

// apply makes an object have the fields that are set in it, whoever changed them; other fields are left to others. The
// object says its own kind.
func apply(ctx context.Context, c client.Client, want client.Object) error {
	kind := want.GetObjectKind().GroupVersionKind().Kind
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(want)
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", kind, want.GetName(), err)
	}
	delete(fields, "status")
	applied := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: fields})
	if err := c.Apply(ctx, applied, client.FieldOwner(FieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("apply %s %s: %w", kind, want.GetName(), err)
	}
	return nil
}

// staying returns the manager's own Deployment; nil where it is gone or on its way out, and what it owns goes with it.
func staying(ctx context.Context, c client.Reader, key types.NamespacedName) (*appsv1.Deployment, error) {
	deployment := &appsv1.Deployment{}
	if err := c.Get(ctx, key, deployment); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if !deployment.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	return deployment, nil
}

// isNamed passes the events of one object.
func isNamed(key types.NamespacedName) predicate.Predicate {
	return predicate.NewPredicateFuncs(func(object client.Object) bool { return client.ObjectKeyFromObject(object) == key })
}

// changed passes the events by which an object may come to differ from what was applied; changes of its status do not.
func changed() predicate.Predicate {
	return predicate.Or[client.Object](
		predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, predicate.AnnotationChangedPredicate{})
}

// ownedBy makes an object go with its owner, of the given kind. It does not block the owner's deletion, which would take a
// right on the owner's finalizers.
func ownedBy(owner metav1.Object, kind schema.GroupVersionKind) []metav1.OwnerReference {
	reference := metav1.NewControllerRef(owner, kind)
	reference.BlockOwnerDeletion = nil
	return []metav1.OwnerReference{*reference}
}
