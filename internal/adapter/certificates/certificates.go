package certificates

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/herald-network/herald/internal/config"
	"github.com/herald-network/herald/internal/core/password"
)

const (
	// DefaultSecret is the name of the Secret that holds what the manager has made.
	DefaultSecret = password.WebhookSecret
	// DefaultDirectory is where mounted certificates are: OLM mounts them there, without being asked.
	DefaultDirectory = "/tmp/k8s-webhook-server/serving-certs"

	defaultCADuration  = 10 * 365 * 24 * time.Hour
	defaultDuration    = 365 * 24 * time.Hour
	defaultRenewBefore = 90 * 24 * time.Hour
	defaultCheckEvery  = 12 * time.Hour
	defaultSettle      = 10 * time.Second
)

// Options says whose certificate the webhook server shows. What is left zero has its default.
type Options struct {
	// Mode says who makes the certificate. Only Directory matters where it is Mounted. Where it says nothing it is Mounted if
	// Directory holds a certificate, which OLM mounts without being asked, and otherwise Managed.
	Mode config.CertificateMode
	// Directory holds tls.crt and tls.key where the certificate is mounted. Defaults to DefaultDirectory.
	Directory string

	// Namespace is Herald's own, where the Secret is.
	Namespace string
	// Secret is the Secret's name. Defaults to DefaultSecret.
	Secret string
	// DNSNames are the names by which the API server may call, the first one being the certificate's subject. Defaults to
	// those of the Service herald-webhook.
	DNSNames []string
	// Configurations are the names of the ValidatingWebhookConfigurations whose webhooks the server is. One that does not
	// exist is waited for by nobody, and gets its bundle when it comes.
	Configurations []string

	// CADuration is how long a CA is valid. Defaults to 10 years.
	CADuration time.Duration
	// Duration is how long a certificate is valid. Defaults to one year.
	Duration time.Duration
	// RenewBefore is how long before the end of its validity a CA or a certificate is replaced. Defaults to 90 days.
	RenewBefore time.Duration
	// CheckEvery is how often the Secret is looked at where nothing changes it. Defaults to 12 hours.
	CheckEvery time.Duration
	// Settle is how long the bundles must have had a new CA before a certificate of it is shown. Every API server of the
	// cluster follows the configurations on its own, most often within milliseconds, but one that lost its watch comes back
	// only after a pause of seconds, and what was shown before stays good meanwhile: waiting costs nothing. Defaults to 10 s.
	Settle time.Duration
}

func (o Options) withDefaults() Options {
	o.Directory = cmp.Or(o.Directory, DefaultDirectory)
	o.Mode = cmp.Or(o.Mode, modeOf(o.Directory))
	o.Secret = cmp.Or(o.Secret, DefaultSecret)
	o.CADuration = cmp.Or(o.CADuration, defaultCADuration)
	o.Duration = cmp.Or(o.Duration, defaultDuration)
	o.RenewBefore = cmp.Or(o.RenewBefore, defaultRenewBefore)
	o.CheckEvery = cmp.Or(o.CheckEvery, defaultCheckEvery)
	o.Settle = cmp.Or(o.Settle, defaultSettle)
	if len(o.DNSNames) == 0 {
		service := "herald-webhook." + o.Namespace + ".svc"
		o.DNSNames = []string{service, service + ".cluster.local"}
	}
	return o
}

// modeOf says who makes the certificate where nobody says: whoever mounted one. A directory that can't be read is taken for
// one that holds none.
func modeOf(directory string) config.CertificateMode {
	for _, file := range []string{certificateKey, privateKeyKey} {
		if _, err := os.Stat(filepath.Join(directory, file)); err != nil {
			return config.CertificatesManaged
		}
	}
	return config.CertificatesMounted
}

// validate finds what would have certificates made without end, or for nobody.
func (o Options) validate() error {
	if o.Namespace == "" {
		return errors.New("webhook certificates: no namespace for the Secret")
	}
	if shortest := min(o.CADuration, o.Duration); o.RenewBefore >= shortest {
		return fmt.Errorf("webhook certificates: they are valid for %s and renewed %s before the end: must be less", shortest, o.RenewBefore)
	}
	return nil
}

// Certificates is the certificate that a webhook server shows, as it changes. Use New.
type Certificates struct {
	options Options
	shown   atomic.Pointer[shown]
}

// shown is what the server shows, and what there is to say against it.
type shown struct {
	// certificate returns nil where there is none yet.
	certificate func() *tls.Certificate
	// problem says why requests would fail; nil where they would not.
	problem error
}

// New returns certificates that are there once they are set up with a manager and that has started.
func New(o Options) *Certificates {
	c := &Certificates{options: o.withDefaults()}
	c.shown.Store(&shown{
		certificate: func() *tls.Certificate { return nil },
		problem:     errors.New("no certificate for the webhook server was found yet"),
	})
	return c
}

// TLS has a server show the certificate, for webhook.Options.TLSOpts. The server may start while there is none: it refuses
// connections until then.
func (c *Certificates) TLS(server *tls.Config) {
	server.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		now := c.shown.Load()
		if certificate := now.certificate(); certificate != nil {
			return certificate, nil
		}
		return nil, now.problem
	}
}

// Ready is nil where requests of the API server succeed, as far as certificates go; for Manager.AddReadyzCheck. A replica is
// to get no requests before.
func (c *Certificates) Ready(*http.Request) error {
	now := c.shown.Load()
	if now.problem != nil {
		return now.problem
	}
	if end := now.certificate().Leaf.NotAfter; time.Now().After(end) {
		return fmt.Errorf("the webhook server's certificate was valid until %s", end.UTC().Format(time.RFC3339))
	}
	return nil
}

// SetupWithManager has the manager follow the certificate and, where it is to make it, make it.
func (c *Certificates) SetupWithManager(mgr ctrl.Manager) error {
	if c.options.Mode == config.CertificatesMounted {
		return mgr.Add(&mounted{
			certificate: filepath.Join(c.options.Directory, certificateKey),
			key:         filepath.Join(c.options.Directory, privateKeyKey),
			show:        c.shown.Store,
		})
	}
	if err := c.options.validate(); err != nil {
		return err
	}
	objects, err := follow(mgr, c.options)
	if err != nil {
		return err
	}
	return errors.Join(
		setupRotation(mgr, objects, c.options),
		setupInjection(mgr, objects, c.options),
		setupFollower(mgr, objects, c),
	)
}
