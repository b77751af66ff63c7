package manager_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
)

const configuration = `
apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata: {name: default}
spec: {serviceClusterIPs: [{cidr: 10.49.0.0/16}], serviceExternalIPs: [{cidr: 192.168.3.0/24}]}
`

const tor = `
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: tor}
spec: {peerIP: 192.168.1.1, asNumber: 64512}
`

// What a user sees of three nodes' sessions, from the first report on.
func TestStatusFollowsTheNodes(t *testing.T) {
	r := newRack(t)
	r.apply(configuration)
	r.apply(tor)
	for number := range 3 {
		r.node(number + 1)
		r.reports(number + 1)
	}
	r.beat(1)
	r.beat(2)

	// An agent that gave no sign of life is unknown, whatever its BGPNode says.
	r.Eventually(r.columns("bgppeer", "tor")).Should(Equal("tor 192.168.1.1 64512 2/3 Unknown"))
	r.Expect(r.condition("bgppeer", "tor", "Established")()).To(And(HavePrefix("Unknown AgentSilent"), ContainSubstring("node-3")))
	r.beat(3)
	r.kubectl("wait", "--for=condition=Established", "bgppeer/tor", "--timeout=10s")
	r.Expect(r.columns("bgppeer", "tor")()).To(Equal("tor 192.168.1.1 64512 3/3 True"))
	r.Eventually(r.condition("bgpconfiguration", "default", "Advertised")).Should(HavePrefix("True Advertised"))
	r.Expect(r.kubectl("get", "bgpconfiguration", "default", "-o", "jsonpath={.status.nodes} {.status.advertisements}")).To(
		Equal(`{"desired":3,"reporting":3} [{"kind":"ClusterIP","nodes":3,"prefix":"10.49.0.0/16"}]`))

	// Nothing is written where nothing changes: agents renew their leases, kubelets their Nodes.
	for _, object := range [][2]string{{"bgppeer", "tor"}, {"bgpconfiguration", "default"}} {
		version := r.version(object[0], object[1])
		before := version()
		r.beat(1)
		r.kubectl("annotate", "--overwrite", "node", "node-1", "example.org/heartbeat="+object[0])
		r.Consistently(version).Should(Equal(before))
	}
	r.Expect(r.events("SessionDown")()).To(BeEmpty())

	// A session that is lost shows with its cause, in time and once.
	r.reports(2, down("tor", "hold timer expired"))
	r.Eventually(r.columns("bgppeer", "tor")).WithTimeout(2 * time.Second).Should(Equal("tor 192.168.1.1 64512 2/3 False"))
	r.Expect(r.condition("bgppeer", "tor", "Established")()).To(
		And(HavePrefix("False SessionsDown"), ContainSubstring("hold timer expired")))
	r.Expect(r.kubectl("get", "bgppeer", "tor", "-o", "jsonpath={.status.sessions[0].node} {.status.sessions[0].lastError}")).To(
		Equal("node-2 hold timer expired"), "those that are down come first")
	r.Eventually(r.events("SessionDown")).Should(ConsistOf(And(HavePrefix("BGPPeer/tor: "), ContainSubstring("hold timer expired"))))
	r.Consistently(r.events("SessionDown")).Should(HaveLen(1))

	// What somebody else writes into the status is put back.
	r.kubectl("patch", "bgppeer", "tor", "--subresource=status", "--type=merge", "-p", `{"status":{"nodes":{"ready":"9/9"}}}`)
	r.Eventually(r.columns("bgppeer", "tor")).Should(HaveSuffix("2/3 False"))

	r.reports(2)
	r.Eventually(r.columns("bgppeer", "tor")).Should(HaveSuffix("3/3 True"))
	r.Eventually(r.events("SessionUp")).WithTimeout(20 * time.Second).Should(ConsistOf(HavePrefix("BGPPeer/tor: ")))

	// Established is about the present generation.
	r.kubectl("patch", "bgppeer", "tor", "--type=merge", "-p", `{"spec":{"holdTimeSeconds":30}}`)
	r.Eventually(r.condition("bgppeer", "tor", "Established")).Should(HavePrefix("Unknown Pending"))
	for number := range 3 {
		r.reports(number + 1)
	}
	r.Eventually(r.condition("bgppeer", "tor", "Established")).Should(HavePrefix("True AllEstablished"))

	// A node that is gone is no longer asked for.
	r.kubectl("delete", "node", "node-3")
	r.Eventually(r.columns("bgppeer", "tor")).Should(HaveSuffix("2/2 True"))
	r.Eventually(r.columns("bgpconfiguration", "default")).Should(HavePrefix("default 2"))
}

