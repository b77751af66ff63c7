package kube

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
)

// DaemonSet is the DaemonSet that runs the agent.
type DaemonSet struct {
	clients         *Clients
	namespace, name string
}

// DaemonSet returns the DaemonSet of a name.
func (c *Clients) DaemonSet(namespace, name string) *DaemonSet {
	return &DaemonSet{clients: c, namespace: namespace, name: name}
}

// HasLeft reports whether the DaemonSet has given up a node with these labels for good: because it is gone or being
// deleted, selects other nodes, or because the agent's own credentials were revoked. An error means that it is not known. Labels that
// are not known, nil, are taken to be selected.
func (d *DaemonSet) HasLeft(ctx context.Context, node map[string]string) (bool, error) {
	object := &appsv1.DaemonSet{}
	err := d.clients.apps.Get().Namespace(d.namespace).Resource("daemonsets").Name(d.name).Do(ctx).Into(object)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsUnauthorized(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("get DaemonSet %s/%s: %w", d.namespace, d.name, err)
	}
	selected := node == nil || labels.SelectorFromSet(object.Spec.Template.Spec.NodeSelector).Matches(labels.Set(node))
	return object.DeletionTimestamp != nil || !selected, nil
}
