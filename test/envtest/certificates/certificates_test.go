// Package certificates_test replaces the certificates of two managers' webhook servers while a real API server calls them.
package certificates_test

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/open-policy-agent/cert-controller/pkg/rotator"

	"github.com/herald-network/herald/internal/adapter/certificates"
)

// TestCertificatesAreReplacedWithoutARefusal goes through the life of certificates, one step after the other.
func TestCertificatesAreReplacedWithoutARefusal(t *testing.T) {
	r := newRig(t)
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(30 * time.Second)
	for _, replica := range r.replicas {
		r.start(t, replica)
	}
	g.Expect(r.replicas[0].certificates.Ready(nil)).NotTo(Succeed(), "there is nothing yet to be ready with")
	r.awaitServed(t, r.replicas...)
	g.Eventually(func() error { return r.dryRun(t.Context(), "first") }).Should(Succeed())

	load := r.startLoad(t)
	load.expectUnharmed(t)

	first := r.ca(t)
	t.Log("A certificate that is about to expire is replaced, under the same CA.")
	ending := r.endingCertificate(t)
	r.patchSecret(t, ending)
	g.Eventually(func() []byte { return r.secret(t)["tls.crt"] }).ShouldNot(Equal(ending["tls.crt"]))
	r.awaitServed(t, r.replicas...)
	g.Expect(r.ca(t)).To(Equal(first))
	load.expectUnharmed(t)

	t.Log("A CA that was removed is replaced, and the one before it is trusted on.")
	r.patchSecret(t, map[string][]byte{"ca.crt": nil, "ca.key": nil})
	g.Eventually(func() string { return r.ca(t) }).ShouldNot(Or(BeEmpty(), Equal(first)))
	second := r.ca(t)
	r.awaitServed(t, r.replicas...)
	load.expectUnharmed(t)
	for _, replica := range r.replicas {
		g.Expect(r.bundle(t, replica)).To(Equal([]string{second, first}))
	}

	t.Log("A Secret that was deleted is made anew.")
	r.kubectl(t, "delete", "secret", certificates.DefaultSecret)
	g.Eventually(func() string { return r.ca(t) }).ShouldNot(Or(BeEmpty(), Equal(second)))
	third := r.ca(t)
	r.awaitServed(t, r.replicas...)
	load.expectUnharmed(t)
	for _, replica := range r.replicas {
		g.Expect(r.bundle(t, replica)).To(Equal([]string{third, second, first}))
	}

	load.stop()
	accepted, refused := load.count()
	g.Expect(refused).To(BeEmpty())
	for _, replica := range r.replicas {
		g.Expect(replica.calls.Load()).To(BeNumerically(">=", accepted), "every request was asked about")
		g.Expect(replica.handshakes.Load()).To(BeNumerically(">=", accepted), "every request saw the certificate of its time")
	}
	t.Logf("%d requests, none refused", accepted)

	t.Log("Nothing is written while nothing changes.")
	g.Consistently(func() []string { return r.versions(t) }).WithTimeout(3 * time.Second).Should(Equal(r.versions(t)))

	t.Log("A bundle that was emptied, or filled with something else, is put right; CAs before the present one are gone with it.")
	for _, text := range []string{"", foreignCA(t)} {
		r.overwriteBundle(t, r.replicas[0], text)
		g.Eventually(func() []string { return r.bundle(t, r.replicas[0]) }).Should(Equal([]string{third}))
		g.Eventually(func() error { return r.dryRun(t.Context(), "repaired") }).Should(Succeed())
	}

	t.Log("When the leader goes, the other replica goes on in its place.")
	leader, other := r.leader(t)
	g.Expect(r.client.Delete(t.Context(), leader.webhook())).To(Succeed())
	leader.stop()
	r.kubectl(t, "delete", "secret", certificates.DefaultSecret)
	g.Eventually(other.elected).Should(BeClosed())
	g.Eventually(func() string { return r.ca(t) }).ShouldNot(Or(BeEmpty(), Equal(third)))
	r.awaitServed(t, other)
	g.Eventually(func() error { return r.dryRun(t.Context(), "last") }).Should(Succeed())
}

// leader returns the replica that leads, and the one that does not.
func (r *rig) leader(t *testing.T) (leader, other *replica) {
	t.Helper()
	select {
	case <-r.replicas[0].elected:
		leader, other = r.replicas[0], r.replicas[1]
	case <-r.replicas[1].elected:
		leader, other = r.replicas[1], r.replicas[0]
	}
	NewWithT(t).Expect(other.elected).NotTo(BeClosed(), "one leads")
	return leader, other
}

// endingCertificate returns a certificate of the Secret's CA that is valid for one more day.
func (r *rig) endingCertificate(t *testing.T) map[string][]byte {
	t.Helper()
	g := NewWithT(t)
	held := r.secret(t)
	ca, err := tls.X509KeyPair(held["ca.crt"], held["ca.key"])
	g.Expect(err).NotTo(HaveOccurred())
	maker := rotator.CertRotator{DNSName: "localhost", ExtKeyUsages: &[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	signer := &rotator.KeyPairArtifacts{Cert: ca.Leaf, Key: ca.PrivateKey.(*rsa.PrivateKey)}
	certificate, key, err := maker.CreateCertPEM(signer, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	g.Expect(err).NotTo(HaveOccurred())
	return map[string][]byte{"tls.crt": certificate, "tls.key": key}
}

// foreignCA returns a CA that Herald did not make.
func foreignCA(t *testing.T) string {
	t.Helper()
	maker := rotator.CertRotator{CAName: "somebody-else"}
	ca, err := maker.CreateCACert(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(ca.CertPEM)
}

func (r *rig) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return r.MustKubectl(t, "", append([]string{"-n", namespace}, args...)...)
}

// patchSecret sets keys of the Secret, and removes those without a value.
func (r *rig) patchSecret(t *testing.T, data map[string][]byte) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"data": data})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	r.kubectl(t, "patch", "secret", certificates.DefaultSecret, "--type=merge", "-p", string(patch))
}

func (r *rig) overwriteBundle(t *testing.T, replica *replica, text string) {
	t.Helper()
	patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": []byte(text)}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	r.kubectl(t, "patch", "validatingwebhookconfiguration", replica.configuration, "--type=json", "-p", string(patch))
}

// versions are the versions of all objects that are written here.
func (r *rig) versions(t *testing.T) []string {
	t.Helper()
	const version = "jsonpath={.metadata.resourceVersion}"
	all := []string{r.kubectl(t, "get", "secret", certificates.DefaultSecret, "-o", version)}
	for _, replica := range r.replicas {
		all = append(all, r.kubectl(t, "get", "validatingwebhookconfiguration", replica.configuration, "-o", version))
	}
	return all
}
