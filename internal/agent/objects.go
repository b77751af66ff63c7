package agent

import (
	"slices"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
)

// objects are the API objects that the node's intent is made of; Services and EndpointSlices go straight to the table.
type objects struct {
	node intent.Node
	// hasNode says that the API server has told of the node.
	hasNode        bool
	configurations map[string]*v1alpha1.BGPConfiguration
	peers          map[string]*v1alpha1.BGPPeer
	passwords      intent.Passwords
	// unknown are the kinds of which not all objects have been told yet.
	unknown []input.Kind
	// reconfigured says that the intent must be made anew.
	reconfigured bool
}

func newObjects(node, namespace string) *objects {
	return &objects{
		node:           intent.Node{Name: node, Deleting: true},
		configurations: map[string]*v1alpha1.BGPConfiguration{},
		peers:          map[string]*v1alpha1.BGPPeer{},
		passwords:      intent.Passwords{Namespace: namespace, Found: map[v1alpha1.SecretKeyRef]password.Found{}},
		unknown:        input.Kinds(),
		reconfigured:   true,
	}
}

// areKnown reports whether all objects of all kinds have been told: before that, what is missing is not known to be gone.
func (o *objects) areKnown() bool { return len(o.unknown) == 0 }

// input returns what the intent is made of.
func (o *objects) input() intent.Input {
	in := intent.Input{Node: o.node, Passwords: o.passwords}
	for _, c := range o.configurations {
		in.Configurations = append(in.Configurations, *c)
	}
	for _, p := range o.peers {
		in.Peers = append(in.Peers, *p)
	}
	return in
}

// take enters what an event says.
func (o *objects) take(event input.Event, table *advertise.Table) {
	switch e := event.(type) {
	case input.Service:
		if e.Spec == nil {
			table.DeleteService(e.Key)
			return
		}
		table.SetService(e.Key, *e.Spec)
	case input.Slice:
		if e.Slice == nil {
			table.DeleteSlice(e.Key)
			return
		}
		table.SetSlice(e.Key, *e.Slice)
	case input.Node:
		o.setNode(e)
	case input.Peer:
		o.reconfigured = true
		set(o.peers, e.Name, e.Peer)
	case input.Configuration:
		o.reconfigured = true
		set(o.configurations, e.Name, e.Configuration)
	case input.Password:
		o.reconfigured = true
		o.passwords.Found[e.Key] = e.Found
	case input.Synced:
		o.unknown = slices.DeleteFunc(o.unknown, func(k input.Kind) bool { return k == e.Kind })
	}
}

// setNode enters the Node as it is now. One that is gone stays as it was last seen, but for being deleted. The router ID is
// decided once: another one would reset every session.
func (o *objects) setNode(e input.Node) {
	o.reconfigured = true
	if e.Node == nil {
		o.node.Deleting = true
		return
	}
	o.hasNode = true
	before := o.node
	o.node = *e.Node
	o.node.ShuttingDown = o.node.ShuttingDown || e.Silent && before.ShuttingDown
	o.node.RouterID = before.RouterID
	o.node.RouterID = o.node.DefaultRouterID()
}

// set enters an object as it is now, or takes out one that is gone.
func set[T any](objects map[string]*T, name string, object *T) {
	if object == nil {
		delete(objects, name)
		return
	}
	objects[name] = object
}
