package certificates_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

const (
	// requestsPerSecond and mostRequests bound the load.
	requestsPerSecond = 200
	mostRequests      = 30000
)

// load creates BGPPeers in a dry run until it is stopped, and counts what becomes of them.
type load struct {
	mu       sync.Mutex
	accepted int
	refused  []error
	stop     func()
}

func (r *rig) startLoad(t *testing.T) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{}
	pace := flowcontrol.NewTokenBucketRateLimiter(requestsPerSecond, 1)
	var running sync.WaitGroup
	for worker := range 4 {
		running.Go(func() {
			for i := 0; i < mostRequests/4 && pace.Wait(ctx) == nil; i++ {
				// The request itself is not cut short when the load is stopped: that would look like a refusal.
				l.note(r.dryRun(t.Context(), fmt.Sprintf("worker-%d-%d", worker, i)))
			}
		})
	}
	l.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(l.stop)
	return l
}

func (r *rig) dryRun(ctx context.Context, name string) error {
	peer := &v1alpha1.BGPPeer{}
	peer.Name = name
	peer.Spec.PeerIP = "192.168.1.1"
	peer.Spec.ASNumber = 64512
	return r.client.Create(ctx, peer, client.DryRunAll)
}

func (l *load) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.accepted++
		return
	}
	l.refused = append(l.refused, fmt.Errorf("%s, after %d were accepted: %w", time.Now().Format(time.StampMicro), l.accepted, err))
}

func (l *load) count() (accepted int, refused []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted, l.refused
}

// expectUnharmed waits for some more requests to end, and expects that none was refused until then.
func (l *load) expectUnharmed(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	before, _ := l.count()
	g.Eventually(func(g Gomega) {
		accepted, refused := l.count()
		if len(refused) > 0 {
			StopTrying(fmt.Sprintf("%d requests were refused", len(refused))).Wrap(refused[0]).Now()
		}
		g.Expect(accepted).To(BeNumerically(">=", before+requestsPerSecond))
	}).WithTimeout(30 * time.Second).Should(Succeed())
}
