package manager_test

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestPolicies(t *testing.T) {
	server := newCluster(t)
	startAnyManager(t, server)
	g := patiently(t)
	get := func(kind, path string) func() string {
		return func() string {
			return server.MustKubectl(t, "", "get", kind, "-l", "app.kubernetes.io/name=herald", "-o", "jsonpath={range .items[*]}{."+path+"},{end}")
		}
	}
	const policy, binding = "validatingadmissionpolicy", "validatingadmissionpolicybinding"
	const all = "herald-agents,herald-external-ips-deny,herald-external-ips-warn,"
	names, bindings := get(policy, "metadata.name"), get(binding, "metadata.name")
	g.Eventually(names).Should(Equal(all))
	g.Eventually(bindings).Should(Equal(all))
	g.Expect(get(policy, "metadata.ownerReferences[0].kind")()).To(Equal("ClusterRole,ClusterRole,ClusterRole,"))
	g.Expect(get(binding, "metadata.ownerReferences[0].name")()).To(Equal("herald-manager,herald-manager,herald-manager,"))

	// What a person changes of them is put back, but a namespace may be left out.
	server.MustKubectl(t, "", "patch", binding, "herald-external-ips-deny", "--type=merge", "-p",
		`{"spec":{"validationActions":["Warn"],"matchResources":{"namespaceSelector":{"matchLabels":{"judged":"yes"}}}}}`)
	g.Eventually(get(binding, "spec.validationActions")).Should(Equal(`["Deny"],["Deny"],["Warn"],`))
	g.Expect(get(binding, "spec.matchResources.namespaceSelector.matchLabels.judged")()).To(Equal(",yes,,"))
	server.MustKubectl(t, "", "patch", policy, "herald-agents", "--type=json", "-p", `[{"op":"replace","path":"/spec/failurePolicy","value":"Ignore"}]`)
	g.Eventually(get(policy, "spec.failurePolicy")).Should(Equal("Fail,Ignore,Ignore,"))
	server.MustKubectl(t, "", "patch", policy, "herald-agents", "--type=json", "-p",
		`[{"op":"add","path":"/spec/matchConditions/-","value":{"name":"never","expression":"false"}}]`)
	g.Eventually(get(policy, "spec.matchConditions[*].name")).ShouldNot(ContainSubstring("never"))
	server.MustKubectl(t, "", "label", policy, "herald-agents", "app.kubernetes.io/name-")
	g.Eventually(names).Should(Equal(all))
	server.MustKubectl(t, "", "delete", policy, "herald-agents", "herald-external-ips-deny")
	g.Eventually(names).Should(Equal(all))
	server.MustKubectl(t, "", "delete", binding, "herald-agents")
	g.Eventually(bindings).Should(Equal(all))

	// Once the Deployment goes, nothing brings them back.
	removeDeployment(t, server)
	server.MustKubectl(t, "", "delete", policy, "herald-agents")
	g.Consistently(names).Should(Equal("herald-external-ips-deny,herald-external-ips-warn,"))
}

// Where the manager's ClusterRole goes first, as in `kubectl delete -k`, what it owns is collected and not brought back.
func TestPoliciesGoWithTheClusterRole(t *testing.T) {
	server := newCluster(t)
	startAnyManager(t, server)
	g := patiently(t)
	names := func() string {
		return server.MustKubectl(t, "", "get", "validatingadmissionpolicy", "-o", "jsonpath={.items[*].metadata.name}")
	}
	g.Eventually(names).Should(ContainSubstring("herald-agents"))
	server.MustKubectl(t, "", "patch", "clusterrole", "herald-manager", "-p", `{"metadata":{"finalizers":["example.org/wait"]}}`)
	server.MustKubectl(t, "", "delete", "clusterrole", "herald-manager", "--wait=false")
	server.MustKubectl(t, "", "delete", "validatingadmissionpolicy", "herald-agents")
	g.Consistently(names).ShouldNot(ContainSubstring("herald-agents"))
}
