// Package speaker is the port between the agent and the BGP engine of a node.
//
// A speaker holds one table of paths for the whole node and one session for each peer; what a session sends is
// bgp.Export of the table. Its strict fake is in speakertest.
package speaker

import (
	"context"
	"net/netip"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// CloseMode says what the routers shall think of the end of a speaker.
type CloseMode uint8

const (
	// KeepRoutes ends the connections without a NOTIFICATION, so that a peer with graceful restart keeps forwarding until
	// the next process is up (RFC 4724).
	KeepRoutes CloseMode = iota
	// WithdrawRoutes withdraws every path, then closes the sessions with Cease/Administrative Shutdown (RFC 4486).
	WithdrawRoutes
)

// Speaker is the BGP speaker of one node. Its methods may be called from any goroutine.
type Speaker interface {
	// Run carries out the steps in order. A step that fails does not keep the others from being tried; the error joins
	// what failed. Steps are idempotent: advertising a path that stands, or removing a peer that is gone, is no error.
	Run(ctx context.Context, steps []plan.Step) error
	// Observe returns what the sessions are doing now.
	Observe() bgp.Speaker
	// Advertised returns on how many sessions the prefix is on the wire now.
	Advertised(prefix netip.Prefix) int
	// Changed receives a nudge, never data, after what Observe returns has changed.
	Changed() <-chan struct{}
	// Close ends all sessions in the given mode. Nothing may be called afterwards but Observe.
	Close(ctx context.Context, mode CloseMode) error
}
