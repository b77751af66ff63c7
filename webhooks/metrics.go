package webhooks

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
)

// result is what became of a request, as a value of the label result.
type result string

// The results.
const (
	// unjudged is a request that changes nothing that a rule is about.
	unjudged result = "unjudged"
	allowed  result = "allowed"
	warned   result = "warned"
	refused  result = "refused"
	// failed is a request that could not be judged; by the webhook it was refused or let through.
	failed result = "failed"
)

// requests counts requests by what they asked for and what became of them. Latency, HTTP codes and panics are counted by
// controller-runtime, as controller_runtime_webhook_*.
type requests struct{ *prometheus.CounterVec }

// newRequests returns the counter, registered. One that is registered already is shared.
func newRequests(registry prometheus.Registerer) (requests, error) {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "herald_admission_requests_total",
		Help: "Admission requests by kind, operation and result: unjudged (nothing changed that a rule is about), allowed, " +
			"warned, refused, or failed (it could not be judged: see the log).",
	}, []string{"kind", "operation", "result"})
	err := registry.Register(counter)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if shared, ok := already.ExistingCollector.(*prometheus.CounterVec); ok {
			return requests{shared}, nil
		}
	}
	if err != nil {
		return requests{}, fmt.Errorf("register the metrics of admission: %w", err)
	}
	return requests{counter}, nil
}

func (r requests) count(kind string, operation admissionv1.Operation, result result) {
	r.WithLabelValues(kind, string(operation), string(result)).Inc()
}
