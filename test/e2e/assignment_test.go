package e2e

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

// assignmentCases are about the addresses that Herald assigns: who gets which, why not, and what comes of it outside.
func assignmentCases(r *rack) {
	assignedCase(r)
	requestCases(r)
	dualStackCases(r)
	handoverCases(r)
	poolCases(r)
	strangerCases(r)
	leaderCases(r)
}

func assignedCase(r *rack) {
	It("assigns an address to a Service of type LoadBalancer", func(ctx SpecContext) {
		const name, pool, address = "balanced", "few", "192.168.4.1"
		r.createPool(ctx, pool, "{addresses: [192.168.4.0/29], avoid: [192.168.4.0]}")
		r.createService(ctx, service{name: name, kind: corev1.ServiceTypeLoadBalancer, local: true})
		r.expectRoute(ctx, host(address), r.nodes()...)
		Expect(r.expectAnswer(ctx, url(address))).To(ContainSubstring(r.outsideClient(address)))
		Expect(r.row(ctx, "service", name)["EXTERNAL-IP"]).To(Equal(address))
		Expect(r.verdict(ctx, name)).To(Equal("True Assigned: 192.168.4.1 from ExternalIPPool few"))
		Eventually(ctx, func() []string { return r.events(ctx, "Service", name) }, soon, cliInterval).
			Should(ContainElement("Assigned: 192.168.4.1 from ExternalIPPool few"))
		r.expectPool(ctx, pool, "1", "6")

		Expect(r.delete(ctx, "service/"+name)).To(Succeed())
		r.expectNoRoute(ctx, host(address))
		r.expectPool(ctx, pool, "0", "7")
	})

	It("assigns an external IP to a Service of another type for as long as it asks for one", func(ctx SpecContext) {
		const name, address, byHand = "asking", "192.168.3.64", "192.168.3.80"
		r.createPool(ctx, "external", "{addresses: [192.168.3.64/29]}")
		r.createService(ctx, service{
			name: name, kind: corev1.ServiceTypeClusterIP, externalIPs: []string{byHand},
			annotations: map[string]string{v1alpha1.AnnotationAssignExternalIP: "true"},
		})
		Eventually(ctx, func() []string { return r.addresses(ctx, name) }, soon, interval).Should(ConsistOf(byHand, address))
		r.expectAnswer(ctx, url(address))
		Expect(r.row(ctx, "service", name)["EXTERNAL-IP"]).To(ContainSubstring(address))
		Expect(r.service(ctx, name).Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationAssigned, address))
		Eventually(ctx, func() []string { return r.events(ctx, "Service", name) }, soon, cliInterval).
			Should(ContainElement("Assigned: 192.168.3.64 from ExternalIPPool external"))

		r.annotate(ctx, name, v1alpha1.AnnotationAssignExternalIP+"-")
		r.expectAddresses(ctx, name, byHand)
		Expect(r.service(ctx, name).Annotations).NotTo(HaveKey(v1alpha1.AnnotationAssigned))
		Eventually(ctx, func() error { _, err := r.curl(ctx, url(address)); return err }, soon, cliInterval).ShouldNot(Succeed())
		r.expectAnswer(ctx, url(byHand))
	})
}

// createPool creates an ExternalIPPool for the length of one case; spec is YAML in one line.
func (r *rack) createPool(ctx context.Context, name, spec string) {
	GinkgoHelper()
	Expect(r.Apply(ctx, pool(name, spec))).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(r.delete(ctx, "externalippool/"+name)).To(Succeed())
		r.expectPoolGone(ctx, name)
	})
}

func pool(name, spec string) string {
	return fmt.Sprintf(`---
apiVersion: herald.network/v1alpha1
kind: ExternalIPPool
metadata: {name: %s}
spec: %s
`, name, spec)
}

// expectPool waits until kubectl shows of a pool how many addresses are assigned and available.
func (r *rack) expectPool(ctx context.Context, name, assigned, available string) {
	GinkgoHelper()
	Eventually(ctx, func() []string {
		row := r.row(ctx, "externalippool", name)
		return []string{row["ASSIGNED"], row["AVAILABLE"], row["ALLOWLISTED"]}
	}, soon, cliInterval).Should(Equal([]string{assigned, available, "True"}), "externalippool %s", name)
}

// expectPoolGone waits until a pool that was deleted is there no more.
func (r *rack) expectPoolGone(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(ctx, func() bool {
		return apierrors.IsNotFound(r.api.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.ExternalIPPool{}))
	}, soon, interval).Should(BeTrue(), "externalippool %s is gone", name)
}

func (r *rack) service(ctx context.Context, name string) *corev1.Service {
	GinkgoHelper()
	s := &corev1.Service{}
	Expect(r.api.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, s)).To(Succeed())
	return s
}

// addresses returns the addresses of a Service that are not cluster IPs.
func (r *rack) addresses(ctx context.Context, name string) []string {
	GinkgoHelper()
	return addressesOf(r.service(ctx, name))
}

func addressesOf(s *corev1.Service) []string {
	list := slices.Clone(s.Spec.ExternalIPs)
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		list = append(list, ingress.IP)
	}
	return list
}

// expectAddresses waits until a Service has exactly these addresses, or such as match, that are not cluster IPs.
func (r *rack) expectAddresses(ctx context.Context, name string, addresses ...any) {
	GinkgoHelper()
	Eventually(ctx, func() []string { return r.addresses(ctx, name) }, soon, interval).
		Should(HaveExactElements(addresses...), "addresses of service %s", name)
}

// verdict returns in one line what Herald's condition of a Service says; "" where it has none.
func (r *rack) verdict(ctx context.Context, name string) string {
	GinkgoHelper()
	for _, c := range r.service(ctx, name).Status.Conditions {
		if c.Type == v1alpha1.ConditionAddressAssigned {
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
	}
	return ""
}

// expectRefused waits until a Service's condition and an event say for which reason it does not get what it asks for, with
// all of the texts.
func (r *rack) expectRefused(ctx context.Context, name string, reason v1alpha1.ConditionReason, says ...string) {
	GinkgoHelper()
	Eventually(ctx, func() string { return r.verdict(ctx, name) }, soon, interval).
		Should(HavePrefix("False %s: ", reason), "verdict on service %s", name)
	verdict := r.verdict(ctx, name)
	for _, text := range says {
		Expect(verdict).To(ContainSubstring(text))
	}
	Eventually(ctx, func() []string { return r.events(ctx, "Service", name) }, soon, cliInterval).
		Should(ContainElement(And(HavePrefix("AssignmentFailed: %s: ", reason), ContainSubstring(says[0]))))
}

// annotate changes annotations of a Service, given as kubectl takes them.
func (r *rack) annotate(ctx context.Context, name string, annotations ...string) {
	GinkgoHelper()
	_, err := r.Kubectl(ctx, append([]string{"annotate", "--overwrite", "service", name}, annotations...)...)
	Expect(err).NotTo(HaveOccurred())
}
