// Package podnet connects pods to the network of their node: each has a network namespace of its own, with one interface
// that is the other end of a veth pair in the node's namespace.
//
// The node's end has no address. A pod reaches everything through a gateway that exists only as an entry in its neighbour
// table, as with Calico: so a request that the node itself masquerades towards a pod comes from the node's own address.
package podnet

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"go4.org/netipx"
	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/proc"
)

// podInterface is the interface that a pod sees.
const podInterface = "eth0"

// Attachment is a pod's place in the network of its node.
type Attachment struct {
	// Netns is the name of the pod's network namespace, which Attach makes.
	Netns string
	// Node is the name of the node's network namespace.
	Node string
	// PodIPs are the pod's addresses, at most one of each family.
	PodIPs []netip.Addr
}

// Attach makes the pod's network namespace and connects it. Where it fails, nothing is left.
func Attach(a Attachment) error {
	if err := netns.Create(a.Netns); err != nil {
		return err
	}
	if err := a.connect(); err != nil {
		return errors.Join(err, Detach(a))
	}
	return nil
}

// Detach takes the connection and the namespace's name away. What is gone already is no error.
func Detach(a Attachment) error {
	err := netns.Do(a.Node, func() error {
		link, err := netlink.LinkByName(a.nodeInterface())
		if errors.As(err, new(netlink.LinkNotFoundError)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find the interface towards %s: %w", a.Netns, err)
		}
		return netlink.LinkDel(link)
	})
	return errors.Join(err, netns.Delete(a.Netns))
}

// nodeInterface is named after the pod's namespace; a name may have 15 characters.
func (a Attachment) nodeInterface() string {
	return fmt.Sprintf("pod%010x", a.hash()&0xff_ffff_ffff)
}

func (a Attachment) hash() uint64 {
	h := fnv.New64a()
	h.Write([]byte(a.Netns))
	return h.Sum64()
}

// nodeMAC is the same on every node and for every pod: each pod sees one only.
func nodeMAC() net.HardwareAddr { return net.HardwareAddr{0xee, 0xee, 0xee, 0xee, 0xee, 0xee} }

func (a Attachment) podMAC() net.HardwareAddr {
	h := a.hash()
	return net.HardwareAddr{0x02, byte(h >> 32), byte(h >> 24), byte(h >> 16), byte(h >> 8), byte(h)}
}

func (a Attachment) connect() error {
	if err := netns.Do(a.Node, a.configureNode); err != nil {
		return fmt.Errorf("connect %s to %s: %w", a.Netns, a.Node, err)
	}
	if err := netns.Do(a.Netns, a.configurePod); err != nil {
		return fmt.Errorf("configure %s: %w", a.Netns, err)
	}
	return nil
}

func (a Attachment) configureNode() error {
	pod, err := os.Open(filepath.Join(proc.NetnsDir, a.Netns))
	if err != nil {
		return err
	}
	defer pod.Close()
	veth := &netlink.Veth{
		LinkAttrs:        netlink.NewLinkAttrs(),
		PeerName:         podInterface,
		PeerNamespace:    netlink.NsFd(int(pod.Fd())),
		PeerHardwareAddr: a.podMAC(),
	}
	veth.Name, veth.HardwareAddr = a.nodeInterface(), nodeMAC()
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("add a veth pair: %w", err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return err
	}
	for _, ip := range a.PodIPs {
		route := &netlink.Route{LinkIndex: veth.Index, Dst: netipx.AddrIPNet(ip), Scope: unix.RT_SCOPE_LINK}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("add a route to %s: %w", ip, err)
		}
		if err := addNeighbour(veth.Index, ip, a.podMAC()); err != nil {
			return err
		}
	}
	return nil
}

func (a Attachment) configurePod() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return err
	}
	link, err := netlink.LinkByName(podInterface)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	for _, ip := range a.PodIPs {
		address := &netlink.Addr{IPNet: netipx.AddrIPNet(ip), Flags: unix.IFA_F_NODAD}
		if err := netlink.AddrAdd(link, address); err != nil {
			return fmt.Errorf("add address %s: %w", ip, err)
		}
		gateway := gatewayFor(ip)
		if err := addNeighbour(link.Attrs().Index, gateway, nodeMAC()); err != nil {
			return err
		}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("add a default route via %s: %w", gateway, err)
		}
	}
	return nil
}

func gatewayFor(pod netip.Addr) netip.Addr {
	if pod.Is4() {
		return netip.AddrFrom4([4]byte{169, 254, 1, 1})
	}
	return netip.MustParseAddr("fe80::1")
}

func addNeighbour(link int, ip netip.Addr, mac net.HardwareAddr) error {
	entry := &netlink.Neigh{LinkIndex: link, IP: ip.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT}
	if err := netlink.NeighSet(entry); err != nil {
		return fmt.Errorf("add neighbour %s: %w", ip, err)
	}
	return nil
}
