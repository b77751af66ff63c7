// Package config reads the manager's configuration file: how the agents run that the manager starts, and whose certificate
// its webhook server shows. There need not be one.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// Manager is the configuration file.
type Manager struct {
	// Agent says how agents run.
	Agent Agent `json:"agent"`
	// Webhook says how the manager's webhook server runs.
	Webhook Webhook `json:"webhook,omitzero"`
}

// Webhook says how the manager's webhook server runs.
type Webhook struct {
	// Certificates says who makes the server's certificate. Absent: it is Mounted where one is mounted when the manager
	// starts, else Managed. A change is taken over when the manager starts again.
	Certificates CertificateMode `json:"certificates,omitempty"`
}

// CertificateMode says who makes the webhook server's certificate.
type CertificateMode string

const (
	// CertificatesManaged has the manager make the certificate and its CA, and replace both before they expire.
	CertificatesManaged CertificateMode = "Managed"
	// CertificatesMounted has the manager read the certificate from files. Something else provides them, and has the API
	// server trust them, such as cert-manager or OLM.
	CertificatesMounted CertificateMode = "Mounted"
)

// Agent says how the agents of all nodes run.
type Agent struct {
	// Image of the agent. Defaults to the one that the manager's Deployment names, which is the manager's own: then agents
	// are upgraded by the manager that knows how they run.
	Image string `json:"image,omitempty"`
	// LogLevel is error, warn, info or debug, with an offset where wanted (debug-4 shows the wire). Defaults to info.
	LogLevel string `json:"logLevel,omitempty"`
	// NodeSelector selects the nodes that run an agent, by their labels. Defaults to all nodes.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Tolerations of the agent's pods. Absent: every taint is tolerated, since a node that forwards must also advertise.
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// Resources of the agent's container. Absent: the requests of the DaemonSet's template, and no limits.
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// ServiceProxy is what an agent waits for before its first session after the node booted.
	ServiceProxy ServiceProxy `json:"serviceProxy,omitzero"`
}

// ServiceProxy says how agents tell that the node forwards to Services: by kube-proxy's health, as a rule.
type ServiceProxy struct {
	// HealthURL answers 200 once the node forwards. Defaults to http://127.0.0.1:10256/healthz, which is kube-proxy's.
	HealthURL string `json:"healthURL,omitempty"`
	// WaitSeconds is how long it is waited for at most: 0 to 300, where 0 is not at all, as is right where a CNI replaces
	// kube-proxy and serves nothing there. Defaults to 30.
	WaitSeconds *int32 `json:"waitSeconds,omitempty"`
}

const maxServiceProxyWaitSeconds = 300

func (p ServiceProxy) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	u, err := url.Parse(p.HealthURL)
	if p.HealthURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		errs = append(errs, field.Invalid(path.Child("healthURL"), p.HealthURL, "must be a URL such as http://127.0.0.1:10256/healthz"))
	}
	if wait := p.WaitSeconds; wait != nil && (*wait < 0 || *wait > maxServiceProxyWaitSeconds) {
		errs = append(errs, field.Invalid(path.Child("waitSeconds"), *wait, "must be 0, which does not wait, to 300"))
	}
	return errs
}

// Defaults are what holds where the file says nothing, and what depends on how the manager was installed.
type Defaults struct {
	// AgentImage is the image of the agent.
	AgentImage string
}

// Load reads the configuration file at a path. One that is not there is taken for an empty one, as with OLM, which lets
// whoever wants other agents make the ConfigMap.
func Load(path string, defaults Defaults) (Manager, error) {
	file, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Manager{}, fmt.Errorf("read the configuration: %w", err)
	}
	m, err := Parse(file, defaults)
	if err != nil {
		return Manager{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Parse reads the content of a configuration file. The error names each field that is unknown or has no sound value.
func Parse(file []byte, defaults Defaults) (Manager, error) {
	document, err := yaml.YAMLToJSONStrict(file)
	if err != nil {
		return Manager{}, fmt.Errorf("read the configuration: %w", err)
	}
	m := Manager{Agent: Agent{Image: defaults.AgentImage, LogLevel: "info"}}
	unknown, err := json.UnmarshalStrict(document, &m)
	if err = errors.Join(append(unknown, err)...); err != nil {
		return Manager{}, fmt.Errorf("read the configuration: %w", err)
	}
	if err := m.validate().ToAggregate(); err != nil {
		return Manager{}, fmt.Errorf("read the configuration: %w", err)
	}
	return m, nil
}

func (m Manager) validate() field.ErrorList {
	agent := field.NewPath("agent")
	var errs field.ErrorList
	if m.Agent.Image == "" {
		errs = append(errs, field.Required(agent.Child("image"), "the image that agents run, such as ghcr.io/herald-network/herald:v0.1.0, "+
			"since the manager's Deployment names none"))
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(m.Agent.LogLevel)); err != nil {
		errs = append(errs, field.Invalid(agent.Child("logLevel"), m.Agent.LogLevel, "must be error, warn, info or debug, such as debug or debug-4"))
	}
	errs = append(errs, metav1validation.ValidateLabels(m.Agent.NodeSelector, agent.Child("nodeSelector"))...)
	for i, t := range m.Agent.Tolerations {
		errs = append(errs, validateToleration(t, agent.Child("tolerations").Index(i))...)
	}
	errs = append(errs, m.Agent.ServiceProxy.validate(agent.Child("serviceProxy"))...)
	modes := []CertificateMode{CertificatesManaged, CertificatesMounted}
	if mode := m.Webhook.Certificates; mode != "" && !slices.Contains(modes, mode) {
		errs = append(errs, field.NotSupported(field.NewPath("webhook", "certificates"), mode, modes))
	}
	return errs
}

// validateToleration checks what would make the API server refuse the DaemonSet, where nobody looks for the cause.
func validateToleration(t corev1.Toleration, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch t.Operator {
	case "", corev1.TolerationOpEqual:
		if t.Key == "" {
			errs = append(errs, field.Invalid(path.Child("operator"), t.Operator, "must be Exists where key is empty, which tolerates every taint"))
		}
	case corev1.TolerationOpExists:
		if t.Value != "" {
			errs = append(errs, field.Invalid(path.Child("value"), t.Value, "must be empty where operator is Exists"))
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("operator"), t.Operator, []corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}))
	}
	switch t.Effect {
	case "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
	default:
		errs = append(errs, field.NotSupported(path.Child("effect"), t.Effect,
			[]corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}))
	}
	return errs
}
