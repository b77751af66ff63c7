package topology

import (
	"fmt"
	"net/netip"
)

// Names of the hosts that every lab has; nodes are named by NodeName, routers by RouterName.
const (
	ControlPlane = "control-plane"
	External     = "external"
)

// Limits of what one rack holds.
const (
	MaxNodes   = 80
	MaxRouters = 4
)

// Options say how large the rack is.
type Options struct {
	// Nodes is the number of nodes, 1 to MaxNodes.
	Nodes int
	// Routers is the number of top-of-rack routers, 1 to MaxRouters.
	Routers int
	// IPv6 makes the rack dual stack.
	IPv6 bool
}

// Role is what a host is there for.
type Role uint8

// The roles.
const (
	RoleRouter Role = iota + 1
	RoleNode
	RoleControlPlane
	RoleClient
)

// Network is one of the switched networks.
type Network string

// The networks.
const (
	RackNetwork    Network = "rack"
	OutsideNetwork Network = "outside"
)

// Rack is the plan. Lists by family have IPv4 first.
type Rack struct {
	Hosts []Host
	// Subnets are the rack's own, where routers and nodes meet.
	Subnets []netip.Prefix
	// Pods are the ranges that the nodes' PodCIDRs are from, Services the ranges of cluster IPs.
	Pods, Services []netip.Prefix
}

// Host is a machine of the rack.
type Host struct {
	Name   string
	Role   Role
	Ports  []Port
	Routes []Route
	// PodCIDRs are the ranges of a node's pods.
	PodCIDRs []netip.Prefix
}

// Port is a host's connection to a network.
type Port struct {
	Interface string
	Network   Network
	Addresses []netip.Prefix
}

// Route is a static route, over all of its next hops.
type Route struct {
	To  netip.Prefix
	Via []netip.Addr
}

// family is the address plan of one IP version. The patterns take a number: a host's or a node's.
type family struct {
	rack, outside, nodePods string
	pods, services, all     string
}

func families(ipv6 bool) []family {
	list := []family{{
		rack: "192.168.1.%d/24", outside: "172.31.0.%d/24", nodePods: "10.48.%d.0/24",
		pods: "10.48.0.0/16", services: "10.49.0.0/16", all: "0.0.0.0/0",
	}}
	if ipv6 {
		list = append(list, family{
			rack: "fd00:1::%d/64", outside: "fd00:31::%d/64", nodePods: "fd00:48:0:%x::/64",
			pods: "fd00:48::/56", services: "fd00:49::/112", all: "::/0",
		})
	}
	return list
}

// Numbers of the hosts within their networks.
const (
	firstNode          = 11
	controlPlaneNumber = 100
	externalNumber     = 2
)

// routerNumbers returns the number of router r, counted from 0, in the rack and outside.
func routerNumbers(r int) (rack, outside int) { return 1 + r, 1 + 2*r }

// NodeName returns the name of node n, counted from 1.
func NodeName(n int) string { return fmt.Sprintf("node-%d", n) }

// RouterName returns the name of router n, counted from 1.
func RouterName(n int) string {
	if n == 1 {
		return "tor"
	}
	return fmt.Sprintf("tor-%d", n)
}

// New makes the plan.
func New(o Options) (Rack, error) {
	if o.Nodes < 1 || o.Nodes > MaxNodes {
		return Rack{}, fmt.Errorf("%d nodes: a rack has 1 to %d", o.Nodes, MaxNodes)
	}
	if o.Routers < 1 || o.Routers > MaxRouters {
		return Rack{}, fmt.Errorf("%d routers: a rack has 1 to %d", o.Routers, MaxRouters)
	}
	var rack Rack
	for _, f := range families(o.IPv6) {
		rack.Subnets = append(rack.Subnets, netip.MustParsePrefix(fmt.Sprintf(f.rack, 0)).Masked())
		rack.Pods = append(rack.Pods, netip.MustParsePrefix(f.pods))
		rack.Services = append(rack.Services, netip.MustParsePrefix(f.services))
	}
	for r := range o.Routers {
		rack.Hosts = append(rack.Hosts, router(r, o))
	}
	rack.Hosts = append(rack.Hosts, client(o), controlPlane(o))
	for n := 1; n <= o.Nodes; n++ {
		rack.Hosts = append(rack.Hosts, node(n, o))
	}
	return rack, nil
}

