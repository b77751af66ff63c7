package ipam

import (
	"net/netip"

	"go4.org/netipx"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/validate"
)

// Config is what is assigned from: the pools are the supply, the blocks the allowlist.
type Config struct {
	// Pools in any order.
	Pools []Pool
	// ExternalIPBlocks and LoadBalancerIPBlocks are the blocks of the two kinds in the BGPConfiguration named default.
	ExternalIPBlocks, LoadBalancerIPBlocks []netip.Prefix
}

// Pool is an ExternalIPPool.
type Pool struct {
	Name string
	// Addresses are those that the pool holds, without those to avoid.
	Addresses *netipx.IPSet
	// OnRequest keeps from the pool all Services that name neither it nor an address in it.
	OnRequest bool
	// Namespaces and Services select the Services that may take from the pool.
	Namespaces, Services labels.Selector
	// Priority orders the pools that fit a Service: the highest first, then by name.
	Priority int32
	// Closed says why the pool gives no more addresses, such as that it is being deleted or not accepted; "" where it does.
	// The addresses that it gave it holds all the same.
	Closed string
}

// ConfigOf reads the pools and blocks of a cluster. A pool that is being deleted, or not accepted, is closed. Of the state it
// reads what says whether a pool is accepted.
func ConfigOf(state cluster.State) Config {
	var config Config
	if base := state.Configuration(v1alpha1.DefaultConfigurationName); base != nil {
		for _, block := range validate.Blocks(&base.Spec) {
			switch block.List {
			case validate.ExternalIPBlocks:
				config.ExternalIPBlocks = append(config.ExternalIPBlocks, block.CIDR)
			case validate.LoadBalancerIPBlocks:
				config.LoadBalancerIPBlocks = append(config.LoadBalancerIPBlocks, block.CIDR)
			}
		}
	}
	check := crosscheck.In(state)
	for i := range state.Pools {
		config.Pools = append(config.Pools, poolIn(check, &state.Pools[i]))
	}
	return config
}

func poolIn(check *crosscheck.Check, object *v1alpha1.ExternalIPPool) Pool {
	return Pool{
		Name:       object.Name,
		Addresses:  crosscheck.PoolAddresses(object),
		OnRequest:  object.Spec.Assignment == v1alpha1.AssignOnRequest,
		Namespaces: selectorOf(object.Spec.NamespaceSelector),
		Services:   selectorOf(object.Spec.ServiceSelector),
		Priority:   object.Spec.Priority,
		Closed:     closedSince(check, object),
	}
}

// closedSince says why a pool gives no addresses; "" where it does.
func closedSince(check *crosscheck.Check, object *v1alpha1.ExternalIPPool) string {
	if object.DeletionTimestamp != nil {
		return "it is being deleted"
	}
	for _, finding := range check.Pool(object) {
		if !finding.Warning {
			return "it is not accepted: " + finding.Text()
		}
	}
	return ""
}

// selectorOf returns a selector, which selects all where it is absent, and nothing where it can't be read.
func selectorOf(selector *metav1.LabelSelector) labels.Selector {
	if selector == nil {
		return labels.Everything()
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return labels.Nothing()
	}
	return parsed
}
