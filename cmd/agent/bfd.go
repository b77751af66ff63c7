package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/herald-network/herald/internal/adapter/bfd"
	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
)

// goodbyeTime bounds how long an agent that ends goes on to tell its peers so.
const goodbyeTime = 4 * time.Second

// watchWith has the speaker's BFD sessions held by the monitor.
func watchWith(monitor *bfd.Monitor) gobgp.WatchBFD {
	return func(parameters bgp.BFD, local, remote netip.Addr, notify func(bgp.BFDEvent)) gobgp.BFDSession {
		return monitor.Watch(parameters, local, remote, notify)
	}
}

// sayGoodbye waits until the peers know that BFD was shut down, lest they take the end of the process for a failure.
func sayGoodbye(ctx context.Context, monitor *bfd.Monitor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
	defer cancel()
	monitor.Close(ctx)
}
