package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// metrics are what a process tells Prometheus, by name.
type metrics map[string]*dto.MetricFamily

func parseMetrics(text io.Reader) (metrics, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(text)
}

// sum adds up the series of a name that are to be kept; nil keeps all.
func (m metrics) sum(name string, keep func(labels map[string]string) bool) float64 {
	sum := 0.0
	for _, series := range m[name].GetMetric() {
		if keep != nil && !keep(labels(series)) {
			continue
		}
		sum += series.GetCounter().GetValue() + series.GetGauge().GetValue() + float64(series.GetHistogram().GetSampleCount())
	}
	return sum
}

// label returns the value of a label in the first series of a name.
func (m metrics) label(name, label string) string {
	for _, series := range m[name].GetMetric() {
		return labels(series)[label]
	}
	return ""
}

func labels(series *dto.Metric) map[string]string {
	values := map[string]string{}
	for _, pair := range series.GetLabel() {
		values[pair.GetName()] = pair.GetValue()
	}
	return values
}

// get reads metrics from a URL.
func get(ctx context.Context, client *http.Client, url string) (metrics, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s", url, response.Status)
	}
	return parseMetrics(response.Body)
}

// agentPort is where an agent serves its metrics.
const agentPort = 17901

// scrape reads the metrics of a node's agent.
func (r *rack) scrape(ctx context.Context, n node) (metrics, error) {
	return get(ctx, r.scrapers, "https://"+netip.AddrPortFrom(n.address, agentPort).String()+"/metrics")
}

// scraper is the ServiceAccount of the rack's manifests that may read metrics.
const scraper = "scraper"

// scrapeClient returns a client for the metrics of agents and managers, whose connections begin on a host of the rack. Its token
// is good for longer than any scenario takes.
func (r *rack) scrapeClient(ctx context.Context, host string) (*http.Client, error) {
	seconds := int64((24 * time.Hour).Seconds())
	token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: scraper}}
	if err := r.api.SubResource("token").Create(ctx, account, token); err != nil {
		return nil, fmt.Errorf("request a token for metrics: %w", err)
	}
	return rest.HTTPClientFor(&rest.Config{
		BearerToken:     token.Status.Token,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true}, // The certificates are of the processes' own making.
		Timeout:         5 * time.Second,
		Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			return r.Dial(ctx, host, address)
		},
	})
}

// A process is at rest when it used less than idleCPU of a core and decided nothing for idleSeconds on end.
const (
	idleSeconds = 5
	idleCPU     = 0.02
)

// settle returns what the agent of a node tells once it is at rest.
func (r *rack) settle(ctx context.Context, n node) (metrics, error) {
	told, err := settle(ctx, func(ctx context.Context) (metrics, error) { return r.scrape(ctx, n) })
	if err != nil {
		return nil, fmt.Errorf("wait until the agent on %s is at rest: %w", n.name, err)
	}
	return told, nil
}

// settle looks every second at what a process tells, and returns it once the process is at rest.
func settle(ctx context.Context, look func(context.Context) (metrics, error)) (metrics, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last metrics
	for calm := 0; calm < idleSeconds; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		now, err := look(ctx)
		if err != nil {
			return nil, err
		}
		if calm++; !isIdle(last, now) {
			calm = 0
		}
		last = now
	}
	return last, nil
}

// isIdle says whether a process had nothing to do in the second between two looks.
func isIdle(before, after metrics) bool {
	change := func(name string) float64 { return after.sum(name, nil) - before.sum(name, nil) }
	return before != nil && change("process_cpu_seconds_total") <= idleCPU && change("herald_compute_duration_seconds") == 0
}
