// Package network builds a rack out of network namespaces, bridges and veth pairs.
//
// A switched network is a namespace of its own with a bridge in it. A host's link is cut at the switch: the host sees its
// carrier go and keeps its addresses and routes, as with a cable that is pulled.
package network

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"go4.org/netipx"
	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/topology"
)

const bridge = "br0"

// Network is a rack's network.
type Network struct{ rack topology.Rack }

// switchOf returns the namespace of a network's switch, where each port is named after its host.
func switchOf(network topology.Network) string { return "switch-" + string(network) }

// Build makes the network of a rack. The host that here names, if any, is the caller's own network namespace.
func Build(rack topology.Rack, here string) (*Network, error) {
	n := &Network{rack: rack}
	for _, network := range []topology.Network{topology.RackNetwork, topology.OutsideNetwork} {
		if err := buildSwitch(network); err != nil {
			return nil, fmt.Errorf("build the switch of network %s: %w", network, err)
		}
	}
	for _, host := range rack.Hosts {
		create := netns.Create
		if host.Name == here {
			create = netns.Name
		}
		if err := create(host.Name); err != nil {
			return nil, err
		}
		if err := buildHost(host); err != nil {
			return nil, fmt.Errorf("wire host %s: %w", host.Name, err)
		}
	}
	return n, nil
}

// Cut takes the links of a host down. Twice is no error.
func (n *Network) Cut(host string) error { return n.setLinks(host, netlink.LinkSetDown) }

// Mend takes the links of a host up again. Twice is no error.
func (n *Network) Mend(host string) error { return n.setLinks(host, netlink.LinkSetUp) }

func (n *Network) setLinks(name string, set func(netlink.Link) error) error {
	host, ok := n.rack.Host(name)
	if !ok {
		return fmt.Errorf("no host %q", name)
	}
	var errs []error
	for _, port := range host.Ports {
		errs = append(errs, netns.Do(switchOf(port.Network), func() error {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return fmt.Errorf("port of %s on network %s: %w", name, port.Network, err)
			}
			return set(link)
		}))
	}
	return errors.Join(errs...)
}

func buildSwitch(network topology.Network) error {
	if err := netns.Create(switchOf(network)); err != nil {
		return err
	}
	return netns.Do(switchOf(network), func() error {
		snooping := false // Neighbour discovery must reach all ports from the first packet on.
		link := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs(), MulticastSnooping: &snooping}
		link.Name = bridge
		if err := netlink.LinkAdd(link); err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	})
}

func buildHost(host topology.Host) error {
	if err := netns.Do(host.Name, func() error { return prepare(host.Role) }); err != nil {
		return err
	}
	for _, port := range host.Ports {
		if err := plug(host.Name, port); err != nil {
			return fmt.Errorf("plug %s into network %s: %w", port.Interface, port.Network, err)
		}
		if err := netns.Do(host.Name, func() error { return configure(port) }); err != nil {
			return fmt.Errorf("configure %s: %w", port.Interface, err)
		}
	}
	return netns.Do(host.Name, func() error { return addRoutes(host.Routes) })
}

// prepare sets what must be set before there are interfaces.
func prepare(role topology.Role) error {
	if err := set(hostSettings(role)); err != nil {
		return err
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(loopback)
}

// plug connects a host's interface with a port of the switch.
func plug(host string, port topology.Port) error {
	return netns.Do(switchOf(port.Network), func() error {
		master, err := netlink.LinkByName(bridge)
		if err != nil {
			return err
		}
		link := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: port.Interface}
		link.Name, link.MasterIndex = host, master.Attrs().Index
		file, err := os.Open(netns.Path(host))
		if err != nil {
			return err
		}
		defer file.Close()
		link.PeerNamespace = netlink.NsFd(int(file.Fd()))
		if err := netlink.LinkAdd(link); err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	})
}

func configure(port topology.Port) error {
	link, err := netlink.LinkByName(port.Interface)
	if err != nil {
		return err
	}
	if err := set(portSettings(port.Interface)); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	for _, prefix := range port.Addresses {
		address := &netlink.Addr{IPNet: netipx.PrefixIPNet(prefix), Flags: unix.IFA_F_NODAD} // The plan has no duplicates to detect.
		if err := netlink.AddrAdd(link, address); err != nil {
			return fmt.Errorf("add address %s: %w", prefix, err)
		}
	}
	return nil
}

func addRoutes(routes []topology.Route) error {
	for _, r := range routes {
		route := &netlink.Route{Dst: netipx.PrefixIPNet(r.To)}
		for _, via := range r.Via {
			route.MultiPath = append(route.MultiPath, &netlink.NexthopInfo{Gw: via.AsSlice()})
		}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("add a route to %s via %s: %w", r.To, r.Via, err)
		}
	}
	return nil
}
