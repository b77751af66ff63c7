package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/herald-network/herald/internal/adapter/bootmarker"
	"github.com/herald-network/herald/internal/adapter/kube"
	"github.com/herald-network/herald/internal/adapter/netlink"
	"github.com/herald-network/herald/internal/adapter/nftables"
	"github.com/herald-network/herald/internal/adapter/statefile"
	"github.com/herald-network/herald/internal/agent"
	"github.com/herald-network/herald/internal/core/saved"
	"github.com/herald-network/herald/internal/metrics"
)

// host is what an agent does on its node beside BGP.
type host struct {
	loops  *agent.LoopGuard
	keeper *agent.Keeper
}

func newHost(
	o options, log logr.Logger, clients *kube.Clients, registry prometheus.Registerer, loop *metrics.Loop, marker bootmarker.Marker,
) host {
	rules := nftables.New()
	file := statefile.New(o.stateDirectory, saved.Identity{Node: o.node, Boot: marker.BootID()})
	return host{
		loops:  agent.NewLoopGuard(rules, netlink.New(), metrics.NewLoopPrevention(registry, rules.Packets), log),
		keeper: agent.NewKeeper(file, clients, loop, log),
	}
}

// serviceProxy returns what the first session waits for: nothing, where routers sent packets to this node before in this
// boot.
func serviceProxy(o options, preserved bool) agent.ServiceProxy {
	proxy := agent.ServiceProxy{
		Check: func(ctx context.Context) error { return isHealthy(ctx, o.serviceProxyHealthURL) },
	}
	if !preserved {
		proxy.Patience = o.serviceProxyWait
	}
	return proxy
}

// isHealthy returns an error where a URL does not answer with the status 200.
func isHealthy(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask for the service proxy's health: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for the service proxy's health: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the service proxy at %s is not healthy: it answers %s", url, response.Status)
	}
	return nil
}
