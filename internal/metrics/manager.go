package metrics

import "github.com/prometheus/client_golang/prometheus"

// Manager is what the manager counts.
type Manager struct {
	// StatusWrites counts writes of the status of Herald's objects, by kind and result.
	StatusWrites *prometheus.CounterVec
}

// Values of the label result of events.
const (
	// ResultWritten: the event is in the API.
	ResultWritten = "written"
	// ResultDropped: it was one too many, or could not be written.
	ResultDropped = "dropped"
)

// NewManager returns the counters of a manager, registered. silentAgents says how many agents are silent at the time of a
// scrape.
func NewManager(registry prometheus.Registerer, silentAgents func() int) *Manager {
	m := &Manager{
		StatusWrites: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "herald_manager_status_writes_total",
			Help: "Writes of the status of BGPPeers, BGPConfigurations and ExternalIPPools, by kind and result.",
		}, []string{"kind", "result"}),
	}
	silent := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "herald_manager_silent_agents",
		Help: "Agents that were heard once and have given no sign of life for 40 s; 0 on a replica that does not lead.",
	}, func() float64 { return float64(silentAgents()) })
	registry.MustRegister(m.StatusWrites, silent)
	return m
}

// NewEvents returns the counter of events on objects by reason and result, registered.
func NewEvents(registry prometheus.Registerer) *prometheus.CounterVec {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "herald_manager_events_total",
		Help: "Events on BGPPeers and Services, by reason and result: those that are one too many are dropped.",
	}, []string{"reason", "result"})
	registry.MustRegister(events)
	return events
}
