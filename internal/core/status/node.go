package status

import (
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
)

// Node is a node of the cluster and what its agent says of it.
type Node struct {
	Node intent.Node
	// Report is the status of the node's BGPNode; nil where its agent never reported. Nobody changes what it holds.
	Report *v1alpha1.BGPNodeStatus
	// Silent says that the agent's Lease is not renewed any more: what it reported is no longer known to be so.
	Silent bool
	// LastHeard is when the Lease was last renewed; zero where it never was. It counts only for a silent agent.
	LastHeard time.Time
}
