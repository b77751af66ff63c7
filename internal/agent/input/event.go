// Package input is the port through which an agent hears of the API objects that it acts on: each change is an event of
// plain values, and a queue hands the events from those who watch the API server to the agent's loop.
package input

import (
	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
)

// Kind names a kind of object that an agent follows.
type Kind string

// The kinds.
const (
	KindService          Kind = "Service"
	KindEndpointSlice    Kind = "EndpointSlice"
	KindNode             Kind = "Node"
	KindBGPPeer          Kind = "BGPPeer"
	KindBGPConfiguration Kind = "BGPConfiguration"
	KindSecret           Kind = "Secret"
)

// Kinds returns the kinds that an agent follows from the start: until each is synced, nothing is known. Secrets are not among
// them, since which ones there are to follow is for BGPPeers to say, and one that can't be read is missed by its peers alone.
func Kinds() []Kind {
	return []Kind{KindService, KindEndpointSlice, KindNode, KindBGPPeer, KindBGPConfiguration}
}

// Event is one change: a Service, Slice, Node, Peer, Configuration, Password or Synced.
type Event interface{ isEvent() }

// Service is a Service as it is now.
type Service struct {
	Key advertise.ServiceKey
	// Spec is nil where the Service is gone.
	Spec *advertise.Service
}

// Slice is an EndpointSlice as it is now.
type Slice struct {
	Key advertise.SliceKey
	// Slice is nil where the EndpointSlice is gone.
	Slice *advertise.Slice
}

// Node is the agent's own Node as it is now.
type Node struct {
	// Node is nil where the Node is gone.
	Node *intent.Node
	// Silent says that its kubelet is not heard of any more: a shutdown that it spoke of before is not known to be over.
	Silent bool
}

// Peer is a BGPPeer as it is now.
type Peer struct {
	Name string
	// Peer is nil where the BGPPeer is gone. It must not change afterwards.
	Peer *v1alpha1.BGPPeer
}

// Configuration is a BGPConfiguration as it is now.
type Configuration struct {
	Name string
	// Configuration is nil where the BGPConfiguration is gone. It must not change afterwards.
	Configuration *v1alpha1.BGPConfiguration
}

// Password is what a key of a Secret holds now.
type Password struct {
	Key   v1alpha1.SecretKeyRef
	Found password.Found
}

// Synced says that all objects of a kind that there are have been told.
type Synced struct{ Kind Kind }

func (Service) isEvent()       {}
func (Slice) isEvent()         {}
func (Node) isEvent()          {}
func (Peer) isEvent()          {}
func (Configuration) isEvent() {}
func (Password) isEvent()      {}
func (Synced) isEvent()        {}
