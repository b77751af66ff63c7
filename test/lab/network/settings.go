package network

import (
	"fmt"
	"os"
	"strings"

	"github.com/herald-network/herald/test/lab/topology"
)

// settings are values below /proc/sys/net.
type settings map[string]string

func hostSettings(role topology.Role) settings {
	s := settings{
		// Hash over ports, so that one client's connections spread over all next hops.
		"ipv4/fib_multipath_hash_policy": "1",
		"ipv6/fib_multipath_hash_policy": "1",
		// Pass over a next hop that does not answer.
		"ipv4/fib_multipath_use_neigh":              "1",
		"ipv4/conf/all/ignore_routes_with_linkdown": "1",
		"ipv6/conf/all/ignore_routes_with_linkdown": "1",
		// New interfaces copy the machine's own setting, and the stricter one of it and "all" counts.
		"ipv4/conf/default/rp_filter": "0",
		"ipv4/conf/all/rp_filter":     "0",
		"ipv6/conf/default/accept_ra": "0",
		// A link-local address that is still looking for duplicates can't ask for neighbours.
		"ipv6/conf/default/accept_dad": "0",
	}
	if role == topology.RoleNode {
		s["ipv4/conf/all/rp_filter"] = "2" // The strictest that Herald promises to work with.
	}
	if role == topology.RoleNode || role == topology.RoleRouter {
		s["ipv4/ip_forward"] = "1"
		s["ipv6/conf/all/forwarding"] = "1"
	}
	return s
}

// portSettings let a host notice within seconds that a neighbour is gone.
func portSettings(name string) settings {
	s := settings{}
	for _, version := range []string{"ipv4", "ipv6"} {
		neighbour := version + "/neigh/" + name + "/"
		s[neighbour+"base_reachable_time_ms"] = "2000"
		s[neighbour+"delay_first_probe_time"] = "1"
		s[neighbour+"retrans_time_ms"] = "250"
	}
	return s
}

func set(s settings) error {
	for name, value := range s {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
			return fmt.Errorf("set net.%s to %s: %w", strings.ReplaceAll(name, "/", "."), value, err)
		}
	}
	return nil
}
