package certificates

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// longestBundle is how many CAs a bundle holds at most. One is replaced in ten years; more is a Secret that is deleted over
// and over.
const longestBundle = 5

// bundle returns what webhooks are to trust: the CA, and after it those of Herald's before it that were trusted until now,
// the newest first. Replicas may still show certificates of those. What is expired or not Herald's is left out.
func bundle(ca *x509.Certificate, trusted []*x509.Certificate, now time.Time) []byte {
	earlier := slices.Clone(trusted)
	slices.SortStableFunc(earlier, func(a, b *x509.Certificate) int { return cmp.Compare(b.NotBefore.Unix(), a.NotBefore.Unix()) })
	kept := []*x509.Certificate{ca}
	for _, c := range earlier {
		if isOurs(c) && now.Before(c.NotAfter) && !slices.ContainsFunc(kept, c.Equal) && len(kept) < longestBundle {
			kept = append(kept, c)
		}
	}
	var text []byte
	for _, c := range kept {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// isOurs tells a CA that Herald made from others, by its name.
func isOurs(c *x509.Certificate) bool {
	return c.IsCA && c.Subject.CommonName == caName && slices.Equal(c.Subject.Organization, []string{caOrganization})
}

// trustedBy returns the certificates in the bundles of all webhooks of a configuration. They are taken together, so that a
// webhook which was added while a CA is replaced trusts what its siblings do.
func trustedBy(configuration *admissionv1.ValidatingWebhookConfiguration) []*x509.Certificate {
	var all []*x509.Certificate
	for i := range configuration.Webhooks {
		all = append(all, parse(configuration.Webhooks[i].ClientConfig.CABundle)...)
	}
	return all
}

// parse returns the certificates in a text, without what is none: others may write bundles too.
func parse(text []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			found = append(found, c)
		}
	}
	return found
}
