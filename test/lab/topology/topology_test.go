package topology_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/test/lab/topology"
)

var update = flag.Bool("update", false, "write the golden files")

// render writes a plan as one reads it.
func render(rack topology.Rack) string {
	var b strings.Builder
	fmt.Fprintf(&b, "subnets %v pods %v services %v\n", rack.Subnets, rack.Pods, rack.Services)
	for _, host := range rack.Hosts {
		fmt.Fprintf(&b, "%s", host.Name)
		if len(host.PodCIDRs) > 0 {
			fmt.Fprintf(&b, " pods %v", host.PodCIDRs)
		}
		fmt.Fprintln(&b)
		for _, port := range host.Ports {
			fmt.Fprintf(&b, "  %s on %s %v\n", port.Interface, port.Network, port.Addresses)
		}
		for _, route := range host.Routes {
			fmt.Fprintf(&b, "  %s via %v\n", route.To, route.Via)
		}
	}
	return b.String()
}

func TestPlan(t *testing.T) {
	for name, options := range map[string]topology.Options{
		"three-nodes":            {Nodes: 3, Routers: 1},
		"two-routers-dual-stack": {Nodes: 2, Routers: 2, IPv6: true},
		"four-routers":           {Nodes: 1, Routers: 4},
	} {
		t.Run(name, func(t *testing.T) {
			rack, err := topology.New(options)
			if err != nil {
				t.Fatal(err)
			}
			got, golden := render(rack), filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryAddressIsUsedOnce(t *testing.T) {
	rack, err := topology.New(topology.Options{Nodes: topology.MaxNodes, Routers: topology.MaxRouters, IPv6: true})
	if err != nil {
		t.Fatal(err)
	}
	owner := map[string]string{}
	for _, host := range rack.Hosts {
		for _, port := range host.Ports {
			for _, prefix := range port.Addresses {
				if other, taken := owner[prefix.Addr().String()]; taken {
					t.Errorf("%s is both %s and %s", prefix.Addr(), other, host.Name)
				}
				owner[prefix.Addr().String()] = host.Name
			}
		}
		for i, podCIDR := range host.PodCIDRs {
			if !rack.Pods[i].Overlaps(podCIDR) || rack.Pods[i].Bits() >= podCIDR.Bits() {
				t.Errorf("%s of %s is not inside %s", podCIDR, host.Name, rack.Pods[i])
			}
		}
	}
}

func TestSizesOutOfBoundsAreRefused(t *testing.T) {
	for want, options := range map[string]topology.Options{
		"0 nodes: a rack has 1 to 80":   {Nodes: 0, Routers: 1},
		"81 nodes: a rack has 1 to 80":  {Nodes: 81, Routers: 1},
		"0 routers: a rack has 1 to 4":  {Nodes: 3, Routers: 0},
		"5 routers: a rack has 1 to 4":  {Nodes: 3, Routers: 5},
		"-1 routers: a rack has 1 to 4": {Nodes: 3, Routers: -1},
	} {
		if _, err := topology.New(options); err == nil || err.Error() != want {
			t.Errorf("%+v: got %v, want %s", options, err, want)
		}
	}
}
