package podnet_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-network/herald/test/lab/kubelet/podnet"
	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/network"
	"github.com/herald-network/herald/test/lab/proc"
	"github.com/herald-network/herald/test/lab/sandbox"
	"github.com/herald-network/herald/test/lab/topology"
)

func TestMain(m *testing.M) { os.Exit(sandbox.RunTests(context.Background(), m)) }

// namespaces returns the names of the network namespaces that there are.
func namespaces(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadDir(proc.NetnsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// links returns the names of a namespace's interfaces.
func links(t *testing.T, ns string) []string {
	t.Helper()
	var names []string
	err := netns.Do(ns, func() error {
		list, err := net.Interfaces()
		for _, link := range list {
			names = append(names, link.Name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// seenBy listens in one namespace, connects from another, and returns which address the listener saw.
func seenBy(t *testing.T, listener string, at netip.Addr, client string) netip.Addr {
	t.Helper()
	var server net.Listener
	err := netns.Do(listener, func() (err error) {
		server, err = new(net.ListenConfig).Listen(t.Context(), "tcp", netip.AddrPortFrom(at, 0).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := netns.Dial(client)(ctx, "tcp", server.Addr().String())
	if err != nil {
		t.Fatalf("from %s to %s in %s: %v", client, at, listener, err)
	}
	defer conn.Close()
	accepted, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	return netip.MustParseAddrPort(accepted.RemoteAddr().String()).Addr()
}

func TestPodsAreReachedFromEverywhereUnderTheirOwnAddresses(t *testing.T) {
	rack, err := topology.New(topology.Options{Nodes: 2, Routers: 1, IPv6: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := network.Build(rack, ""); err != nil {
		t.Fatal(err)
	}
	before, linksBefore := namespaces(t), links(t, "node-1")
	pods := make(map[string]podnet.Attachment)
	for name, node := range map[string]string{"pod-a": "node-1", "pod-b": "node-1", "pod-c": "node-2"} {
		host, _ := rack.Host(node)
		a := podnet.Attachment{Netns: name, Node: node}
		for _, r := range host.PodCIDRs {
			ip := r.Masked().Addr().Next().Next()
			if name == "pod-b" {
				ip = ip.Next()
			}
			a.PodIPs = append(a.PodIPs, ip)
		}
		if err := podnet.Attach(a); err != nil {
			t.Fatal(err)
		}
		pods[name] = a
	}
	a := pods["pod-a"]
	for i, ip := range a.PodIPs {
		for client, want := range map[string]netip.Addr{
			"pod-a":               ip,
			"pod-b":               pods["pod-b"].PodIPs[i],
			"pod-c":               pods["pod-c"].PodIPs[i],
			"node-1":              addresses(t, rack, "node-1")[i],
			"node-2":              addresses(t, rack, "node-2")[i],
			topology.ControlPlane: addresses(t, rack, topology.ControlPlane)[i],
		} {
			if got := seenBy(t, "pod-a", ip, client); got != want {
				t.Errorf("%s reaches %s from %s, want %s", client, ip, got, want)
			}
		}
		if got := seenBy(t, topology.ControlPlane, addresses(t, rack, topology.ControlPlane)[i], "pod-a"); got != ip {
			t.Errorf("the control plane sees the pod as %s, want %s", got, ip)
		}
	}
	for _, pod := range pods {
		for range 2 { // Twice is no error.
			if err := podnet.Detach(pod); err != nil {
				t.Errorf("detach %s: %v", pod.Netns, err)
			}
		}
	}
	if after := namespaces(t); !slices.Equal(after, before) {
		t.Errorf("namespaces are left: %v, before %v", after, before)
	}
	if after := links(t, "node-1"); !slices.Equal(after, linksBefore) {
		t.Errorf("interfaces are left: %v, before %v", after, linksBefore)
	}
}

func addresses(t *testing.T, rack topology.Rack, name string) []netip.Addr {
	t.Helper()
	host, ok := rack.Host(name)
	if !ok {
		t.Fatalf("no host %s", name)
	}
	return host.Addresses()
}

func TestAttachThatFailsLeavesNothing(t *testing.T) {
	before := namespaces(t)
	ip := netip.MustParseAddr("10.48.1.2")
	err := podnet.Attach(podnet.Attachment{Netns: "pod-x", Node: "no-such-node", PodIPs: []netip.Addr{ip}})
	if err == nil || !strings.Contains(err.Error(), "no-such-node") {
		t.Errorf("got %v", err)
	}
	if after := namespaces(t); !slices.Equal(after, before) {
		t.Errorf("namespaces are left: %v", after)
	}
}
