package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/test/lab/topology"
)

// Blocks of the address plan.
const (
	clusterBlock    = "10.49.0.0/16"
	externalBlock   = "192.168.3.0/24"
	clusterBlockV6  = "fd00:49::/112"
	externalBlockV6 = "2001:db8:3::/120"
)

const asNumber = 64512

// blocks returns what the base configuration allows, and so what is advertised from every node.
func blocks(r *rack) []string {
	if len(r.plan.Subnets) == 1 {
		return []string{clusterBlock, externalBlock}
	}
	return []string{clusterBlock, externalBlock, clusterBlockV6, externalBlockV6}
}

func baseConfiguration(r *rack) string {
	return configuration("default", clusterIPs(clusterBlocks(r)...)+externalIPs(externalBlocks(r)...))
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

// service is a Service in front of echo servers.
type service struct {
	name string
	// app is the label of its pods; "echo" where empty.
	app         string
	local       bool
	port        int
	externalIPs []string
	families    []corev1.IPFamily
}

func (s service) manifest() string {
	policy, app, port := "Cluster", "echo", 80
	if s.local {
		policy = "Local"
	}
	if s.app != "" {
		app = s.app
	}
	if s.port != 0 {
		port = s.port
	}
	text := fmt.Sprintf(`---
apiVersion: v1
kind: Service
metadata:
  name: %s
spec:
  type: NodePort
  externalTrafficPolicy: %s
  selector: {app: %s}
  ports:
  - port: %d
    targetPort: 8080
`, s.name, policy, app, port)
	if len(s.externalIPs) > 0 {
		text += "  externalIPs: ['" + strings.Join(s.externalIPs, "', '") + "']\n"
	}
	if len(s.families) > 0 {
		text += fmt.Sprintf("  ipFamilies: [%s]\n", joined(s.families))
	}
	if len(s.families) > 1 {
		text += "  ipFamilyPolicy: RequireDualStack\n"
	}
	return text
}

// createService creates a Service for the length of one case and returns its cluster IPs.
func (r *rack) createService(ctx context.Context, s service) []string {
	GinkgoHelper()
	Expect(r.Apply(ctx, s.manifest())).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "service/"+s.name)).To(Succeed()) })
	var created corev1.Service
	Expect(r.api.Get(ctx, client.ObjectKey{Namespace: "default", Name: s.name}, &created)).To(Succeed())
	return created.Spec.ClusterIPs
}

// reconfigure replaces the base configuration for the length of one case.
func (r *rack) reconfigure(ctx context.Context, spec string) {
	GinkgoHelper()
	Expect(r.Replace(ctx, configuration("default", spec))).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(r.Replace(ctx, baseConfiguration(r))).To(Succeed()) })
}

// host returns the host route's prefix for an address.
func host(address string) string {
	addr := netip.MustParseAddr(address)
	return netip.PrefixFrom(addr, addr.BitLen()).String()
}

// url returns the URL of an address.
func url(address string) string {
	return "http://" + netip.AddrPortFrom(netip.MustParseAddr(address), 80).String() + "/"
}

// outsideClient is the address of the outside client that answers name, in the family of the address.
func (r *rack) outsideClient(address string) string {
	client, _ := r.plan.Host(topology.External)
	for _, addr := range client.Addresses() {
		if addr.Is4() == netip.MustParseAddr(address).Is4() {
			return addr.String()
		}
	}
	return ""
}

func joined[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}
