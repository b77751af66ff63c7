package certificates

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/config"
)

// The files come after the server has started, as a Secret does that OLM or cert-manager makes, and change while it runs.
func TestMountedCertificateIsFollowed(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	directory := t.TempDir()
	certificates := New(Options{Mode: config.CertificatesMounted, Directory: directory})
	source := &mounted{
		certificate: filepath.Join(directory, certificateKey), key: filepath.Join(directory, privateKeyKey), show: certificates.shown.Store,
	}
	g.Expect(source.NeedLeaderElection()).To(BeFalse(), "every replica serves")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- source.Start(ctx) }()

	var server tls.Config
	certificates.TLS(&server)
	serves := func() []byte {
		shown, err := server.GetCertificate(nil)
		if err != nil {
			return nil
		}
		return shown.Certificate[0]
	}
	g.Eventually(func() error { return certificates.Ready(nil) }).Should(MatchError(ContainSubstring(directory)))
	_, err := server.GetCertificate(nil)
	g.Expect(err).To(MatchError(ContainSubstring("something else has to provide")))

	for range 2 {
		held := issue(t, testOptions(), time.Now())
		mount(t, directory, held)
		g.Eventually(serves).WithTimeout(30 * time.Second).Should(Equal(leaf(t, held).Certificate[0]))
		g.Expect(certificates.Ready(nil)).To(Succeed())
	}

	short := testOptions()
	short.Duration = time.Second
	mount(t, directory, issue(t, short, time.Now()))
	g.Eventually(func() error { return certificates.Ready(nil) }).WithTimeout(30 * time.Second).Should(MatchError(ContainSubstring("was valid until")))

	cancel()
	g.Expect(<-ended).To(Succeed())
}

// OLM mounts a certificate without a word in the configuration, and where nothing is mounted the manager makes its own.
func TestCertificatesAreWhosoeverMountedThem(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	directory := t.TempDir()
	mode := func(asked config.CertificateMode) config.CertificateMode {
		return New(Options{Mode: asked, Directory: directory}).options.Mode
	}
	g.Expect(mode("")).To(Equal(config.CertificatesManaged))
	g.Expect(mode(config.CertificatesMounted)).To(Equal(config.CertificatesMounted), "they may come later")
	g.Expect(os.WriteFile(filepath.Join(directory, privateKeyKey), []byte("half of it"), 0o600)).To(Succeed())
	g.Expect(mode("")).To(Equal(config.CertificatesManaged))
	mount(t, directory, issue(t, testOptions(), time.Now()))
	g.Expect(mode("")).To(Equal(config.CertificatesMounted))
	g.Expect(mode(config.CertificatesManaged)).To(Equal(config.CertificatesManaged))
}

func mount(t *testing.T, directory string, held map[string][]byte) {
	t.Helper()
	for _, name := range []string{privateKeyKey, certificateKey} {
		if err := os.WriteFile(filepath.Join(directory, name), held[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
