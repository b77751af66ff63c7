package manager_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

const secretManifests = `
apiVersion: v1
kind: Secret
metadata: {name: tor, namespace: herald-system}
stringData: {password: secret}
---
apiVersion: v1
kind: Secret
metadata: {name: spine, namespace: herald-system}
type: kubernetes.io/basic-auth
stringData: {username: any, password: secret}
---
apiVersion: v1
kind: Secret
metadata: {name: not-named, namespace: herald-system}
stringData: {password: secret}
---
apiVersion: v1
kind: Secret
metadata: {name: herald-webhook-server, namespace: herald-system}
stringData: {tls.key: secret}
---
apiVersion: v1
kind: Secret
metadata: {name: manager-token, namespace: herald-system, annotations: {kubernetes.io/service-account.name: herald-manager}}
type: kubernetes.io/service-account-token
---
apiVersion: v1
kind: Secret
metadata: {name: tor, namespace: default}
stringData: {password: secret}
`

// peer returns a BGPPeer whose password is in a Secret.
func peer(name, secret string) string {
	return strings.NewReplacer("NAME", name, "SECRET", secret).Replace(`{apiVersion: herald.network/v1alpha1, kind: BGPPeer, metadata: {name: NAME},
spec: {peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: SECRET, key: password}}}}`)
}

func TestAgentsReadThePasswordsOfPeersAlone(t *testing.T) {
	server := newCluster(t)
	server.MustKubectl(t, secretManifests, "apply", "-f", "-")
	startAnyManager(t, server)
	g := patiently(t)
	mayRead := func(namespace, secret string) func() string {
		return func() string {
			output, _ := server.Kubectl(t, "", "-n", namespace, "auth", "can-i", "get", "secret/"+secret,
				"--as=system:serviceaccount:herald-system:herald-agent")
			return strings.TrimSpace(output)
		}
	}
	rules := func() string {
		return server.MustKubectl(t, "", "-n", "herald-system", "get", "role", "herald-agent-secrets", "--ignore-not-found",
			"-o", "jsonpath={.rules}/{.metadata.ownerReferences[0].kind}")
	}
	g.Eventually(rules).Should(Equal("null/Deployment"), "no peer has a password")
	g.Expect(mayRead("herald-system", "tor")()).To(Equal("no"))

	server.MustKubectl(t, peer("tor", "tor"), "apply", "-f", "-")
	g.Eventually(mayRead("herald-system", "tor")).Should(Equal("yes"))
	g.Expect(mayRead("default", "tor")()).To(Equal("no"), "a Secret of that name elsewhere")
	server.MustKubectl(t, peer("spine", "spine"), "apply", "-f", "-")
	g.Eventually(mayRead("herald-system", "spine")).Should(Equal("yes"))
	g.Expect(rules()).To(HavePrefix(
		`[{"apiGroups":[""],"resourceNames":["spine","tor"],"resources":["secrets"],"verbs":["get","list","watch"]}]`))
	as := "--as=system:serviceaccount:herald-system:herald-agent"
	g.Expect(server.MustKubectl(t, "", "-n", "herald-system", "get", "secret", "tor", "-o", "name", as)).To(Equal("secret/tor\n"))
	_, err := server.Kubectl(t, "", "-n", "herald-system", "get", "secrets", as)
	g.Expect(err).To(HaveOccurred(), "all Secrets are listed")

	// Who writes a BGPPeer can't have agents read what is none of theirs.
	for _, secret := range []string{"herald-webhook-server", "manager-token", "later"} {
		server.MustKubectl(t, peer(secret, secret), "apply", "-f", "-")
	}
	server.MustKubectl(t, "", "-n", "herald-system", "create", "secret", "generic", "later", "--from-literal=password=secret")
	g.Eventually(mayRead("herald-system", "later")).Should(Equal("yes"), "a Secret may come after its peer")
	for _, secret := range []string{"herald-webhook-server", "manager-token", "not-named"} {
		g.Expect(mayRead("herald-system", secret)()).To(Equal("no"), secret)
	}

	// What is no longer named is no longer read; what a person changes is put back.
	server.MustKubectl(t, "", "delete", "bgppeer", "spine")
	g.Eventually(mayRead("herald-system", "spine")).Should(Equal("no"))
	server.MustKubectl(t, "", "-n", "herald-system", "patch", "role", "herald-agent-secrets", "--type=json", "-p",
		`[{"op":"remove","path":"/rules/0/resourceNames"}]`)
	g.Eventually(mayRead("herald-system", "not-named")).Should(Equal("no"))
	server.MustKubectl(t, "", "-n", "herald-system", "delete", "rolebinding", "herald-agent-secrets")
	g.Eventually(mayRead("herald-system", "tor")).Should(Equal("yes"))
	server.MustKubectl(t, "", "delete", "bgppeer", "--all")
	g.Eventually(rules).Should(Equal("null/Deployment"))
}