// What is wrong with an object is said on it, and the others go on.
func TestStatusSaysWhatIsWrong(t *testing.T) {
	r := newRack(t)
	r.apply(configuration)
	r.apply(tor)
	r.node(1)
	r.beat(1)
	r.reports(1)
	r.Eventually(r.columns("bgppeer", "tor")).Should(HaveSuffix("1/1 True"))

	r.apply(`
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: twin}
spec: {peerIP: 192.168.1.1, asNumber: 64512}
---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: secret}
spec: {peerIP: 192.168.1.2, asNumber: 64512, password: {secretKeyRef: {name: secret, key: password}}}
---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: passive}
spec: {peerIP: 192.168.1.3, asNumber: 64512, connectionMode: Passive}
---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: nowhere}
spec: {peerIP: 192.168.1.4, asNumber: 64512, nodeSelector: {matchLabels: {rack: none}}}
---
apiVersion: herald.network/v1alpha1
kind: ExternalIPPool
metadata: {name: inside}
spec: {addresses: [192.168.3.0/25]}
---
apiVersion: herald.network/v1alpha1
kind: ExternalIPPool
metadata: {name: outside}
spec: {addresses: [192.168.9.0/24]}
`)
	r.Eventually(r.condition("bgppeer", "twin", "Accepted")).Should(And(HavePrefix("False Conflict"), ContainSubstring("tor")))
	r.Eventually(r.condition("bgppeer", "passive", "Accepted")).Should(HavePrefix("True Valid"))
	r.Eventually(r.condition("bgppeer", "nowhere", "Established")).Should(HavePrefix("False NoNodes"))
	r.Eventually(r.condition("externalippool", "inside", "Allowlisted")).Should(HavePrefix("True InsideBlocks"))
	r.Eventually(r.condition("externalippool", "outside", "Allowlisted")).Should(HavePrefix("False OutsideBlocks"))
	r.Expect(r.condition("bgppeer", "tor", "Accepted")()).To(HavePrefix("True Valid"))

	// The Secret is missed until it is there, and what it holds is nobody's business.
	missing := ContainSubstring("Secret")
	r.Eventually(r.condition("bgppeer", "secret", "Accepted")).Should(And(HavePrefix("False"), missing))
	r.kubectl("-n", heraldNamespace, "create", "secret", "generic", "secret", "--from-literal=password=hush")
	r.Eventually(r.condition("bgppeer", "secret", "Accepted")).Should(Equal("True Valid: the spec is sound"))
	for value, says := range map[string]string{
		"hush\n":                   "True Valid: accepted, but spec.password.secretKeyRef.key: the value of the key \"password\"",
		"":                         "False SecretNotFound: spec.password.secretKeyRef.key: the value of the key \"password\"",
		strings.Repeat("hush", 21): "False SecretNotFound: spec.password.secretKeyRef.key: the value of the key \"password\"",
	} {
		r.kubectl("-n", heraldNamespace, "patch", "secret", "secret", "--type=merge", "-p",
			`{"data": {"password": "`+base64.StdEncoding.EncodeToString([]byte(value))+`"}}`)
		r.Eventually(r.condition("bgppeer", "secret", "Accepted")).Should(And(HavePrefix(says), Not(ContainSubstring("hush"))))
	}

	// Once the older of two is gone, the newer holds; a block that goes takes the pool's condition with it.
	r.kubectl("delete", "bgppeer", "tor")
	r.Eventually(r.condition("bgppeer", "twin", "Accepted")).Should(HavePrefix("True Valid"))
	r.kubectl("delete", "bgpconfiguration", "default")
	r.Eventually(r.condition("externalippool", "inside", "Allowlisted")).Should(HavePrefix("False NoConfiguration"))
}

// Events on Services say when the first node advertises an address and when the last withdraws it.
func TestEventsOnServices(t *testing.T) {
	r := newRack(t)
	r.apply(configuration)
	r.apply(tor)
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "nginx"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}, ExternalIPs: []string{"192.168.3.180"}},
	}
	r.Expect(r.client.Create(r.Context(), service)).To(Succeed())
	for number := range 2 {
		r.node(number + 1)
		r.beat(number + 1)
		r.reports(number + 1)
	}
	r.Eventually(r.columns("bgppeer", "tor")).Should(HaveSuffix("2/2 True"))

	advertise := func(status *v1alpha1.BGPNodeStatus) {
		status.Advertisements = append(status.Advertisements,
			v1alpha1.NodeAdvertisement{Prefix: "192.168.3.180/32", Kind: v1alpha1.KindExternalIP, Services: []string{"default/nginx"}})
	}
	r.reports(1, advertise)
	r.reports(2, advertise)
	r.Eventually(r.events("Advertised")).Should(ConsistOf(And(HavePrefix("Service/nginx: "), ContainSubstring("192.168.3.180/32"))))
	r.reports(1)
	r.Consistently(r.events("Withdrawn")).Should(BeEmpty(), "another node advertises it still")
	r.reports(2)
	r.Eventually(r.events("Withdrawn")).Should(ConsistOf(HavePrefix("Service/nginx: ")))
	r.Expect(r.events("Advertised")()).To(HaveLen(1))
	r.Expect(r.kubectl("get", "events", "-n", "default", "--field-selector", "reason=Withdrawn", "-o", "jsonpath={.items[0].involvedObject.uid}")).To(
		Equal(string(service.UID)))
	r.Expect(r.kubectl("describe", "service", "nginx")).To(ContainSubstring("Withdrawn"))
}