func router(r int, o Options) Host {
	host := Host{Name: RouterName(r + 1), Role: RoleRouter}
	inRack, outside := routerNumbers(r)
	host.Ports = []Port{
		{Interface: "eth0", Network: RackNetwork, Addresses: inEach(o, func(f family) string { return f.rack }, inRack)},
		{Interface: "eth1", Network: OutsideNetwork, Addresses: inEach(o, func(f family) string { return f.outside }, outside)},
	}
	return host
}

func client(o Options) Host {
	host := Host{Name: External, Role: RoleClient}
	host.Ports = []Port{{
		Interface: "eth0", Network: OutsideNetwork,
		Addresses: inEach(o, func(f family) string { return f.outside }, externalNumber),
	}}
	for _, f := range families(o.IPv6) {
		route := Route{To: netip.MustParsePrefix(f.all)}
		for r := range o.Routers {
			_, outside := routerNumbers(r)
			route.Via = append(route.Via, address(f.outside, outside))
		}
		host.Routes = append(host.Routes, route)
	}
	return host
}

func controlPlane(o Options) Host {
	return inRack(Host{Name: ControlPlane, Role: RoleControlPlane}, controlPlaneNumber, o)
}

func node(n int, o Options) Host {
	host := Host{Name: NodeName(n), Role: RoleNode}
	host.PodCIDRs = inEach(o, func(f family) string { return f.nodePods }, n)
	return inRack(host, firstNode-1+n, o)
}

// inRack gives a host its port in the rack, its way out through every router and its way to the pods of the others.
func inRack(host Host, number int, o Options) Host {
	host.Ports = []Port{{
		Interface: "eth0", Network: RackNetwork,
		Addresses: inEach(o, func(f family) string { return f.rack }, number),
	}}
	for _, f := range families(o.IPv6) {
		out := Route{To: netip.MustParsePrefix(f.all)}
		for r := range o.Routers {
			inRack, _ := routerNumbers(r)
			out.Via = append(out.Via, address(f.rack, inRack))
		}
		host.Routes = append(host.Routes, out)
		for n := 1; n <= o.Nodes; n++ {
			if NodeName(n) == host.Name {
				continue
			}
			to := netip.MustParsePrefix(fmt.Sprintf(f.nodePods, n))
			host.Routes = append(host.Routes, Route{To: to, Via: []netip.Addr{address(f.rack, firstNode-1+n)}})
		}
	}
	return host
}

// inEach fills the pattern of each family.
func inEach(o Options, pattern func(family) string, number int) []netip.Prefix {
	var list []netip.Prefix
	for _, f := range families(o.IPv6) {
		list = append(list, netip.MustParsePrefix(fmt.Sprintf(pattern(f), number)))
	}
	return list
}

func address(pattern string, number int) netip.Addr {
	return netip.MustParsePrefix(fmt.Sprintf(pattern, number)).Addr()
}

// Host returns the host of that name.
func (r Rack) Host(name string) (Host, bool) {
	for _, host := range r.Hosts {
		if host.Name == name {
			return host, true
		}
	}
	return Host{}, false
}

// With returns the hosts of a role.
func (r Rack) With(role Role) []Host {
	var list []Host
	for _, host := range r.Hosts {
		if host.Role == role {
			list = append(list, host)
		}
	}
	return list
}

// Addresses returns the host's own addresses in its first network.
func (h Host) Addresses() []netip.Addr {
	list := make([]netip.Addr, 0, len(h.Ports[0].Addresses))
	for _, prefix := range h.Ports[0].Addresses {
		list = append(list, prefix.Addr())
	}
	return list
}
