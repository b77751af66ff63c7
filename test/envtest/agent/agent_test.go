// Package agent_test runs the agent against a real API server, with the rights of its manifests and the fake speaker.
package agent_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/speaker"
)

const (
	nodeManifest = `{apiVersion: v1, kind: Node, metadata: {name: node-1}}`
	base         = `
apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata: {name: default}
spec: {serviceClusterIPs: [{cidr: 10.0.0.0/16}], serviceExternalIPs: [{cidr: 192.168.3.0/24, aggregation: Disabled}]}
---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: tor}
spec: {peerIP: 192.168.1.1, asNumber: 64512, maxReceivedPrefixes: 10}
`
)

// service is a Service with an external IP, and with an endpoint on node-1.
func service(name, externalIP string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: default}
spec: {ports: [{port: 80}], externalIPs: [%[2]s], externalTrafficPolicy: Local}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s-1, namespace: default, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
endpoints: [{addresses: [10.48.1.2], nodeName: node-1, conditions: {ready: true}}]
`, name, externalIP)
}

func TestAgent(t *testing.T) {
	server := newCluster(t)

	t.Run("says what the cluster asks for, and reports it", func(t *testing.T) {
		r := startAgent(t, server)
		r.Expect(r.speaker.Plans()).To(BeEmpty(), "an empty cluster asks for nothing")

		r.apply(base)
		r.Eventually(r.paths).Should(ConsistOf("10.0.0.0/16"))
		r.establish("tor")
		r.apply(service("nginx", "192.168.3.180"))
		r.Eventually(r.paths).Should(ConsistOf("10.0.0.0/16", r.clusterIP("nginx")+"/32", "192.168.3.180/32"))
		r.Eventually(r.status).Should(And(
			HaveField("Routes.IPv4", BeEquivalentTo(3)),
			HaveField("Sessions", ConsistOf(And(
				HaveField("Peer", "tor"), HaveField("State", v1alpha1.SessionEstablished), HaveField("Advertised", BeEquivalentTo(3)),
			))),
			HaveField("Conditions", ContainElement(HaveField("Reason", "AllEstablished"))),
		))
		r.Expect(r.kubectl("get", "bgpnode", "node-1", "-o", "jsonpath={.metadata.ownerReferences[0].kind}/{.metadata.ownerReferences[0].name}")).
			To(Equal("Node/node-1"))
		r.Expect(r.kubectl("-n", "herald-system", "get", "lease", "node-1", "-o", "jsonpath={.spec.holderIdentity}")).To(Equal("node-1"))

		r.kubectl("delete", "endpointslice", "nginx-1")
		r.Eventually(r.has("192.168.3.180/32")).Should(BeFalse())
	})

	t.Run("warns of a router that sends too much", func(t *testing.T) {
		r := startAgent(t, server)
		r.establish("tor")
		r.speaker.Offer("tor", 11)
		r.Eventually(r.kubectl).WithArguments("get", "events", "--field-selector", "type=Warning,involvedObject.name=tor").
			Should(ContainSubstring("received prefix limit"))
	})

	t.Run("keeps what it said while the API server is away, and catches up within seconds", func(t *testing.T) {
		r := startAgent(t, server)
		r.apply(service("stays", "192.168.3.1") + "---" + service("goes", "192.168.3.2"))
		r.Eventually(r.has("192.168.3.2/32")).Should(BeTrue())
		before := r.paths()

		r.gate.Shut()
		r.apply(service("comes", "192.168.3.3"))
		r.kubectl("delete", "service", "goes")
		r.Consistently(r.paths, "12s", "1s").Should(ConsistOf(before))
		r.catchesUp(func() { r.gate.Open(t) })
	})

	t.Run("notices an API server that fell silent, and catches up within seconds", func(t *testing.T) {
		r := startAgent(t, server)
		r.apply(service("goes", "192.168.3.2"))
		r.kubectl("delete", "service", "comes", "--ignore-not-found")
		r.Eventually(r.has("192.168.3.2/32")).Should(BeTrue())
		r.Eventually(r.has("192.168.3.3/32")).Should(BeFalse())
		before := r.paths()

		r.gate.Silence()
		r.apply(service("comes", "192.168.3.3"))
		r.kubectl("delete", "service", "goes")
		r.Consistently(r.paths, "12s", "1s").Should(ConsistOf(before))
		r.catchesUp(r.gate.Speak)
	})

	t.Run("makes its BGPNode again after it was deleted", func(t *testing.T) {
		r := startAgent(t, server)
		r.Eventually(r.status).Should(HaveField("AgentVersion", "v1"))
		r.kubectl("delete", "bgpnode", "node-1")
		r.establish("tor")
		r.Eventually(func() string { return r.kubectl("get", "bgpnodes", "-o", "name") }).Should(ContainSubstring("node-1"))
		r.Eventually(r.status).Should(HaveField("Conditions", ContainElement(HaveField("Reason", "AllEstablished"))))
	})

	t.Run("leaves quietly while its DaemonSet stands, and withdraws once that is gone", func(t *testing.T) {
		server.MustKubectl(t, daemonSet, "apply", "-f", "-")
		r := startAgent(t, server)
		r.stop()
		r.Expect(r.closeMode()).To(Equal(speaker.KeepRoutes))

		r = startAgent(t, server)
		r.kubectl("-n", "herald-system", "delete", "daemonset", "herald-agent")
		r.stop()
		r.Expect(r.closeMode()).To(Equal(speaker.WithdrawRoutes))
	})

	t.Run("that starts while the API server is away says what the one before said, and then what is new", func(t *testing.T) {
		server.MustKubectl(t, daemonSet, "apply", "-f", "-") // Else it would be gone for good, and leave nothing.
		directory := t.TempDir()
		first := launchAgent(t, server, directory, false)
		first.apply(base + "---" + service("stays", "192.168.3.1") + "---" + service("goes", "192.168.3.2"))
		first.Eventually(first.has("192.168.3.2/32")).Should(BeTrue())
		first.kubectl("delete", "service", "comes", "--ignore-not-found")
		first.Eventually(first.has("192.168.3.3/32")).Should(BeFalse())
		before := first.paths()
		first.stop()
		first.kubectl("delete", "service", "goes")
		first.apply(service("comes", "192.168.3.3"))

		r := launchAgent(t, server, directory, true)
		r.Consistently(r.speaker.Plans, "8s", "1s").Should(BeEmpty(), "it waits for the API server first")
		r.Eventually(r.paths).Should(ConsistOf(before))
		r.Expect(r.agent.Ready(t.Context())).To(MatchError(ContainSubstring("speaking from saved state")))
		r.establish("tor")
		plans := len(r.speaker.Plans())

		r.catchesUp(func() { r.gate.Open(t) })
		r.Eventually(r.agent.Ready).WithArguments(t.Context()).Should(Succeed())
		var steps []string
		for _, p := range r.speaker.Plans()[plans:] {
			for _, step := range p {
				steps = append(steps, step.String())
			}
		}
		r.Expect(steps).To(ContainElements("Advertise 192.168.3.3/32", "Withdraw 192.168.3.2/32"))
		r.Expect(steps).NotTo(ContainElement(Or(ContainSubstring("Peer"), ContainSubstring("192.168.3.1/32"), ContainSubstring("10.0.0.0/16"))))
	})

	t.Run("leaves quietly while the API server is away", func(t *testing.T) {
		r := startAgent(t, server)
		r.gate.Shut()
		r.stop()
		r.Expect(r.closeMode()).To(Equal(speaker.KeepRoutes))
	})
}

// catchesUp brings the API server back and expects what happened meanwhile to follow: comes at 192.168.3.3 came, goes at
// 192.168.3.2 went.
func (r *rig) catchesUp(back func()) {
	r.t.Helper()
	back()
	start := time.Now()
	r.Eventually(r.has("192.168.3.3/32"), "5s", "5ms").Should(BeTrue())
	r.Eventually(r.has("192.168.3.2/32"), "5s", "5ms").Should(BeFalse())
	r.t.Logf("caught up after %s", time.Since(start).Round(time.Millisecond))
}

func (r *rig) clusterIP(service string) string {
	return r.kubectl("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")
}

func (r *rig) closeMode() speaker.CloseMode {
	mode, closed := r.speaker.Closed()
	r.Expect(closed).To(BeTrue())
	return mode
}

const daemonSet = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: herald-agent, namespace: herald-system}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: agent, image: herald}]}
`
