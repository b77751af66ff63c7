package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

// takeover is how long a dead leader's lease holds, and some time for the next one to begin.
const takeover = 30 * time.Second

// managerCases are about the manager itself going away, and its certificates.
func managerCases(r *rack) {
	It("is led by another replica once the leader ends", func(ctx SpecContext) {
		const peer = "led"
		leader := r.leader(ctx)
		_, err := r.Run(ctx, "stop", replica(leader))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			_, err := r.Run(ctx, "start", replica(leader))
			Expect(err).NotTo(HaveOccurred())
			r.expectManagers(ctx)
		})
		stopped := time.Now()
		Eventually(ctx, func() string { return r.leader(ctx) }, takeover, cliInterval).ShouldNot(Or(Equal(leader), BeEmpty()))
		AddReportEntry("another leads after a clean stop", time.Since(stopped))

		// Admission goes on at the other replica, and the new leader keeps the status.
		Eventually(ctx, func() error { return r.Apply(ctx, quietPeer(peer)) }, soon, cliInterval).Should(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(r.delete(ctx, "bgppeer/"+peer)).To(Succeed()) })
		Eventually(ctx, func() string { return r.row(ctx, "bgppeer", peer)["SESSIONS"] }, soon, cliInterval).Should(Equal("0/3"))
	})

	It("is led again within seconds when the leader crashes", func(ctx SpecContext) {
		before := r.lock(ctx)
		killed := time.Now()
		_, err := r.Run(ctx, "kill", replica(r.leader(ctx)))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { r.expectManagers(ctx) })
		Eventually(ctx, func() string { return *r.lock(ctx).Spec.HolderIdentity }, takeover, cliInterval).
			ShouldNot(Or(Equal(*before.Spec.HolderIdentity), BeEmpty()))
		AddReportEntry("another leads after a crash", time.Since(killed))
	})

	It("replaces the webhooks' certificate and its authority without refusing a request", func(ctx SpecContext) {
		serving := func() []byte { return r.webhookSecret(ctx).Data["tls.crt"] }
		before := r.webhookSecret(ctx)
		expectNoneRefused := r.dryRun(ctx)
		for _, data := range []string{`{"data":{"tls.crt":null,"tls.key":null}}`, `{"data":{"ca.crt":null,"ca.key":null}}`} {
			old := serving()
			Expect(r.api.Patch(ctx, r.webhookSecret(ctx), client.RawPatch(types.MergePatchType, []byte(data)))).To(Succeed())
			Eventually(ctx, serving, soon, cliInterval).ShouldNot(Or(Equal(old), BeEmpty()), data)
		}
		Expect(r.webhookSecret(ctx).Data["ca.crt"]).NotTo(Equal(before.Data["ca.crt"]))
		expectNoneRefused()
	})

	It("leaves everything but Herald's own kinds alone while it is away", func(ctx SpecContext) {
		const name, address = "unmanaged", "192.168.3.60"
		Expect(r.Apply(ctx, quietPeer(name))).To(Succeed())
		_, err := r.Run(ctx, "stop", "manager")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			_, err := r.Run(ctx, "start", "manager")
			Expect(err).NotTo(HaveOccurred())
			r.expectManagers(ctx)
		})
		r.createService(ctx, service{name: name, local: true, externalIPs: []string{address}})
		r.expectRoute(ctx, host(address), r.nodes()...)
		_, err = r.Kubectl(ctx, "label", "service", name, "edited=yes")
		Expect(err).NotTo(HaveOccurred())
		output, ok := r.Say(ctx, quietPeer("unchecked"), "apply", "-f", "-")
		Expect(ok).To(BeFalse(), output)
		Expect(output).To(ContainSubstring("failed calling webhook"))
		Expect(r.delete(ctx, "bgppeer/"+name)).To(Succeed())
		output, ok = r.Say(ctx, service{name: "grabber", externalIPs: []string{"203.0.113.1"}}.manifest(), "apply", "-f", "-")
		Expect(ok).To(BeFalse(), "the policy holds without the manager: %s", output)
	})
}

// dryRun lets peers be created, but not for real, ten times a second until the returned function is called, which
// expects that not one was refused.
func (r *rack) dryRun(ctx SpecContext) (expectNoneRefused func()) {
	GinkgoHelper()
	stop, done := make(chan struct{}), make(chan error, 1)
	var sent atomic.Int32
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			sent.Add(1)
			peer := &v1alpha1.BGPPeer{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("dry-%d", sent.Load())},
				Spec:       v1alpha1.BGPPeerSpec{PeerIP: "192.168.1.98", ASNumber: asNumber},
			}
			if err := r.api.Create(ctx, peer, client.DryRunAll); err != nil {
				done <- fmt.Errorf("request %d: %w", sent.Load(), err)
				return
			}
		}
	}()
	return func() {
		GinkgoHelper()
		// A certificate of a new CA is shown ten seconds after the API server was told of that; some more come after it.
		enough := sent.Load() + 160
		Eventually(ctx, func() bool { return sent.Load() >= enough || len(done) > 0 }, takeover, cliInterval).Should(BeTrue())
		close(stop)
		Expect(<-done).NotTo(HaveOccurred())
		AddReportEntry("requests admitted", sent.Load())
	}
}

// expectManagers waits until every replica of the manager is ready.
func (r *rack) expectManagers(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		_, err := r.Kubectl(ctx, "-n", namespace, "rollout", "status", "deployment/herald-manager", "--timeout=1s")
		return err
	}, recovery, cliInterval).Should(Succeed())
}

func (r *rack) lock(ctx context.Context) *coordinationv1.Lease {
	GinkgoHelper()
	lock := &coordinationv1.Lease{}
	Expect(r.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "herald-manager"}, lock)).To(Succeed())
	return lock
}

// leader returns the name of the pod that leads; "" while none does.
func (r *rack) leader(ctx context.Context) string {
	GinkgoHelper()
	pod, _, _ := strings.Cut(*r.lock(ctx).Spec.HolderIdentity, "_")
	return pod
}

// replica is what the lab calls one replica of the manager: there may be two on one node.
func replica(pod string) string { return "pod/" + namespace + "/" + pod }

func (r *rack) webhookSecret(ctx context.Context) *corev1.Secret {
	GinkgoHelper()
	s := &corev1.Secret{}
	Expect(r.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "herald-webhook-server"}, s)).To(Succeed())
	return s
}

// quietPeer returns a BGPPeer for a router that is not there.
func quietPeer(name string) string {
	return fmt.Sprintf(`---
apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata: {name: %s}
spec: {peerIP: 192.168.1.97, asNumber: 64512}
`, name)
}
