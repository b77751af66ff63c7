package main

import (
	"fmt"
	"strings"
	"testing"
)

func mustParse(t *testing.T, text string) metrics {
	t.Helper()
	m, err := parseMetrics(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMetrics(t *testing.T) {
	told := mustParse(t, `# TYPE herald_build_info gauge
herald_build_info{version="v0.1.0"} 1
# TYPE herald_bgp_session_established gauge
herald_bgp_session_established{peer="tor"} 1
herald_bgp_session_established{peer="tor-2"} 1
# TYPE herald_compute_duration_seconds histogram
herald_compute_duration_seconds_bucket{le="+Inf"} 9
herald_compute_duration_seconds_sum 0.5
herald_compute_duration_seconds_count 9
# TYPE apiserver_request_total counter
apiserver_request_total{resource="services",verb="POST"} 100
apiserver_request_total{resource="services",verb="PUT"} 20
apiserver_request_total{resource="services",verb="LIST"} 7
apiserver_request_total{resource="endpointslices",verb="POST"} 100
apiserver_request_total{resource="bgpnodes",verb="APPLY"} 3
`)
	for name, row := range map[string]struct{ got, want float64 }{
		"a gauge, over its labels": {told.sum("herald_bgp_session_established", nil), 2},
		"a histogram is counted":   {told.sum("herald_compute_duration_seconds", nil), 9},
		"a counter, some of it":    {told.sum("apiserver_request_total", isServiceWrite), 123},
		"one that is not there":    {told.sum("herald_unheard_of", nil), 0},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %v, want %v", name, row.got, row.want)
		}
	}
	if version := told.label("herald_build_info", "version"); version != "v0.1.0" {
		t.Errorf("version %q", version)
	}
}

func TestIsIdle(t *testing.T) {
	agent := func(cpu float64, turns int) metrics {
		return mustParse(t, fmt.Sprintf(`# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total %g
# TYPE herald_compute_duration_seconds histogram
herald_compute_duration_seconds_bucket{le="+Inf"} %[2]d
herald_compute_duration_seconds_sum 1
herald_compute_duration_seconds_count %[2]d
`, cpu, turns))
	}
	for name, row := range map[string]struct {
		before, after metrics
		want          bool
	}{
		"nothing was done":         {agent(1, 7), agent(1, 7), true},
		"it was only looked at":    {agent(1, 7), agent(1.01, 7), true},
		"it computes":              {agent(1, 7), agent(1.5, 7), false},
		"it decided something":     {agent(1, 7), agent(1, 8), false},
		"the first look knows not": {nil, agent(1, 7), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := isIdle(row.before, row.after); got != row.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
