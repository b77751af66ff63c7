package config_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/internal/config"
)

func TestParse(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m, err := config.Parse([]byte(`
agent:
  image: registry.example/herald:v1
  logLevel: debug
  nodeSelector: {rack: a}
  tolerations:
  - {operator: Exists, effect: NoSchedule}
  resources: {requests: {cpu: 10m, memory: 64Mi}}
  serviceProxy: {healthURL: "http://127.0.0.1:9879/healthz", waitSeconds: 0}
webhook:
  certificates: Mounted
`), config.Defaults{AgentImage: "herald"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m.Agent.Image).To(Equal("registry.example/herald:v1"))
	g.Expect(m.Agent.LogLevel).To(Equal("debug"))
	g.Expect(m.Agent.NodeSelector).To(Equal(map[string]string{"rack": "a"}))
	g.Expect(m.Agent.Tolerations).To(ConsistOf(corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}))
	g.Expect(m.Agent.Resources.Requests.Memory().String()).To(Equal("64Mi"))
	g.Expect(m.Agent.ServiceProxy).To(Equal(config.ServiceProxy{HealthURL: "http://127.0.0.1:9879/healthz", WaitSeconds: new(int32(0))}))
	g.Expect(m.Webhook.Certificates).To(Equal(config.CertificatesMounted))
}

// An installation without a configuration file, and one whose file is left as it comes, run the image that they name.
func TestDefaults(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	directory := t.TempDir()
	empty := filepath.Join(directory, "empty.yaml")
	g.Expect(os.WriteFile(empty, []byte("# nothing but comments\n"), 0o600)).To(Succeed())
	for _, path := range []string{filepath.Join(directory, "absent.yaml"), empty} {
		m, err := config.Load(path, config.Defaults{AgentImage: "herald:v1"})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(m).To(Equal(config.Manager{Agent: config.Agent{Image: "herald:v1", LogLevel: "info"}}))
	}
	_, err := config.Load(directory, config.Defaults{AgentImage: "herald:v1"})
	g.Expect(err).To(MatchError(ContainSubstring("is a directory")))
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ file, want string }{
		"an empty file":                 {"", "agent.image: Required value"},
		"a field that does not exist":   {"agent: {image: a, imagePolicy: Always}", `unknown field "agent.imagePolicy"`},
		"a quantity that is none":       {"agent: {image: a, resources: {requests: {cpu: fast}}}", "quantities must match"},
		"a level that does not exist":   {"agent: {image: a, logLevel: loud}", `agent.logLevel: Invalid value: "loud": must be error, warn, info or debug`},
		"a selector that is no label":   {"agent: {image: a, nodeSelector: {rack: 'a b'}}", `agent.nodeSelector: Invalid value: "a b"`},
		"an operator that is none":      {"agent: {image: a, tolerations: [{key: a, operator: Exist}]}", `agent.tolerations[0].operator: Unsupported value: "Exist"`},
		"an effect that is none":        {"agent: {image: a, tolerations: [{key: a, effect: Never}]}", `agent.tolerations[0].effect: Unsupported value: "Never"`},
		"a toleration that says to all": {"agent: {image: a, tolerations: [{effect: NoExecute}]}", "must be Exists where key is empty"},
		"a URL that is none":            {"agent: {image: a, serviceProxy: {healthURL: '127.0.0.1:10256'}}", `agent.serviceProxy.healthURL: Invalid value: "127.0.0.1:10256": must be a URL`},
		"a wait that is too long":       {"agent: {image: a, serviceProxy: {waitSeconds: 301}}", "agent.serviceProxy.waitSeconds: Invalid value: 301: must be 0, which does not wait, to 300"},
		"a wait before now":             {"agent: {image: a, serviceProxy: {waitSeconds: -1}}", "agent.serviceProxy.waitSeconds: Invalid value: -1"},
		"a mode that does not exist":    {"{agent: {image: a}, webhook: {certificates: managed}}", `webhook.certificates: Unsupported value: "managed": supported values: "Managed", "Mounted"`},
		"a value that Exists ignores":   {"agent: {image: a, tolerations: [{key: a, operator: Exists, value: b}]}", "must be empty where operator is Exists"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse([]byte(row.file), config.Defaults{})
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(row.want)))
		})
	}
}
