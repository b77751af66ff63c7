package certificates

import (
	"crypto/x509"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// made returns a CA that was made some days before today, valid for 100.
func made(t *testing.T, daysAgo int, organization string) *x509.Certificate {
	t.Helper()
	maker := newIssuer(testOptions()).maker
	maker.CAOrganization = organization
	begin := today.Add(-time.Duration(daysAgo) * day)
	ca, err := maker.CreateCACert(begin, begin.Add(100*day))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return ca.Cert
}

func TestBundle(t *testing.T) {
	t.Parallel()
	present := made(t, 0, caOrganization)
	young, older, oldest := made(t, 10, caOrganization), made(t, 20, caOrganization), made(t, 99, caOrganization)
	ended := made(t, 101, caOrganization)
	foreign := made(t, 10, "Somebody else")
	server := leaf(t, issue(t, testOptions(), today)).Leaf
	type list = []*x509.Certificate
	for name, row := range map[string]struct{ ca, trusted, want list }{
		"nothing was trusted":                   {want: list{present}},
		"the same was trusted":                  {trusted: list{present}, want: list{present}},
		"the one before stays":                  {trusted: list{young}, want: list{present, young}},
		"all before stay, the newest first":     {trusted: list{oldest, young, older}, want: list{present, young, older, oldest}},
		"no one stands there twice":             {trusted: list{young, present, young}, want: list{present, young}},
		"one that has ended goes":               {trusted: list{ended, young}, want: list{present, young}},
		"another's goes":                        {trusted: list{foreign, young}, want: list{present, young}},
		"what is no CA goes":                    {trusted: list{server}, want: list{present}},
		"an older CA is taken up again":         {ca: list{older}, trusted: list{present, young}, want: list{older, present, young}},
		"where there are many, the oldest goes": {trusted: list{oldest, older, made(t, 15, caOrganization), young, made(t, 5, caOrganization)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			ca := present
			if row.ca != nil {
				ca = row.ca[0]
			}
			got := bundle(ca, row.trusted, today)
			if row.want == nil {
				g.Expect(parse(got)).To(HaveLen(longestBundle))
				g.Expect(parse(got)).NotTo(ContainElement(HaveField("Raw", oldest.Raw)))
			} else {
				g.Expect(raw(parse(got))).To(Equal(raw(row.want)))
			}
			g.Expect(bundle(ca, parse(got), today)).To(Equal(got), "what was written is not written again")
		})
	}
}

func raw(certificates []*x509.Certificate) []string {
	all := make([]string, len(certificates))
	for i, c := range certificates {
		all[i] = string(c.Raw)
	}
	return all
}

func TestTrustedByTakesAllWebhooksTogether(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	first, second := made(t, 1, caOrganization), made(t, 2, caOrganization)
	broken := []byte("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\nnot a certificate\n")
	configuration := &admissionv1.ValidatingWebhookConfiguration{Webhooks: []admissionv1.ValidatingWebhook{
		{ClientConfig: admissionv1.WebhookClientConfig{CABundle: append(broken, bundle(first, nil, today)...)}},
		{},
		{ClientConfig: admissionv1.WebhookClientConfig{CABundle: bundle(second, nil, today)}},
	}}
	g.Expect(raw(trustedBy(configuration))).To(Equal(raw([]*x509.Certificate{first, second})))
}
