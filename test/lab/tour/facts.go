package tour

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// facts is what the tour has read from the cluster so far.
type facts struct {
	routers []Router
	// nodes are the InternalIPs of the nodes by name, gateways the first addresses of their pod ranges.
	nodes    map[string]netip.Addr
	gateways map[string]netip.Addr
	// serving are the nodes that run nginx, sorted.
	serving   []string
	clusterIP netip.Addr
}

// nextHops returns the addresses of the nodes with the given names, or of all of them, in order.
func (f *facts) nextHops(names ...string) []netip.Addr {
	var addrs []netip.Addr
	for name, addr := range f.nodes {
		if len(names) == 0 || slices.Contains(names, name) {
			addrs = append(addrs, addr)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

func (f *facts) noteNode(row map[string]string) error {
	address, err := netip.ParseAddr(row["ADDRESS"])
	if err != nil {
		return fmt.Errorf("node %s should have an address: %w", row["NODE"], err)
	}
	pods, err := netip.ParsePrefix(row["PODS"])
	if err != nil {
		return fmt.Errorf("node %s should have a range for pods: %w", row["NODE"], err)
	}
	if f.nodes == nil {
		f.nodes, f.gateways = map[string]netip.Addr{}, map[string]netip.Addr{}
	}
	f.nodes[row["NODE"]], f.gateways[row["NODE"]] = address, pods.Masked().Addr().Next()
	return nil
}

func (f *facts) nodesNoted() (string, error) {
	if len(f.nodes) < 3 {
		return "", fmt.Errorf("the tour needs three nodes to show a difference, and there are %d: lab up --nodes 3", len(f.nodes))
	}
	return fmt.Sprintf("there are %d nodes", len(f.nodes)), nil
}

func (f *facts) notePod(row map[string]string) error {
	if !slices.Contains(f.serving, row["NODE"]) {
		f.serving = append(f.serving, row["NODE"])
		slices.Sort(f.serving)
	}
	return nil
}

func (f *facts) podsSpread() (string, error) {
	if len(f.serving) != 2 {
		return "", fmt.Errorf("nginx should run on two nodes, and runs on %d", len(f.serving))
	}
	return "nginx runs on " + strings.Join(f.serving, " and "), nil
}

func (f *facts) noteClusterIP(row map[string]string) error {
	if row["NAME"] != "nginx" {
		return nil
	}
	var err error
	f.clusterIP, err = netip.ParseAddr(row["CLUSTER-IP"])
	return err
}

func (f *facts) clusterIPNoted() (string, error) {
	if !block(clusterBlock).Contains(f.clusterIP) {
		return "", errors.New("nginx should have a cluster IP in " + clusterBlock)
	}
	return fmt.Sprintf("nginx has the cluster IP %s", f.clusterIP), nil
}

func (f *facts) seesANode(line string) (string, error) {
	for name, addr := range f.nodes {
		if strings.Contains(line, addr.String()+" ") || strings.Contains(line, f.gateways[name].String()+" ") {
			return "nginx saw the request come from " + name, nil
		}
	}
	return "", fmt.Errorf("nginx should have seen a node's address: %s", strings.TrimSpace(line))
}

func (f *facts) seesTheClient(line string) (string, error) {
	if !strings.Contains(line, outside+" ") {
		return "", fmt.Errorf("nginx should have seen %s: %s", outside, strings.TrimSpace(line))
	}
	return "nginx saw the request come from " + outside + ", the outside client itself", nil
}
