// Package manager_test runs the manager's reconcilers against a real API server, with the rights of its manifests.
package manager_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestAgentDaemonSet(t *testing.T) {
	server := newCluster(t)
	config := newConfigMap(t)
	config.change(t, "agent: {image: herald:v1}")
	startManager(t, server, config.file())

	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(30 * time.Second)
	kubectl := func(args ...string) string {
		return server.MustKubectl(t, "", append([]string{"-n", "herald-system"}, args...)...)
	}
	daemonSet := func(path string) func() string {
		return func() string {
			return kubectl("get", "daemonset", "--ignore-not-found", "-o", "jsonpath={.items[*]."+path+"}")
		}
	}
	const image, arguments = "spec.template.spec.containers[0].image", "spec.template.spec.containers[0].args"

	g.Eventually(daemonSet(image)).Should(Equal("herald:v1"))
	g.Expect(daemonSet(arguments)()).To(Equal(`["--log-level=info"]`))
	g.Expect(daemonSet("metadata.ownerReferences[0].kind")()).To(Equal("Deployment"))
	g.Expect(daemonSet("spec.template.spec.tolerations")()).To(Equal(`[{"operator":"Exists"}]`))

	// What a person changes of it is put back, but a restart goes through.
	kubectl("set", "image", "daemonset/herald-agent", "agent=nginx")
	g.Eventually(daemonSet(image)).Should(Equal("herald:v1"))
	kubectl("rollout", "restart", "daemonset/herald-agent")
	g.Consistently(daemonSet("spec.template.metadata.annotations")).Should(ContainSubstring("restartedAt"))
	kubectl("delete", "daemonset", "herald-agent")
	g.Eventually(daemonSet(image)).Should(Equal("herald:v1"))

	// The configuration is followed as it changes; one that is of no use changes nothing.
	config.change(t, "agent: {image: herald:v2, logLevel: debug, nodeSelector: {rack: a}}")
	g.Eventually(daemonSet(image)).Should(Equal("herald:v2"))
	g.Expect(daemonSet(arguments)()).To(Equal(`["--log-level=debug"]`))
	g.Expect(daemonSet("spec.template.spec.nodeSelector")()).To(Equal(`{"rack":"a"}`))
	config.change(t, "agent: {}")
	g.Consistently(daemonSet(image)).Should(Equal("herald:v2"))
	config.change(t, "agent: {image: herald:v3}")
	g.Eventually(daemonSet(image)).Should(Equal("herald:v3"))
	g.Expect(daemonSet("spec.template.spec.nodeSelector")()).To(BeEmpty(), "what is no longer set is taken back")

	// Once the Deployment goes, nothing brings the DaemonSet back.
	removeDeployment(t, server)
	kubectl("delete", "daemonset", "herald-agent")
	g.Consistently(daemonSet(image)).Should(BeEmpty())
}

// configMap is a directory that changes as a mounted ConfigMap does: by a link being swapped.
type configMap struct {
	directory string
	versions  int
}

func newConfigMap(t *testing.T) *configMap {
	t.Helper()
	c := &configMap{directory: t.TempDir()}
	if err := os.Symlink(filepath.Join("..data", "manager.yaml"), c.file()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *configMap) file() string { return filepath.Join(c.directory, "manager.yaml") }

func (c *configMap) change(t *testing.T, text string) {
	t.Helper()
	g := NewWithT(t)
	c.versions++
	version := fmt.Sprintf("..version-%d", c.versions)
	data, next := filepath.Join(c.directory, "..data"), filepath.Join(c.directory, "..data_next")
	g.Expect(os.Mkdir(filepath.Join(c.directory, version), 0o700)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(c.directory, version, "manager.yaml"), []byte(strings.TrimSpace(text)), 0o600)).To(Succeed())
	g.Expect(os.Symlink(version, next)).To(Succeed())
	g.Expect(os.Rename(next, data)).To(Succeed())
}
