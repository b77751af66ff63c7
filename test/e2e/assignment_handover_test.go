package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/harness/probe"
)

// handoverCases are about addresses that one Service leaves to another.
func handoverCases(r *rack) {
	It("lets Services wait while all addresses are in use, and serves the oldest first", func(ctx SpecContext) {
		const first, second = "192.168.4.32", "192.168.4.33"
		r.createPool(ctx, "tiny", "{addresses: [192.168.4.32/31]}")
		for name, address := range map[string]string{"has-a": first, "has-b": second} {
			r.createService(ctx, service{
				name: name, kind: corev1.ServiceTypeLoadBalancer, annotations: map[string]string{v1alpha1.AnnotationAddresses: address},
			})
			r.expectAddresses(ctx, name, address)
		}
		r.createService(ctx, service{name: "waits-z", kind: corev1.ServiceTypeLoadBalancer})
		r.expectRefused(ctx, "waits-z", v1alpha1.ReasonPoolExhausted, "tiny")
		Eventually(time.Now, soon, interval).Should(BeTemporally(">=", r.service(ctx, "waits-z").CreationTimestamp.Add(time.Second)),
			"Kubernetes tells ages by the second")
		r.createService(ctx, service{name: "waits-a", kind: corev1.ServiceTypeLoadBalancer})
		r.expectRefused(ctx, "waits-a", v1alpha1.ReasonPoolExhausted, "tiny")
		r.expectPool(ctx, "tiny", "2", "0")

		Expect(r.delete(ctx, "service/has-a")).To(Succeed())
		freed := time.Now()
		r.expectAddresses(ctx, "waits-z", first)
		AddReportEntry("served after", time.Since(freed))
		Expect(time.Since(freed)).To(BeNumerically("<", shortRest+2*time.Second))
		Expect(r.addresses(ctx, "waits-a")).To(BeEmpty(), "the younger one")
		r.expectAnswer(ctx, url(first))
		Expect(r.delete(ctx, "service/has-b")).To(Succeed())
		r.expectAddresses(ctx, "waits-a", second)
		r.expectAnswer(ctx, url(second))
	})

	It("gives an address to another Service only when its route is gone, while others are free", func(ctx SpecContext) {
		const address, stream = "192.168.4.64", "order"
		r.createPool(ctx, "ample", "{addresses: [192.168.4.64/26]}")
		h := r.handOver(ctx, address)
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "service -l stream="+stream)).To(Succeed()) })
		var next, got string
		var before time.Time
		count := 0
		Eventually(ctx, func() string { // Who comes first after the rest gets the lowest address again.
			next = fmt.Sprintf("%s-%d", stream, count)
			count++
			before = time.Now()
			Expect(r.api.Create(ctx, streamed(stream, next))).To(Succeed())
			got, before = r.awaitAddress(ctx, next, before)
			return got
		}, longRest+soon, cliInterval).Should(Equal(address))
		Expect(count).To(BeNumerically(">", 1), "others were free")
		r.expectPool(ctx, "ample", strconv.Itoa(count), strconv.Itoa(64-count))
		h.expectGoneBefore(ctx, before)
	})

	It("gives an address to the Service that asks for it only when its route is gone", func(ctx SpecContext) {
		const address, name = "192.168.4.130", "heir"
		r.createPool(ctx, "named", "{addresses: [192.168.4.128/29]}")
		asks := map[string]string{v1alpha1.AnnotationAddresses: address}
		r.createService(ctx, service{name: "testator", kind: corev1.ServiceTypeLoadBalancer, local: true, annotations: asks})
		r.expectRoute(ctx, host(address), r.nodes()...)
		r.createService(ctx, service{name: name, kind: corev1.ServiceTypeLoadBalancer, local: true, annotations: asks})
		r.expectRefused(ctx, name, v1alpha1.ReasonAddressInUse, address)
		h := r.deleted(ctx, "testator", address)
		_, before := r.awaitAddress(ctx, name, time.Now())
		h.expectGoneBefore(ctx, before)
		Expect(r.addresses(ctx, name)).To(Equal([]string{address}))
	})

	It("lets a Service go at once while the manager is away", func(ctx SpecContext) {
		const name, address = "mortal", "192.168.4.136"
		r.createPool(ctx, "lasting", "{addresses: [192.168.4.136/30]}")
		r.createService(ctx, service{name: name, kind: corev1.ServiceTypeLoadBalancer, local: true})
		r.expectAddresses(ctx, name, address)
		r.expectRoute(ctx, host(address), r.nodes()...)
		_, err := r.Run(ctx, "stop", "manager")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			_, err := r.Run(ctx, "start", "manager")
			Expect(err).NotTo(HaveOccurred())
			r.expectManagers(ctx)
		})
		_, err = r.Kubectl(ctx, "delete", "service", name, "--timeout=2s")
		Expect(err).NotTo(HaveOccurred())
		r.expectNoRoute(ctx, host(address))

		_, err = r.Run(ctx, "start", "manager")
		Expect(err).NotTo(HaveOccurred())
		r.createService(ctx, service{name: "successor", kind: corev1.ServiceTypeLoadBalancer})
		Eventually(ctx, func() []string { return r.addresses(ctx, "successor") }, takeover, interval).Should(Equal([]string{address}))
		r.expectManagers(ctx)
		r.expectPool(ctx, "lasting", "1", "3")
	})
}

