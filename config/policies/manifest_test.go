package policies_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/config/policies"
)

// Each policy has its binding, and nothing is left to be filled in. What they do, test/envtest/policies asks an API server.
func TestManifests(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	actions := map[string]admissionv1.ValidationAction{}
	for _, manifest := range policies.Manifests("network") {
		g.Expect(manifest).NotTo(ContainSubstring("$("))
		documents := strings.Split(manifest, "\n---\n")
		g.Expect(documents).To(HaveLen(2))
		var (
			policy  admissionv1.ValidatingAdmissionPolicy
			binding admissionv1.ValidatingAdmissionPolicyBinding
		)
		g.Expect(yaml.UnmarshalStrict([]byte(documents[0]), &policy)).To(Succeed())
		g.Expect(yaml.UnmarshalStrict([]byte(documents[1]), &binding)).To(Succeed())
		g.Expect(binding.Name).To(Equal(policy.Name))
		g.Expect(binding.Spec.PolicyName).To(Equal(policy.Name))
		g.Expect(binding.Spec.ValidationActions).To(HaveLen(1))
		g.Expect(binding.Labels).To(Equal(policy.Labels))
		actions[policy.Name] = binding.Spec.ValidationActions[0]
	}
	g.Expect(actions).To(Equal(map[string]admissionv1.ValidationAction{
		"herald-agents":            admissionv1.Deny,
		"herald-external-ips-deny": admissionv1.Deny,
		"herald-external-ips-warn": admissionv1.Warn,
	}))
}
