package e2e

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/api/v1alpha1"
)

// requestCases are about Services that ask for something.
func requestCases(r *rack) {
	It("assigns the address that is asked for, and says whose it is where it is taken", func(ctx SpecContext) {
		const wanted, other = "192.168.4.13", "192.168.4.14"
		asks := map[string]string{v1alpha1.AnnotationAddresses: wanted}
		r.createPool(ctx, "asked", "{addresses: [192.168.4.8/29]}")
		r.createService(ctx, service{name: "first", kind: corev1.ServiceTypeLoadBalancer, annotations: asks})
		r.expectAddresses(ctx, "first", wanted)
		r.expectAnswer(ctx, url(wanted))

		r.createService(ctx, service{name: "second", kind: corev1.ServiceTypeLoadBalancer, annotations: asks})
		r.expectRefused(ctx, "second", v1alpha1.ReasonAddressInUse, wanted, "default/first")
		Expect(r.addresses(ctx, "second")).To(BeEmpty())
		r.annotate(ctx, "second", v1alpha1.AnnotationAddresses+"="+other)
		r.expectAddresses(ctx, "second", other)
		Eventually(ctx, func() string { return r.verdict(ctx, "second") }, soon, interval).Should(HavePrefix("True Assigned: "))
		r.expectAnswer(ctx, url(other))
		Expect(r.addresses(ctx, "first")).To(Equal([]string{wanted}))
	})

	It("lets Services share an address on different ports", func(ctx SpecContext) {
		const shared, next = "192.168.4.16", "192.168.4.17"
		key := map[string]string{v1alpha1.AnnotationSharedAddress: "web"}
		url := func(port int) string { return fmt.Sprintf("http://%s:%d/", shared, port) }
		r.createPool(ctx, "shared", "{addresses: [192.168.4.16/29]}")
		for name, port := range map[string]int{"plain": 80, "secure": 443} {
			r.createService(ctx, service{name: name, kind: corev1.ServiceTypeLoadBalancer, port: port, annotations: key})
			r.expectAddresses(ctx, name, shared)
			r.expectAnswer(ctx, url(port))
		}
		r.expectPool(ctx, "shared", "1", "7")
		r.createService(ctx, service{name: "clash", kind: corev1.ServiceTypeLoadBalancer, port: 443, annotations: key})
		r.expectAddresses(ctx, "clash", next)

		Expect(r.delete(ctx, "service/plain")).To(Succeed())
		Eventually(ctx, func() error { _, err := r.curl(ctx, url(80)); return err }, soon, cliInterval).ShouldNot(Succeed())
		r.expectAnswer(ctx, url(443))
		r.expectRoute(ctx, host(shared), r.nodes()...)
	})
}

// dualStackCases are about Services with two families.
func dualStackCases(r *rack) {
	both := []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}

	It("assigns an address of each family, or as the policy says none or one", func(ctx SpecContext) {
		const four = "192.168.4.24"
		const range4, range6 = "192.168.4.24/30", "2001:db8:4::20/126"
		r.createPool(ctx, "growing", fmt.Sprintf("{addresses: [%q]}", range4))
		r.createService(ctx, service{name: "strict", kind: corev1.ServiceTypeLoadBalancer, families: both})
		r.expectRefused(ctx, "strict", v1alpha1.ReasonNoMatchingPool, "IPv6")
		Expect(r.addresses(ctx, "strict")).To(BeEmpty(), "both families or neither")
		r.createService(ctx, service{
			name: "modest", kind: corev1.ServiceTypeLoadBalancer, families: both, policy: corev1.IPFamilyPolicyPreferDualStack,
		})
		r.expectAddresses(ctx, "modest", four)
		Expect(r.verdict(ctx, "modest")).To(And(HavePrefix("True Assigned: "), ContainSubstring("IPv6")))
		r.expectPool(ctx, "growing", "1", "3")

		Expect(r.Apply(ctx, pool("growing", fmt.Sprintf("{addresses: [%q, %q]}", range4, range6)))).To(Succeed())
		r.expectAddresses(ctx, "strict", "192.168.4.25", HavePrefix("2001:db8:4::2"))
		r.expectAddresses(ctx, "modest", four, HavePrefix("2001:db8:4::2"))
		for _, name := range []string{"strict", "modest"} {
			for _, address := range r.addresses(ctx, name) {
				r.expectAnswer(ctx, url(address))
			}
			Eventually(ctx, func() string { return r.verdict(ctx, name) }, soon, interval).Should(HavePrefix("True Assigned: "))
		}
		r.expectPool(ctx, "growing", "2/2", "2/2")
	})
}