// How long an address rests that a Service leaves: while others are free, and where it is the only one or asked for.
const (
	longRest  = 10 * time.Second
	shortRest = time.Second
)

// handover is the life of a route from the time that its Service was deleted.
type handover struct {
	rack    *rack
	address string
	marks   []harness.Mark
}

// handOver lets a Local Service have an address, the lowest of a pool, and deletes it once all routers have the route.
func (r *rack) handOver(ctx context.Context, address string) handover {
	GinkgoHelper()
	r.createService(ctx, service{name: "leaves", kind: corev1.ServiceTypeLoadBalancer, local: true})
	r.expectAddresses(ctx, "leaves", address)
	r.expectRoute(ctx, host(address), r.nodes()...)
	return r.deleted(ctx, "leaves", address)
}

func (r *rack) deleted(ctx context.Context, service, address string) handover {
	GinkgoHelper()
	h := handover{rack: r, address: address, marks: r.marks()}
	Expect(r.delete(ctx, "service/"+service)).To(Succeed())
	return h
}

// expectGoneBefore waits until the address is routed again, and asserts that every router had no route at the time.
func (h handover) expectGoneBefore(ctx context.Context, when time.Time) {
	GinkgoHelper()
	h.rack.expectRoute(ctx, host(h.address), h.rack.nodes()...) // So all that happened before is known.
	for i, router := range h.rack.routers {
		var last probe.Route
		for _, event := range router.Since(h.marks[i]) {
			if event.Prefix == netip.MustParsePrefix(host(h.address)) && event.Time.Before(when) {
				last = event
			}
		}
		Expect(last.Event).To(Equal(probe.Deleted), "the last on %s before %s, when the next Service had no address yet; all: %q",
			router.Host, when.Format(time.StampMilli), h.rack.since(h.marks, host(h.address)))
		AddReportEntry("gone from "+router.Host+" earlier than given by", when.Sub(last.Time))
	}
}

// awaitAddress waits until a Service has an address. It returns with it a time at which it had none: that of the last look
// without one, or before if there was none.
func (r *rack) awaitAddress(ctx context.Context, name string, before time.Time) (string, time.Time) {
	GinkgoHelper()
	var addresses []string
	Eventually(ctx, func() []string {
		asked := time.Now()
		if addresses = r.addresses(ctx, name); len(addresses) == 0 {
			before = asked
		}
		return addresses
	}, soon, time.Millisecond).ShouldNot(BeEmpty(), "addresses of service %s", name)
	return addresses[0], before
}

// streamed returns one of many Services, which are told by their label.
func streamed(stream, name string) *corev1.Service {
	s := &corev1.Service{}
	s.Namespace, s.Name, s.Labels = "default", name, map[string]string{"stream": stream}
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	s.Spec.Selector = map[string]string{"app": "echo"}
	s.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}
	return s
}
