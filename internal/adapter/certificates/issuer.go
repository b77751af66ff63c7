package certificates

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
)

const (
	// caName and caOrganization tell Herald's CAs from others in a bundle, so they must never change.
	caName         = "herald-webhook-ca"
	caOrganization = "Herald"

	// clockSkew is how far the clock of an API server may be behind for it to take a certificate that was made just now.
	clockSkew = time.Hour
)

// issuer makes CAs and certificates.
type issuer struct {
	options Options
	maker   rotator.CertRotator
}

func newIssuer(o Options) issuer {
	return issuer{options: o, maker: rotator.CertRotator{
		CAName:         caName,
		CAOrganization: caOrganization,
		DNSName:        o.DNSNames[0],
		ExtraDNSNames:  o.DNSNames[1:],
		ExtKeyUsages:   &[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}}
}

// renew returns what the Secret's data is to become, and why; nil where what it holds is good until the next look. A
// certificate never outlives its CA unnoticed, since a CA takes the certificate with it when it is replaced.
func (i issuer) renew(held map[string][]byte, now time.Time) (made map[string][]byte, why string, err error) {
	ca, why := i.heldCA(held, now)
	if why != "" {
		if ca, err = i.maker.CreateCACert(now.Add(-clockSkew), now.Add(i.options.CADuration)); err != nil {
			return nil, why, fmt.Errorf("make a CA for webhooks: %w", err)
		}
	} else if why = i.whyNot(held, now); why == "" {
		return nil, "", nil
	}
	certificate, key, err := i.maker.CreateCertPEM(ca, now.Add(-clockSkew), now.Add(i.options.Duration))
	if err != nil {
		return nil, why, fmt.Errorf("make a certificate for webhooks: %w", err)
	}
	return map[string][]byte{
		caCertificateKey: ca.CertPEM, caPrivateKeyKey: ca.KeyPEM,
		certificateKey: certificate, privateKeyKey: key,
	}, why, nil
}

// heldCA returns the CA that the data holds, or why that one can't go on.
func (i issuer) heldCA(held map[string][]byte, now time.Time) (ca *rotator.KeyPairArtifacts, why string) {
	certificate, key := held[caCertificateKey], held[caPrivateKeyKey]
	if len(certificate) == 0 {
		return nil, "CA: absent"
	}
	if _, err := rotator.ValidCert(certificate, certificate, key, caName, nil, now.Add(i.options.RenewBefore)); err != nil {
		return nil, "CA: " + err.Error()
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, "CA: " + err.Error()
	}
	private, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok || !isOurs(pair.Leaf) {
		return nil, "CA: not one that Herald made"
	}
	return &rotator.KeyPairArtifacts{Cert: pair.Leaf, Key: private, CertPEM: certificate, KeyPEM: key}, ""
}

// whyNot says why the certificate that the data holds can't go on; nothing where it can.
func (i issuer) whyNot(held map[string][]byte, now time.Time) string {
	for _, name := range i.options.DNSNames {
		_, err := rotator.ValidCert(held[caCertificateKey], held[certificateKey], held[privateKeyKey],
			name, i.maker.ExtKeyUsages, now.Add(i.options.RenewBefore))
		if err != nil {
			return "certificate: " + err.Error()
		}
	}
	return ""
}
