package kube

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
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

const (
	// refusedPeriod is how often is asked again where the API server refuses to say.
	refusedPeriod = 100 * time.Millisecond
	// refusedRecently is how long ago the last refusal may be for it to hold.
	refusedRecently = 5 * refusedPeriod
)

// HasLeft reports whether the DaemonSet has given up a node with these labels for good: because it is gone or being
// deleted, selects other nodes, or because the agent's own credentials or rights were revoked. An error means that it is not
// known. Labels that are not known, nil, are taken to be selected.
//
// Whoever deletes everything at once may take the agent's rights away before its DaemonSet and its ServiceAccount: rights are
// revoked if an API server that is ready says so until the context ends. One that has just started may miss them for a moment,
// and is not ready before it knows them.
func (d *DaemonSet) HasLeft(ctx context.Context, node map[string]string) (bool, error) {
	var hasLeft bool
	var refused time.Time
	err := wait.PollUntilContextCancel(ctx, refusedPeriod, true, func(ctx context.Context) (bool, error) {
		var err error
		hasLeft, err = d.hasLeft(ctx, node)
		isRefused := apierrors.IsForbidden(err)
		if isRefused && d.clients.apps.Get().AbsPath("/readyz").Do(ctx).Error() == nil {
			refused = time.Now()
		}
		if isRefused {
			err = nil
		}
		return !isRefused, err
	})
	if err != nil && ctx.Err() != nil && time.Since(refused) < refusedRecently {
		return true, nil
	}
	return hasLeft, err
}

func (d *DaemonSet) hasLeft(ctx context.Context, node map[string]string) (bool, error) {
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
