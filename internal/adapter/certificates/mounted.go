package certificates

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-network/herald/internal/logkey"
)

// lookEvery is how often is looked for files that are not there yet: a kubelet mounts them when their Secret exists.
const lookEvery = time.Second

// mounted has the server show the certificate of mounted files, on every replica. It waits for files that are not there yet.
type mounted struct {
	certificate, key string
	show             func(*shown)
	found            bool
}

// NeedLeaderElection is false: every replica serves.
func (m *mounted) NeedLeaderElection() bool { return false }

// Start runs until the context ends.
func (m *mounted) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, m.watch, lookEvery)
	return nil
}

// watch follows the files until the context ends, or returns where they can't be read.
func (m *mounted) watch(ctx context.Context) {
	watcher, err := certwatcher.New(m.certificate, m.key)
	if err != nil && m.found {
		return // The server goes on with what it has.
	}
	if err != nil {
		m.show(&shown{
			certificate: func() *tls.Certificate { return nil },
			problem:     fmt.Errorf("read the webhook server's certificate, which something else has to provide: %w", err),
		})
		return
	}
	m.found = true
	m.show(&shown{certificate: func() *tls.Certificate {
		now, err := watcher.GetCertificate(nil)
		if err != nil {
			return nil
		}
		return now
	}})
	if err := watcher.Start(ctx); err != nil {
		logf.FromContext(ctx).Error(err, "Following the mounted certificate, starting over", logkey.File, m.certificate)
	}
}
