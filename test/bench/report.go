package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// row is one line of the report.
type row struct {
	work, result, target string
}

// report is what the benchmark prints.
type report struct {
	date              time.Time
	machine, versions string
	rows              []row
}

// markdown returns the report as a table, under a line that says where and when its figures are from.
func (r report) markdown() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s. %s. %s.\n\n", r.date.Format(time.DateOnly), r.machine, r.versions)
	text.WriteString("| work | measured | target |\n| --- | --- | --- |\n")
	for _, row := range r.rows {
		fmt.Fprintf(&text, "| %s | %s | %s |\n", row.work, row.result, row.target)
	}
	return text.String()
}

// samples are measurements of one thing.
type samples []time.Duration

// quantile returns the smallest sample that at least the share q of all samples do not exceed (nearest rank); zero where
// there is none.
func (s samples) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	rank := int(q*float64(len(sorted)) + 0.9999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// percentiles returns the median and the 99th percentile.
func (s samples) percentiles() string {
	return milliseconds(s.quantile(0.5)) + " / " + milliseconds(s.quantile(0.99)) + " ms"
}

// each returns every sample, in the order of measuring.
func (s samples) each() string {
	texts := make([]string, 0, len(s))
	for _, d := range s {
		texts = append(texts, fmt.Sprintf("%.1f", d.Seconds()))
	}
	return strings.Join(texts, ", ") + " s"
}

// finely returns the same, to the millisecond.
func (s samples) finely() string {
	texts := make([]string, 0, len(s))
	for _, d := range s {
		texts = append(texts, milliseconds(d))
	}
	return strings.Join(texts, ", ") + " ms"
}

// milliseconds returns two significant digits at least.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 10 {
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func mebibytes(bytes float64) string { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }

// describe says what machine this is, and what runs in the rack.
func describe(ctx context.Context, r *rack) (machine, versions string, err error) {
	var info unix.Sysinfo_t
	var system unix.Utsname
	cpus, err := os.ReadFile("/proc/cpuinfo")
	if err := errors.Join(err, unix.Sysinfo(&info), unix.Uname(&system)); err != nil {
		return "", "", err
	}
	machine = fmt.Sprintf("%d cores (%s), %.0f GiB, Linux %s", runtime.NumCPU(), cpuModel(string(cpus)),
		float64(info.Totalram)*float64(info.Unit)/(1<<30), unix.ByteSliceToString(system.Release[:]))
	kubernetes, err := r.kubernetesVersion(ctx)
	if err != nil {
		return "", "", err
	}
	agent, err := r.scrape(ctx, r.nodes[0])
	if err != nil {
		return "", "", err
	}
	bird, err := r.Exec(ctx, routerName, "sh", "-c", "bird --version 2>&1")
	if err != nil {
		return "", "", err
	}
	versions = fmt.Sprintf("%d nodes, Herald %s, Kubernetes %s (etcd without fsync), %s, %s",
		len(r.nodes), agent.label("herald_build_info", "version"), kubernetes, strings.TrimSpace(bird), runtime.Version())
	return machine, versions, nil
}

// cpuModel reads the name of the first CPU from what /proc/cpuinfo says.
func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// load returns how busy the machine has been for the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}
