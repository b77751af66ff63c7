// Package metrics holds what Herald tells Prometheus. What has a present state is read when it is asked for, so that no
// series outlives its peer; only what happens is counted as it happens.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Loop is what the agent's loop counts.
type Loop struct {
	// Compute is how long decisions took, Apply how long the speaker took to carry them out, in seconds by turn.
	Compute, Apply prometheus.Histogram
	// ApplyErrors counts turns that the speaker did not carry out in full.
	ApplyErrors prometheus.Counter
	// Draining is how many peers the node takes leave of.
	Draining prometheus.Gauge
	// Panics counts bugs that the loop survived.
	Panics prometheus.Counter
	// Waiting is 1 while sessions wait for the service proxy, FromSaved while the agent speaks from saved state.
	Waiting, FromSaved prometheus.Gauge
	// SaveErrors counts failures to save the state.
	SaveErrors prometheus.Counter
	// StatusWrites counts writes of BGPNode's status, by result.
	StatusWrites *prometheus.CounterVec
}

// Values of the label result.
const (
	ResultSuccess = "success"
	ResultError   = "error"
)

// NewLoop returns the counters of a loop, registered.
func NewLoop(registry prometheus.Registerer) *Loop {
	seconds := []float64{.0001, .0005, .001, .002, .005, .01, .05, .1, .5, 1, 5}
	l := &Loop{
		Compute: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "herald_compute_duration_seconds", Buckets: seconds,
			Help: "Time to decide what a batch of changes means for this node.",
		}),
		Apply: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "herald_apply_duration_seconds", Buckets: seconds,
			Help: "Time for the BGP speaker to take over a batch of changes.",
		}),
		ApplyErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "herald_apply_errors_total",
			Help: "Batches of changes that the BGP speaker did not take over in full; they are tried again.",
		}),
		Draining: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "herald_agent_draining",
			Help: "Peers that the node takes leave of: their routes are marked as about to go (RFC 8326).",
		}),
		Panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "herald_panics_total",
			Help: "Panics that the agent survived. Each is a bug: see the log.",
		}),
		Waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "herald_waiting_for_service_proxy",
			Help: "1 while a node that has just booted opens no session because kube-proxy is not healthy yet, else 0.",
		}),
		FromSaved: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "herald_speaking_from_saved_state",
			Help: "1 while the agent advertises what the agent before it did, since the API server has not told it everything, else 0.",
		}),
		SaveErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "herald_saved_state_errors_total",
			Help: "Failures to save what is advertised, for an agent that starts while the API server is away; they are tried again.",
		}),
		StatusWrites: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "herald_status_writes_total",
			Help: "Writes of the status of this node's BGPNode, by result.",
		}, []string{"result"}),
	}
	for _, result := range []string{ResultSuccess, ResultError} {
		l.StatusWrites.WithLabelValues(result)
	}
	registry.MustRegister(l.Compute, l.Apply, l.ApplyErrors, l.Draining, l.Panics, l.Waiting, l.FromSaved, l.SaveErrors, l.StatusWrites)
	return l
}

// NewRegistry returns a registry with what every agent tells of itself and of its speaker.
func NewRegistry(version string, observe func() bgp.Speaker) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "herald_build_info", ConstLabels: prometheus.Labels{"version": version},
		Help: "1, with the agent's version as a label.",
	})
	info.Set(1)
	registry.MustRegister(
		info,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newSpeakerCollector(observe),
	)
	return registry
}
