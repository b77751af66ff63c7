package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func trusting(cas ...*x509.Certificate) anchor {
	a := anchor{configuration: "herald-admission", webhook: "bgppeers.herald.network", roots: x509.NewCertPool()}
	for _, ca := range cas {
		a.roots.AddCert(ca)
	}
	return a
}

func TestTurn(t *testing.T) {
	t.Parallel()
	old := issue(t, testOptions(), today)
	oldCA, oldPair := authority(t, old), leaf(t, old)
	renewed, _, err := newIssuer(testOptions()).renew(map[string][]byte{caCertificateKey: old[caCertificateKey], caPrivateKeyKey: old[caPrivateKeyKey]}, today)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	renewedPair := leaf(t, renewed)
	replaced := issue(t, testOptions(), today)
	newCA, newPair := authority(t, replaced), leaf(t, replaced)
	late := issue(t, testOptions(), today.Add(366*day))
	lateCA, latePair := authority(t, late), leaf(t, late)
	other := leaf(t, issue(t, testOptions(), today))

	both, none := trusting(oldCA, newCA), trusting()
	type step struct {
		at    time.Duration
		held  *tls.Certificate
		trust trust
		wait  time.Duration
		shows *tls.Certificate
	}
	start := step{held: oldPair, trust: trust{trusting(oldCA)}, shows: oldPair}
	for name, steps := range map[string][]step{
		"at the start what is there is shown, trusted or not": {
			{shows: nil}, {held: oldPair, trust: trust{none}, shows: oldPair},
		},
		"what is gone or broken stays shown": {start, {held: nil, trust: start.trust, shows: oldPair}},
		"a certificate of the same CA is shown at once": {
			start, {held: renewedPair, trust: start.trust, shows: renewedPair},
		},
		"one of a new CA waits until it is trusted, and a while": {
			start,
			{held: newPair, trust: trust{trusting(oldCA)}, shows: oldPair},
			{at: 60 * time.Second, held: newPair, trust: trust{both}, wait: 10 * time.Second, shows: oldPair},
			{at: 67 * time.Second, held: newPair, trust: trust{both}, wait: 3 * time.Second, shows: oldPair},
			{at: 70 * time.Second, held: newPair, trust: trust{both}, shows: newPair},
		},
		"every webhook has to trust it": {
			start,
			{held: newPair, trust: trust{both, trusting(oldCA)}, shows: oldPair},
			{at: 20 * time.Second, held: newPair, trust: trust{both, both}, wait: 10 * time.Second, shows: oldPair},
		},
		"the wait begins anew where trust was lost": {
			start,
			{held: newPair, trust: trust{both}, wait: 10 * time.Second, shows: oldPair},
			{at: 5 * time.Second, held: newPair, trust: trust{trusting(oldCA)}, shows: oldPair},
			{at: 11 * time.Second, held: newPair, trust: trust{both}, wait: 10 * time.Second, shows: oldPair},
		},
		"the wait begins anew for another": {
			start,
			{held: other, trust: trust{trusting(oldCA)}, shows: oldPair},
			{at: 5 * time.Second, held: newPair, trust: trust{both}, wait: 10 * time.Second, shows: oldPair},
		},
		"nothing is waited for where what is shown is refused": {
			start, {held: newPair, trust: trust{trusting(newCA)}, shows: newPair},
		},
		"nothing is waited for where what is shown has ended": {
			start, {at: 366 * day, held: latePair, trust: trust{trusting(oldCA, lateCA)}, shows: latePair},
		},
		"without webhooks nobody is asked but time": {
			start,
			{held: newPair, wait: 10 * time.Second, shows: oldPair},
			{at: 10 * time.Second, held: newPair, shows: newPair},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			turn := turn{settle: 10 * time.Second}
			for i, s := range steps {
				g.Expect(turn.next(s.held, s.trust, today.Add(s.at))).To(Equal(s.wait), "step %d", i)
				g.Expect(turn.shown).To(BeIdenticalTo(s.shows), "step %d", i)
			}
		})
	}
}

func TestRefusalNamesTheWebhook(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	held := issue(t, testOptions(), today)
	good, server := trusting(authority(t, held)), leaf(t, held).Leaf
	g.Expect(trust{good}.refuses(server, today)).To(Succeed())
	g.Expect(trust{good, trusting()}.refuses(server, today)).To(MatchError(
		"ValidatingWebhookConfiguration herald-admission, webhook bgppeers.herald.network: the server's certificate does not pass " +
			"with clientConfig.caBundle: x509: certificate signed by unknown authority"))
}
