package main

import (
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	hundred := samples{}
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i))
	}
	for name, row := range map[string]struct {
		of   samples
		q    float64
		want time.Duration
	}{
		"median of a hundred":        {hundred, 0.5, 50},
		"99th of a hundred":          {hundred, 0.99, 99},
		"the largest":                {hundred, 1, 100},
		"the smallest":               {hundred, 0, 1},
		"median of three":            {samples{30, 10, 20}, 0.5, 20},
		"median of two is the lower": {samples{20, 10}, 0.5, 10},
		"99th of few is the largest": {samples{30, 10, 20}, 0.99, 30},
		"of one":                     {samples{7}, 0.5, 7},
		"of none":                    {nil, 0.5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := row.of.quantile(row.q); got != row.want {
				t.Errorf("got %d, want %d", got, row.want)
			}
		})
	}
}

func TestQuantileLeavesTheOrderOfMeasuring(t *testing.T) {
	s := samples{3 * time.Second, time.Second, 2 * time.Second}
	if s.quantile(1); s.each() != "3.0, 1.0, 2.0 s" {
		t.Errorf("got %s", s.each())
	}
}

func TestFigures(t *testing.T) {
	for got, want := range map[string]string{
		samples{2345 * time.Microsecond, 23456 * time.Microsecond}.percentiles(): "2.3 / 23 ms",
		seconds(7840 * time.Millisecond):                                         "7.8 s",
		mebibytes(60 << 20):                                                      "60 MiB",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	r := report{
		date: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), machine: "2 cores", versions: "3 nodes, Herald v0.1.0",
		rows: []row{{"address set", "5 / 9 ms", "12 / 30 ms"}, {"lost", "0 of 900", ""}},
	}
	want := strings.Join([]string{
		"2026-11-23. 2 cores. 3 nodes, Herald v0.1.0.",
		"",
		"| work | measured | target |",
		"| --- | --- | --- |",
		"| address set | 5 / 9 ms | 12 / 30 ms |",
		"| lost | 0 of 900 |  |",
		"",
	}, "\n")
	if got := r.markdown(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestCPUModel(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: AMD EPYC\nprocessor\t: 1\nmodel name\t: other\n"); got != "AMD EPYC" {
		t.Errorf("got %q", got)
	}
}
