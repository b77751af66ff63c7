package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/test/lab/control"
)

// leaderCases are about leaders that come and go while many Services want addresses.
func leaderCases(r *rack) {
	It("gives each of 500 Services one address while leaders are killed, and stopped past their lease", func(ctx SpecContext) {
		const stream, fifth = "crowd", 100
		r.reconfigure(ctx, baseBlocks(r)+"  - cidr: 192.168.8.0/22\n")
		r.createPool(ctx, stream, "{addresses: [192.168.8.0/22], avoid: [192.168.8.0, 192.168.11.255]}")
		ledger := r.keepLedger(ctx, stream)
		DeferCleanup(func(ctx SpecContext) {
			Expect(r.api.DeleteAllOf(ctx, &corev1.Service{}, client.InNamespace("default"), client.MatchingLabels{"stream": stream})).To(Succeed())
		})
		count := 0
		// while creates a fifth of the Services, and half of it later has a leader's replica be done something to.
		while := func(verb control.Verb, target string) {
			GinkgoHelper()
			done := make(chan error, 1)
			for i := range fifth {
				if i == fifth/2 {
					go func() {
						_, err := r.Run(ctx, string(verb), target)
						done <- err
					}()
				}
				Expect(r.api.Create(ctx, bare(stream, fmt.Sprintf("%s-%03d", stream, count)))).To(Succeed())
				count++
			}
			Expect(<-done).To(Succeed())
		}
		DeferCleanup(func(ctx SpecContext) { r.expectManagers(ctx) })

		By("killing the leader")
		holder := *r.lock(ctx).Spec.HolderIdentity
		while(control.Kill, replica(r.leader(ctx)))
		r.awaitOtherHolder(ctx, holder)

		By("stopping the next where it is")
		holder = *r.lock(ctx).Spec.HolderIdentity
		asleep := replica(r.leader(ctx))
		DeferCleanup(func(ctx SpecContext) { _, _ = r.Run(ctx, string(control.Resume), asleep) })
		while(control.Pause, asleep)
		r.awaitOtherHolder(ctx, holder)
		By("letting it go on, which has missed it all")
		while(control.Resume, asleep)

		By("stopping the leader in the ordinary way")
		holder = *r.lock(ctx).Spec.HolderIdentity
		last := replica(r.leader(ctx))
		DeferCleanup(func(ctx SpecContext) { _, _ = r.Run(ctx, string(control.Start), last) })
		while(control.Stop, last)
		r.awaitOtherHolder(ctx, holder)
		while(control.Start, last)

		Expect(count).To(Equal(5 * fifth))
		Eventually(ctx, ledger.served, takeover, cliInterval).Should(Equal(count), "Services with an address")
		ledger.expectSound()
		r.expectEachHasOne(ctx, stream, count)
		r.expectPool(ctx, stream, "500", "522")
	})
}

// awaitOtherHolder waits until the lease is another's.
func (r *rack) awaitOtherHolder(ctx context.Context, holder string) {
	GinkgoHelper()
	begun := time.Now()
	Eventually(ctx, func() string { return *r.lock(ctx).Spec.HolderIdentity }, takeover, cliInterval).ShouldNot(Or(Equal(holder), BeEmpty()))
	AddReportEntry("another leads after", time.Since(begun))
}

// expectEachHasOne asserts that so many Services of a stream have one address each, and no two the same.
func (r *rack) expectEachHasOne(ctx context.Context, stream string, count int) {
	GinkgoHelper()
	list := &corev1.ServiceList{}
	Expect(r.api.List(ctx, list, client.InNamespace("default"), client.MatchingLabels{"stream": stream})).To(Succeed())
	Expect(list.Items).To(HaveLen(count))
	holder := map[string]string{}
	for i := range list.Items {
		s := &list.Items[i]
		addresses := addressesOf(s)
		Expect(addresses).To(HaveLen(1), s.Name)
		Expect(holder).NotTo(HaveKey(addresses[0]), s.Name)
		holder[addresses[0]] = s.Name
	}
}

// bare returns one of many Services without endpoints or node ports: what it costs is its address.
func bare(stream, name string) *corev1.Service {
	s := streamed(stream, name)
	s.Spec.ExternalTrafficPolicy, s.Spec.Selector = corev1.ServiceExternalTrafficPolicyCluster, nil
	s.Spec.AllocateLoadBalancerNodePorts = new(bool)
	return s
}
