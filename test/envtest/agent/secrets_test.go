package agent_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/api/v1alpha1"
)

// secretsRole is the Role that the manager keeps, for Secrets of some names.
func secretsRole(names ...string) string {
	rules := "[]"
	if len(names) > 0 {
		rules = fmt.Sprintf(`[{apiGroups: [""], resources: [secrets], resourceNames: [%s], verbs: [get, list, watch]}]`, strings.Join(names, ", "))
	}
	return `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: herald-agent-secrets, namespace: herald-system}
rules: ` + rules + `
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: herald-agent-secrets, namespace: herald-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: herald-agent-secrets}
subjects: [{kind: ServiceAccount, name: herald-agent, namespace: herald-system}]
`
}

// protected is a peer whose password is under a key of the Secret of its name.
func protected(name, address, key string) string {
	return fmt.Sprintf(`
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: %[1]s}
spec: {peerIP: %[2]s, asNumber: 64512, password: {secretKeyRef: {name: %[1]s, key: %[3]s}}}
`, name, address, key)
}

func secretManifest(name, secretType, data string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: %s, namespace: herald-system}, type: %s, stringData: %s}", name, secretType, data)
}

// passwords returns those of the peers that run, by name.
func (r *rig) passwords() map[string]string {
	passwords := map[string]string{}
	for _, s := range r.speaker.Observe().Sessions {
		passwords[s.Peer.Name] = s.Peer.Password.Reveal()
	}
	return passwords
}

// idle returns why the sessions that do not run don't, by peer.
func (r *rig) idle() map[string]string {
	causes := map[string]string{}
	for _, s := range r.status().Sessions {
		if s.State == v1alpha1.SessionIdle {
			causes[s.Peer] = s.LastError
		}
	}
	return causes
}

func TestPasswords(t *testing.T) {
	server := newCluster(t)
	log := &sink{}
	server.MustKubectl(t, base+"---"+protected("one", "192.168.1.2", "password"), "apply", "-f", "-")

	// The Role does not name the Secret, as long as there is none: an agent is refused, and speaks to the others all the same.
	server.MustKubectl(t, secretsRole(), "apply", "-f", "-")
	r := startAgent(t, server, log)
	r.Expect(r.passwords()).To(Equal(map[string]string{"tor": ""}))
	r.establish("tor")
	r.Eventually(r.idle).Should(HaveKeyWithValue("one", And(
		HavePrefix("spec.password.secretKeyRef.name: "), ContainSubstring(`no Secret "one" in Herald's namespace "herald-system" that agents may read`))))

	// It may read the Secret some time after there is one.
	r.apply(secretManifest("one", "Opaque", "{password: hush, other: unheard}"))
	r.apply(secretsRole("one"))
	r.Eventually(r.passwords, "15s").Should(Equal(map[string]string{"tor": "", "one": "hush"}))
	r.establish("one")

	// What the manager says of the peer makes the agent try again at once, however long it has been refused.
	r.apply(protected("two", "192.168.1.3", "secret"))
	r.Eventually(r.idle, "20s").Should(HaveKey("two"))
	r.Consistently(r.passwords, "6s", "500ms").ShouldNot(HaveKey("two"), "by the end of this, attempts are seconds apart")
	r.apply(secretManifest("two", "kubernetes.io/basic-auth", "{username: any, password: any, secret: whisper}"))
	r.apply(secretsRole("one", "two"))
	r.Consistently(r.passwords, "200ms", "50ms").ShouldNot(HaveKey("two"))
	start := time.Now()
	r.kubectl("patch", "bgppeer", "two", "--subresource=status", "--type=merge", "-p",
		`{"status": {"conditions": [{"type": "Accepted", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": "2026-11-24T10:00:00Z"}]}}`)
	r.Eventually(r.passwords, "2s").Should(HaveKeyWithValue("two", "whisper"))
	t.Logf("tried again %s after the manager spoke", time.Since(start).Round(time.Millisecond))

	// Another key of a Secret that is followed already, and a value that changes.
	r.apply(protected("one", "192.168.1.2", "other"))
	r.Eventually(r.passwords).Should(HaveKeyWithValue("one", "unheard"))
	r.apply(secretManifest("one", "Opaque", `{other: "louder\n"}`))
	r.Eventually(r.passwords).Should(HaveKeyWithValue("one", "louder\n"))

	// A session keeps its password without the Secret, without the key, and without the right to read it; what another Secret
	// of the name then holds is its password.
	r.apply(secretManifest("one", "Opaque", `{other: ""}`))
	r.Eventually(r.ready).Should(ContainSubstring("is empty"))
	r.kubectl("-n", "herald-system", "delete", "secret", "one")
	r.Eventually(r.ready).Should(ContainSubstring(`no Secret "one"`))
	r.apply(secretsRole("two"))
	r.Expect(r.passwords()).To(Equal(map[string]string{"tor": "", "one": "louder\n", "two": "whisper"}))
	r.apply(secretManifest("one", "kubernetes.io/tls", `{tls.crt: "", tls.key: "", other: stolen}`))
	r.Eventually(r.ready).Should(ContainSubstring("is of type kubernetes.io/tls"))
	r.kubectl("-n", "herald-system", "delete", "secret", "one")
	r.apply(secretManifest("one", "Opaque", "{other: anew}"))
	r.apply(secretsRole("one", "two"))
	r.Eventually(r.passwords, "15s").Should(HaveKeyWithValue("one", "anew"))

	// An API server that is away takes no password; one that changed meanwhile follows within seconds.
	r.gate.Shut()
	r.apply(secretManifest("one", "Opaque", "{other: later}"))
	r.Consistently(r.passwords, "3s", "100ms").Should(HaveKeyWithValue("one", "anew"))
	r.gate.Open(t)
	r.Eventually(r.passwords, "5s").Should(HaveKeyWithValue("one", "later"))

	// An agent that starts opens all sessions in one plan, since it waits for the Secrets. It says nothing of what it heard.
	r.stop()
	again := startAgent(t, server, log)
	again.Expect(again.passwords()).To(Equal(map[string]string{"tor": "", "one": "later", "two": "whisper"}))
	again.Expect(again.speaker.Plans()).To(HaveLen(1))
	for _, word := range []string{"hush", "unheard", "whisper", "louder", "stolen", "anew", "later"} {
		again.Expect(log.text()).NotTo(ContainSubstring(word))
		again.Expect(again.kubectl("get", "bgppeers,bgpnodes,events", "-A", "-o", "yaml")).NotTo(ContainSubstring(word))
	}
	for _, once := range []string{`"A Secret can't be read, its peers wait for it" "input"="Secret" "Secret"="two"`, `"Reading a Secret" "input"="Secret" "Secret"="two"`} {
		again.Expect(strings.Count(log.text(), once)).To(Equal(1), "%s in:\n%s", once, log.text())
	}
}

// ready returns what the node's condition says.
func (r *rig) ready() string {
	var said string
	for _, c := range r.status().Conditions {
		said += c.Message
	}
	return said
}

// sink keeps what agents log.
type sink struct {
	mu    sync.Mutex
	lines []string
}

func (s *sink) add(prefix, args string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, prefix+" "+args)
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}
