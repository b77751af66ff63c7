package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/herald-network/herald/test/lab/pki"
)

func parse(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestServerIsTrustedUnderAllOfItsNames(t *testing.T) {
	g := NewWithT(t)
	authority, err := pki.NewAuthority("lab")
	g.Expect(err).NotTo(HaveOccurred())
	pair, err := authority.Server("server", []string{"kubernetes"}, []netip.Addr{
		netip.MustParseAddr("10.49.0.1"), netip.MustParseAddr("fd00:49::1"),
	})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = tls.X509KeyPair(pair.Cert, pair.Key)
	g.Expect(err).NotTo(HaveOccurred())

	roots := x509.NewCertPool()
	g.Expect(roots.AppendCertsFromPEM(authority.CertPEM)).To(BeTrue())
	for _, name := range []string{"kubernetes", "10.49.0.1", "fd00:49::1"} {
		_, err := parse(t, pair.Cert).Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		g.Expect(err).NotTo(HaveOccurred(), name)
	}
	_, err = parse(t, pair.Cert).Verify(x509.VerifyOptions{Roots: roots, DNSName: "10.49.0.2"})
	g.Expect(err).To(HaveOccurred())
}

func TestKubeconfigIsTheUsers(t *testing.T) {
	g := NewWithT(t)
	authority, err := pki.NewAuthority("lab")
	g.Expect(err).NotTo(HaveOccurred())
	client, err := authority.Client("admin", "system:masters")
	g.Expect(err).NotTo(HaveOccurred())
	text, err := authority.Kubeconfig("https://[fd00:1::100]:6443", client)
	g.Expect(err).NotTo(HaveOccurred())

	config, err := clientcmd.RESTConfigFromKubeConfig(text)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(config.Host).To(Equal("https://[fd00:1::100]:6443"))
	g.Expect(config.CAData).To(Equal(authority.CertPEM))
	user := parse(t, config.CertData).Subject
	g.Expect(user.CommonName).To(Equal("admin"))
	g.Expect(user.Organization).To(ConsistOf("system:masters"))
}

func TestKeyPairBelongsTogether(t *testing.T) {
	g := NewWithT(t)
	public, private, err := pki.NewKeyPair()
	g.Expect(err).NotTo(HaveOccurred())
	block, _ := pem.Decode(private)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	g.Expect(err).NotTo(HaveOccurred())
	block, _ = pem.Decode(public)
	g.Expect(x509.ParsePKIXPublicKey(block.Bytes)).To(Equal(&key.PublicKey))
}
