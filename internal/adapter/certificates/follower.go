package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/herald-network/herald/internal/logkey"
)

// follower has this replica's server show the Secret's certificate, once API servers trust it.
type follower struct {
	*objects
	names []string
	show  func(*shown)
	turn  turn
}

func setupFollower(mgr ctrl.Manager, o *objects, c *Certificates) error {
	request := reconcile.Request{NamespacedName: o.key}
	builder := ctrl.NewControllerManagedBy(mgr).
		Named("certificate-serving").
		WithOptions(controller.Options{NeedLeaderElection: new(false)}).
		WatchesRawSource(o.secretChanges(request))
	for _, name := range c.options.Configurations {
		builder = builder.WatchesRawSource(o.configurationChanges(name, request))
	}
	return builder.Complete(&follower{
		objects: o, names: c.options.Configurations, show: c.shown.Store, turn: turn{settle: c.options.Settle},
	})
}

// Reconcile compares what is shown with the Secret and with what API servers trust. What can't be read changes nothing.
func (f *follower) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	held, heldErr := f.held(ctx)
	trust, err := f.trust(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	now, before := time.Now(), f.turn.shown
	wait := f.turn.next(held, trust, now)
	after := f.turn.shown
	if after == nil {
		f.show(&shown{certificate: func() *tls.Certificate { return nil }, problem: heldErr})
		return reconcile.Result{}, nil
	}
	f.show(&shown{certificate: func() *tls.Certificate { return after }, problem: trust.refuses(after.Leaf, now)})
	if after != before {
		logf.FromContext(ctx).Info("Serving a new certificate", logkey.NotAfter, after.Leaf.NotAfter)
	}
	return reconcile.Result{RequeueAfter: wait}, nil
}

// held returns the Secret's certificate, or why there is none.
func (f *follower) held(ctx context.Context) (*tls.Certificate, error) {
	secret, err := f.secret(ctx)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(secret.Data[certificateKey], secret.Data[privateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("read the certificate in Secret %s: %w", f.key, err)
	}
	return &pair, nil
}

// trust returns what API servers trust. A configuration that does not exist has nobody called, so it asks for nothing.
func (f *follower) trust(ctx context.Context) (trust, error) {
	var all trust
	for _, name := range f.names {
		configuration, err := f.configuration(ctx, name)
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		if err != nil {
			continue
		}
		for i := range configuration.Webhooks {
			w := &configuration.Webhooks[i]
			anchor := anchor{configuration: name, webhook: w.Name, roots: x509.NewCertPool()}
			for _, c := range parse(w.ClientConfig.CABundle) {
				anchor.roots.AddCert(c)
			}
			all = append(all, anchor)
		}
	}
	return all, nil
}

// trust is what API servers accept from the webhook server, by webhook.
type trust []anchor

type anchor struct {
	configuration, webhook string
	roots                  *x509.CertPool
}

// refuses says for which webhook a certificate would be refused; nil where it is for none.
func (t trust) refuses(certificate *x509.Certificate, now time.Time) error {
	for _, a := range t {
		if _, err := certificate.Verify(x509.VerifyOptions{Roots: a.roots, CurrentTime: now}); err != nil {
			return fmt.Errorf("ValidatingWebhookConfiguration %s, webhook %s: the server's certificate does not pass with clientConfig.caBundle: %w",
				a.configuration, a.webhook, err)
		}
	}
	return nil
}

// turn decides which certificate is shown, and when that changes.
type turn struct {
	settle time.Duration
	shown  *tls.Certificate
	// candidate is the certificate whose turn it will be, and since when all trust it.
	candidate *tls.Certificate
	since     time.Time
}

// next decides between the certificate that is shown and the Secret's. It returns how long until it has to be asked again,
// zero for until something changes.
//
// What is shown stays until what is held is trusted by all and API servers have had time to learn so, as long as it is good
// itself: if it is refused already, there is nothing to lose.
func (t *turn) next(held *tls.Certificate, trust trust, now time.Time) time.Duration {
	if held == nil || same(held, t.shown) {
		t.candidate = nil
		return 0
	}
	if t.shown == nil {
		t.change(held)
		return 0
	}
	if trust.refuses(held.Leaf, now) != nil {
		t.candidate = nil
		return 0
	}
	if trust.refuses(t.shown.Leaf, now) != nil || sameCA(held.Leaf, t.shown.Leaf) {
		t.change(held)
		return 0
	}
	if !same(held, t.candidate) {
		t.candidate, t.since = held, now
	}
	if left := t.settle - now.Sub(t.since); left > 0 {
		return left
	}
	t.change(held)
	return 0
}

func (t *turn) change(to *tls.Certificate) { t.shown, t.candidate = to, nil }

func same(a, b *tls.Certificate) bool {
	return a != nil && b != nil && a.Leaf.Equal(b.Leaf)
}

// sameCA reports whether two certificates were signed with the same key: API servers that take the one take the other.
func sameCA(a, b *x509.Certificate) bool {
	return len(a.AuthorityKeyId) > 0 && slices.Equal(a.AuthorityKeyId, b.AuthorityKeyId)
}
