package e2e

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

// poolCases are about pools that change under the Services that have their addresses.
func poolCases(r *rack) {
	It("keeps a pool that is deleted until its last Service has moved to another", func(ctx SpecContext) {
		const name, pool, old, next = "settled", "a-leaving", "192.168.4.144", "192.168.4.152"
		r.createPool(ctx, pool, "{addresses: [192.168.4.144/29]}")
		r.createPool(ctx, "b-staying", "{addresses: [192.168.4.152/29]}")
		r.createService(ctx, service{name: name, kind: corev1.ServiceTypeLoadBalancer, local: true})
		r.expectAddresses(ctx, name, old)
		r.expectAnswer(ctx, url(old))
		Expect(r.delete(ctx, "externalippool/"+pool)).To(Succeed())
		Eventually(ctx, func() string { return r.released(ctx, pool) }, soon, interval).
			Should(And(HavePrefix("False AddressesInUse: "), ContainSubstring("1 Service"), ContainSubstring("default/"+name)))

		r.createService(ctx, service{name: "late", kind: corev1.ServiceTypeLoadBalancer})
		r.expectAddresses(ctx, "late", next)
		Expect(r.addresses(ctx, name)).To(Equal([]string{old}))
		r.expectAnswer(ctx, url(old))

		r.annotate(ctx, name, v1alpha1.AnnotationPool+"=b-staying")
		r.expectAddresses(ctx, name, "192.168.4.153")
		r.expectPoolGone(ctx, pool)
		r.expectRoute(ctx, host("192.168.4.153"), r.nodes()...)
		r.expectNoRoute(ctx, host(old))
		r.expectAnswer(ctx, url("192.168.4.153"))
	})

	It("moves Services, and their traffic, off the addresses that a pool comes to avoid", func(ctx SpecContext) {
		const pool = "c-edited"
		names := []string{"guest-0", "guest-1"}
		r.createPool(ctx, pool, "{addresses: [192.168.4.160/29]}")
		r.createPool(ctx, "d-spare", "{addresses: [192.168.4.168/29]}")
		for i, name := range names {
			r.createService(ctx, service{name: name, kind: corev1.ServiceTypeLoadBalancer, local: true})
			r.expectAddresses(ctx, name, fmt.Sprintf("192.168.4.%d", 160+i))
			r.expectRoute(ctx, host(fmt.Sprintf("192.168.4.%d", 160+i)), r.nodes()...)
		}
		edit := `{"spec":{"avoid":["192.168.4.160/29"]}}`
		_, err := r.Kubectl(ctx, "patch", "externalippool", pool, "--type=merge", "-p", edit)
		Expect(err).NotTo(HaveOccurred())
		for i, name := range names {
			r.expectAddresses(ctx, name, MatchRegexp(`^192\.168\.4\.1(68|69)$`))
			address := r.addresses(ctx, name)[0]
			r.expectRoute(ctx, host(address), r.nodes()...)
			r.expectAnswer(ctx, url(address))
			r.expectNoRoute(ctx, host(fmt.Sprintf("192.168.4.%d", 160+i)))
			Expect(r.verdict(ctx, name)).To(Equal(fmt.Sprintf("True Assigned: %s from ExternalIPPool d-spare", address)))
			Eventually(ctx, func() []string { return r.events(ctx, "Service", name) }, soon, cliInterval).
				Should(ContainElement(And(HavePrefix("Assigned: "+address), ContainSubstring(fmt.Sprintf("192.168.4.%d", 160+i)))), "what it gave up")
		}
		r.expectPool(ctx, "d-spare", "2", "6")
		Eventually(ctx, func() string { return r.row(ctx, "externalippool", pool)["ASSIGNED"] }, soon, cliInterval).Should(Equal("0"))
	})
}

// strangerCases are about what others have written on Services: other projects' users, people, and other controllers.
func strangerCases(r *rack) {
	It("follows the annotations of other projects, and refuses those that contradict each other", func(ctx SpecContext) {
		const metalLB, cilium, wanted, other = "metallb.universe.tf/loadBalancerIPs", "lbipam.cilium.io/ips", "192.168.4.178", "192.168.4.179"
		r.createPool(ctx, "inherited", "{addresses: [192.168.4.176/29]}")
		r.createService(ctx, service{
			name: "moved-over", kind: corev1.ServiceTypeLoadBalancer, annotations: map[string]string{metalLB: wanted},
		})
		r.expectAddresses(ctx, "moved-over", wanted)
		r.expectAnswer(ctx, url(wanted))
		r.createService(ctx, service{
			name: "of-two-minds", kind: corev1.ServiceTypeLoadBalancer,
			annotations: map[string]string{metalLB: other, cilium: "192.168.4.180"},
		})
		r.expectRefused(ctx, "of-two-minds", v1alpha1.ReasonInvalidRequest, metalLB, other, cilium, "192.168.4.180")
		Expect(r.addresses(ctx, "of-two-minds")).To(BeEmpty())
		r.annotate(ctx, "of-two-minds", v1alpha1.AnnotationAddresses+"="+other)
		r.expectAddresses(ctx, "of-two-minds", other)
	})

	It("puts its address back where a person took it away, and leaves theirs alone", func(ctx SpecContext) {
		const name, own, foreign = "edited", "192.168.4.184", "203.0.113.9"
		r.createPool(ctx, "firm", "{addresses: [192.168.4.184/29]}")
		r.createService(ctx, service{name: name, kind: corev1.ServiceTypeLoadBalancer, local: true})
		r.expectAddresses(ctx, name, own)
		r.expectRoute(ctx, host(own), r.nodes()...)

		r.setIngress(ctx, name)
		r.expectAddresses(ctx, name, own)
		r.expectRoute(ctx, host(own), r.nodes()...)
		r.expectAnswer(ctx, url(own))
		r.setIngress(ctx, name, own, foreign)
		r.annotate(ctx, name, "note=to-be-looked-at-again")
		r.createService(ctx, service{name: "looked-at-later", kind: corev1.ServiceTypeLoadBalancer})
		r.expectAddresses(ctx, "looked-at-later", "192.168.4.185")
		Expect(r.addresses(ctx, name)).To(ConsistOf(own, foreign))

		Expect(r.delete(ctx, "service/looked-at-later")).To(Succeed())
		r.setIngress(ctx, name, foreign)
		Eventually(ctx, func() []string { return r.addresses(ctx, name) }, soon, interval).Should(ConsistOf(own, foreign))
	})
}

// setIngress edits the addresses in a Service's status, as a person may.
func (r *rack) setIngress(ctx context.Context, name string, addresses ...string) {
	GinkgoHelper()
	s := r.service(ctx, name)
	before := s.DeepCopy()
	s.Status.LoadBalancer.Ingress = nil
	for _, address := range addresses {
		s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: address})
	}
	Expect(r.api.Status().Patch(ctx, s, client.MergeFrom(before))).To(Succeed())
}

// released returns in one line what the condition Released of a pool says; "" where it has none.
func (r *rack) released(ctx context.Context, name string) string {
	GinkgoHelper()
	p := &v1alpha1.ExternalIPPool{}
	Expect(r.api.Get(ctx, client.ObjectKey{Name: name}, p)).To(Succeed())
	for _, c := range p.Status.Conditions {
		if c.Type == string(v1alpha1.ConditionReleased) {
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
	}
	return ""
}
