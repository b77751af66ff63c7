package e2e

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Blocks of the address plan.
const (
	clusterBlock    = "10.49.0.0/16"
	externalBlock   = "192.168.3.0/24"
	clusterBlockV6  = "fd00:49::/112"
	externalBlockV6 = "2001:db8:3::/120"
	balancerBlock   = "192.168.4.0/24"
	balancerBlockV6 = "2001:db8:4::/120"
)

const asNumber = 64512

// blocks returns what is advertised from every node, whatever Services there are: of what the base configuration allows
// all that is aggregated.
func blocks(r *rack) []string {
	if len(r.plan.Subnets) == 1 {
		return []string{clusterBlock, externalBlock}
	}
	return []string{clusterBlock, externalBlock, clusterBlockV6, externalBlockV6}
}

func baseConfiguration(r *rack) string {
	return configuration("default", baseBlocks(r))
}

func baseBlocks(r *rack) string {
	return clusterIPs(clusterBlocks(r)...) + externalIPs(externalBlocks(r)...) + loadBalancerIPs(balancerBlocks(r)...)
}

func clusterBlocks(r *rack) []string {
	if len(r.plan.Subnets) == 1 {
		return []string{clusterBlock}
	}
	return []string{clusterBlock, clusterBlockV6}
}

func externalBlocks(r *rack) []string {
	if len(r.plan.Subnets) == 1 {
		return []string{externalBlock}
	}
	return []string{externalBlock, externalBlockV6}
}

func balancerBlocks(r *rack) []string {
	if len(r.plan.Subnets) == 1 {
		return []string{balancerBlock}
	}
	return []string{balancerBlock, balancerBlockV6}
}

// configuration returns a BGPConfiguration; spec is its YAML, indented by two.
func configuration(name, spec string) string {
	return fmt.Sprintf(`---
apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata:
  name: %s
spec:
%s`, name, spec)
}

func clusterIPs(blocks ...string) string  { return blockList("serviceClusterIPs", blocks) }
func externalIPs(blocks ...string) string { return blockList("serviceExternalIPs", blocks) }

// loadBalancerIPs allows blocks of which each address is advertised by itself.
func loadBalancerIPs(blocks ...string) string {
	return strings.ReplaceAll(blockList("serviceLoadBalancerIPs", blocks), "- cidr: ", "- aggregation: Disabled\n    cidr: ")
}

func blockList(field string, blocks []string) string {
	text := "  " + field + ":\n"
	for _, block := range blocks {
		text += "  - cidr: " + block + "\n"
	}
	return text
}

// peers returns a BGPPeer for every router, named like it. IPv6 routes ride the IPv4 sessions.
func peers(r *rack) string {
	families := "[IPv4]"
	if len(r.plan.Subnets) > 1 {
		families = "[IPv4, IPv6]"
	}
	var text strings.Builder
	for _, host := range r.routerHosts {
		text.WriteString(peer(r, host, 0, asNumber, families))
	}
	return text.String()
}

// peer returns a BGPPeer for a router, at the router's address of subnet i (0: IPv4, 1: IPv6).
func peer(r *rack, router string, subnet, asn int, families string) string {
	host, _ := r.plan.Host(router)
	return fmt.Sprintf(`---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata:
  name: %s
spec:
  peerIP: %s
  asNumber: %d
  addressFamilies: %s
  holdTimeSeconds: %d
  connectRetryTimeSeconds: 1
`, router, host.Addresses()[subnet], asn, families, int(holdTime.Seconds()))
}

// echoOnEveryNode answers with the pod, the node and the client's address.
const echoOnEveryNode = `---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: echo
spec:
  selector:
    matchLabels: {app: echo}
  template:
    metadata:
      labels: {app: echo}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: echo
        image: lab/echo
        ports:
        - containerPort: 8080
`

// echoOnNode is one echo server that a nodeSelector ties to a node.
func echoOnNode(name, node string) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
spec:
  selector:
    matchLabels: {app: %[1]s}
  template:
    metadata:
      labels: {app: %[1]s}
    spec:
      nodeSelector: {kubernetes.io/hostname: %[2]s}
      terminationGracePeriodSeconds: 2
      containers:
      - name: echo
        image: lab/echo
        ports:
        - containerPort: 8080
`, name, node)
}

// reconfigure replaces the base configuration for the length of one case.
func (r *rack) reconfigure(ctx context.Context, spec string) {
	GinkgoHelper()
	Expect(r.Replace(ctx, configuration("default", spec))).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(r.Replace(ctx, baseConfiguration(r))).To(Succeed()) })
}
