package kube

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-network/herald/api/v1alpha1"
)

const bgpNodes = "bgpnodes"

// BGPNode is the BGPNode of one node.
type BGPNode struct {
	clients *Clients
	node    string
}

// BGPNode returns the BGPNode of a node.
func (c *Clients) BGPNode(node string) *BGPNode { return &BGPNode{clients: c, node: node} }

// Status returns the status as it stands; the zero status where there is none.
func (b *BGPNode) Status(ctx context.Context) (v1alpha1.BGPNodeStatus, error) {
	object := &v1alpha1.BGPNode{}
	err := b.clients.herald.Get().Resource(bgpNodes).Name(b.node).Do(ctx).Into(object)
	if apierrors.IsNotFound(err) {
		return v1alpha1.BGPNodeStatus{}, nil
	}
	if err != nil {
		return v1alpha1.BGPNodeStatus{}, fmt.Errorf("get BGPNode %s: %w", b.node, err)
	}
	return object.Status, nil
}

// SetStatus replaces the status as a whole, and creates the BGPNode where there is none.
func (b *BGPNode) SetStatus(ctx context.Context, status v1alpha1.BGPNodeStatus) error {
	err := b.patch(ctx, status)
	if apierrors.IsNotFound(err) {
		if err := b.create(ctx); err != nil {
			return err
		}
		err = b.patch(ctx, status)
	}
	if err != nil {
		return fmt.Errorf("write status of BGPNode %s: %w", b.node, err)
	}
	return nil
}

// patch writes without reading first: nobody else writes the status.
func (b *BGPNode) patch(ctx context.Context, status v1alpha1.BGPNodeStatus) error {
	patch, err := json.Marshal([]any{map[string]any{"op": "add", "path": "/status", "value": status}})
	if err != nil {
		return err
	}
	return b.clients.herald.Patch(types.JSONPatchType).Resource(bgpNodes).Name(b.node).SubResource("status").
		Body(patch).Do(ctx).Error()
}

func (b *BGPNode) create(ctx context.Context) error {
	owner, err := b.clients.ownerReference(ctx, b.node)
	if err != nil {
		return err
	}
	object := &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: b.node, OwnerReferences: owner}}
	err = b.clients.herald.Post().Resource(bgpNodes).Body(object).Do(ctx).Error()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create BGPNode %s: %w", b.node, err)
	}
	return nil
}

// ownerReference makes an object go with a Node. It does not block the Node's deletion, which would take a right on the
// Node's finalizers.
func (c *Clients) ownerReference(ctx context.Context, node string) ([]metav1.OwnerReference, error) {
	object := &corev1.Node{}
	if err := c.core.Get().Resource("nodes").Name(node).Do(ctx).Into(object); err != nil {
		return nil, fmt.Errorf("get Node %s: %w", node, err)
	}
	return []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: object.Name, UID: object.UID}}, nil
}
