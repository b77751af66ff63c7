package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/status"
	"github.com/herald-network/herald/internal/liveness"
)

// picture is the cluster and what its agents report, at one moment.
type picture struct {
	state cluster.State
	check *crosscheck.Check
	nodes []status.Node
}

// view keeps a picture that all looks share. Only what was marked since is read again: reading 5,000 nodes takes
// milliseconds, and they report one by one. Whoever marks first and wakes then can't miss what he saw.
type view struct {
	source clustercache.Source
	agents *liveness.Agents

	marks struct {
		sync.Mutex
		everything bool
		nodes      map[string]bool
	}

	// mu is held for as long as a look takes.
	mu      sync.Mutex
	picture picture
	// places are where nodes are in the picture.
	places map[string]int
}

func newView(source clustercache.Source, agents *liveness.Agents) *view {
	v := &view{source: source, agents: agents}
	v.markEverything()
	return v
}

// markEverything has all be read again: an object changed that decides about nodes, not only what a node reports.
func (v *view) markEverything() {
	v.marks.Lock()
	defer v.marks.Unlock()
	v.marks.everything = true
}

// markNode has what a node reports, and whether its agent is alive, be read again.
func (v *view) markNode(name string) {
	v.marks.Lock()
	defer v.marks.Unlock()
	if v.marks.nodes == nil {
		v.marks.nodes = map[string]bool{}
	}
	v.marks.nodes[name] = true
}

// look calls a function with the cluster as the cache has it now. The picture is no one's to keep or to change.
func (v *view) look(ctx context.Context, at func(*picture)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(ctx); err != nil {
		return err
	}
	at(&v.picture)
	return nil
}

func (v *view) refresh(ctx context.Context) error {
	v.marks.Lock()
	everything, nodes := v.marks.everything, v.marks.nodes
	v.marks.everything, v.marks.nodes = false, nil
	v.marks.Unlock()
	if !everything {
		for name := range nodes {
			if err := v.readNode(ctx, name); err != nil {
				v.markEverything()
				return err
			}
		}
		return nil
	}
	if err := v.readEverything(ctx); err != nil {
		v.markEverything()
		return err
	}
	return nil
}

func (v *view) readEverything(ctx context.Context) error {
	state, err := v.source.State(ctx)
	if err != nil {
		return err
	}
	var reports v1alpha1.BGPNodeList
	if err := v.source.Reader.List(ctx, &reports, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("read BGPNodes from the cache: %w", err)
	}
	// In the order of names they need no sorting in any look to come.
	slices.SortFunc(state.Nodes, func(a, b intent.Node) int { return strings.Compare(a.Name, b.Name) })
	nodes := make([]status.Node, len(state.Nodes))
	places := make(map[string]int, len(state.Nodes))
	for i, node := range state.Nodes {
		nodes[i].Node = node
		nodes[i].Silent, nodes[i].LastHeard = v.agents.Of(node.Name)
		places[node.Name] = i
	}
	for i := range reports.Items {
		if place, known := places[reports.Items[i].Name]; known {
			nodes[place].Report = reported(&reports.Items[i])
		}
	}
	v.picture = picture{state: state, check: crosscheck.In(state), nodes: nodes}
	v.places = places
	return nil
}

// readNode reads what a node reports; that of a node that does not exist, or not yet, counts for nothing.
func (v *view) readNode(ctx context.Context, name string) error {
	place, known := v.places[name]
	if !known {
		return nil
	}
	var report v1alpha1.BGPNode
	err := v.source.Reader.Get(ctx, client.ObjectKey{Name: name}, &report, client.UnsafeDisableDeepCopy)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read BGPNode %s from the cache: %w", name, err)
	}
	node := &v.picture.nodes[place]
	node.Silent, node.LastHeard = v.agents.Of(name)
	node.Report = nil
	if !apierrors.IsNotFound(err) {
		node.Report = reported(&report)
	}
	return nil
}

// reported returns what a BGPNode says; nil for one whose agent has not written its status yet.
func reported(n *v1alpha1.BGPNode) *v1alpha1.BGPNodeStatus {
	if len(n.Status.Conditions) == 0 {
		return nil
	}
	return &n.Status
}
