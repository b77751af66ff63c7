package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

const day = 24 * time.Hour

// today is when the tests take place.
var today = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func testOptions() Options {
	return Options{Namespace: "herald-system"}.withDefaults()
}

// issue makes a Secret's data at a time.
func issue(t *testing.T, o Options, now time.Time) map[string][]byte {
	t.Helper()
	made, _, err := newIssuer(o).renew(nil, now)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return made
}

func leaf(t *testing.T, held map[string][]byte) *tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(held[certificateKey], held[privateKeyKey])
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return &pair
}

func authority(t *testing.T, held map[string][]byte) *x509.Certificate {
	t.Helper()
	found := parse(held[caCertificateKey])
	NewWithT(t).Expect(found).To(HaveLen(1))
	return found[0]
}

func TestIssuedCertificatesAreForTheServiceAndAsLongAsSaid(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	made := issue(t, testOptions(), today)
	ca, server := authority(t, made), leaf(t, made).Leaf
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for _, name := range []string{"herald-webhook.herald-system.svc", "herald-webhook.herald-system.svc.cluster.local"} {
		_, err := server.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: today})
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(ca.NotAfter).To(Equal(today.Add(3650 * day)))
	g.Expect(server.NotAfter).To(Equal(today.Add(365 * day)))
	g.Expect(server.NotBefore).To(BeTemporally("<", today), "an API server's clock may be behind")
}

func TestRenew(t *testing.T) {
	t.Parallel()
	held := issue(t, testOptions(), today)
	foreign := testOptions()
	foreignCA := newIssuer(foreign)
	foreignCA.maker.CAOrganization = "Somebody else"
	theirs, _, err := foreignCA.renew(nil, today)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())

	with := func(key string, value []byte) map[string][]byte {
		changed := maps.Clone(held)
		changed[key] = value
		return changed
	}
	renamed := testOptions()
	renamed.DNSNames = append(renamed.DNSNames, "herald.example")
	for name, row := range map[string]struct {
		held             map[string][]byte
		options          Options
		after            time.Duration
		newCA, newServer bool
	}{
		"nothing is there yet":                   {newCA: true, newServer: true},
		"all is well":                            {held: held},
		"all is well until 90 days before":       {held: held, after: 274 * day},
		"the certificate ends in 90 days":        {held: held, after: 276 * day, newServer: true},
		"the CA ends in 90 days":                 {held: held, after: 3561 * day, newCA: true, newServer: true},
		"both have ended":                        {held: held, after: 4000 * day, newCA: true, newServer: true},
		"the certificate was removed":            {held: with(certificateKey, nil), newServer: true},
		"the certificate is none":                {held: with(certificateKey, []byte("certificate")), newServer: true},
		"the key is another's":                   {held: with(privateKeyKey, held[caPrivateKeyKey]), newServer: true},
		"the CA was removed":                     {held: with(caCertificateKey, nil), newCA: true, newServer: true},
		"the CA's key was removed":               {held: with(caPrivateKeyKey, nil), newCA: true, newServer: true},
		"the CA's key is another's":              {held: with(caPrivateKeyKey, held[privateKeyKey]), newCA: true, newServer: true},
		"the CA is another's":                    {held: theirs, newCA: true, newServer: true},
		"the server has got another name":        {held: held, options: renamed, newServer: true},
		"somebody else's keys are left in place": {held: with("note", []byte("mine"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			options := row.options
			if options.Namespace == "" {
				options = testOptions()
			}
			now := today.Add(row.after)
			made, why, err := newIssuer(options).renew(row.held, now)
			g.Expect(err).NotTo(HaveOccurred())
			if !row.newCA && !row.newServer {
				g.Expect(made).To(BeNil())
				return
			}
			g.Expect(strings.HasPrefix(why, "CA: ")).To(Equal(row.newCA), why)
			if row.newCA {
				g.Expect(made[caCertificateKey]).NotTo(Equal(row.held[caCertificateKey]))
			} else {
				g.Expect(made[caCertificateKey]).To(Equal(row.held[caCertificateKey]))
			}
			g.Expect(made[certificateKey]).NotTo(Equal(row.held[certificateKey]))

			// What was made is good, and is not made again.
			again, why, err := newIssuer(options).renew(made, now)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(again).To(BeNil(), why)
		})
	}
}

func TestOptionsThatWouldRenewWithoutEnd(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(testOptions().validate()).To(Succeed())
	endless := testOptions()
	endless.Duration = endless.RenewBefore
	g.Expect(endless.validate()).To(MatchError(ContainSubstring("must be less")))
	g.Expect(Options{}.withDefaults().validate()).To(MatchError(ContainSubstring("no namespace")))
}
