// Command bench measures in a lab what Herald costs: how long it takes from a call of the API until a router's kernel
// routes, what the agents use, and what is lost when something fails. It prints one table in Markdown; docs/benchmarks.md
// says how to read it. HERALD_LAB_BIN names a bin/lab that is already built.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-network/herald/test/harness"
)

// scenarioTimeout bounds one scenario, so that a benchmark of something broken ends.
const scenarioTimeout = 15 * time.Minute

// options say how much is measured.
type options struct {
	dir  string
	only string
	// samples is how many changes are timed one after another, slow samples how many of those that wait for kube-proxy.
	samples, slowSamples int
	// services is the size of a burst, many that of a large cluster.
	services, many int
	// rounds is how often a failure or a start is repeated.
	rounds int
}

// scenario measures one thing in a rack.
type scenario struct {
	name string
	// routers is how many routers the rack has.
	routers int
	measure func(ctx context.Context, r *rack, o *options) ([]row, error)
}

// scenarios returns all of them in the order in which they disturb each other least.
func scenarios() []scenario {
	return []scenario{
		{"memory-empty", 1, memoryEmpty},
		{"address", 1, addressRouted},
		{"endpoint", 1, endpointRouted},
		{"answer", 1, addressAnswers},
		{"burst", 1, burst},
		{"start", 1, agentStart},
		{"api-outage", 1, apiOutage},
		{"memory-many", 1, memoryMany},
		{"kill", 2, agentsKilled},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.SetLogger(logr.Discard()) // What the client would log comes back as an error.
	o := optionsFrom(flag.CommandLine)
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// optionsFrom returns options that hold what the flags say once they are parsed.
func optionsFrom(flags *flag.FlagSet) *options {
	o := &options{}
	flags.StringVar(&o.dir, "dir", ".lab-bench", "directory of the lab")
	flags.StringVar(&o.only, "only", "", "regular expression: scenarios to run, by name; all by default")
	flags.IntVar(&o.samples, "samples", 100, "changes that are timed one after another")
	flags.IntVar(&o.slowSamples, "slow-samples", 30, "the same, where each waits for kube-proxy")
	flags.IntVar(&o.services, "services", 1000, "Services that are created at once")
	flags.IntVar(&o.many, "many", 10_000, "Services of a large cluster")
	flags.IntVar(&o.rounds, "rounds", 3, "repetitions of a start or of a failure")
	return o
}

func run(ctx context.Context, o *options) (err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	scratch, err := os.MkdirTemp("", "herald-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	binaries, err := harness.Build(ctx, scratch)
	if err != nil {
		return err
	}
	report := report{date: time.Now()}
	var errs []error
	for routers := 1; routers <= 2; routers++ {
		var selected []scenario
		for _, s := range scenarios() {
			if s.routers == routers && only.MatchString(s.name) {
				selected = append(selected, s)
			}
		}
		if len(selected) > 0 {
			errs = append(errs, inRack(ctx, binaries, routers, o, selected, &report))
		}
	}
	fmt.Print(report.markdown())
	return errors.Join(errs...)
}

// inRack runs scenarios in a rack of their own. One that fails is reported, and the others go on.
func inRack(ctx context.Context, binaries harness.Binaries, routers int, o *options, selected []scenario, to *report) (err error) {
	r, err := startRack(ctx, binaries, o.dir, routers)
	if err != nil {
		return fmt.Errorf("start a rack with %d routers: %w", routers, err)
	}
	defer func() { err = errors.Join(err, r.stop(context.WithoutCancel(ctx))) }()
	if to.machine == "" {
		if to.machine, to.versions, err = describe(ctx, r); err != nil {
			return err
		}
	}
	var errs []error
	for _, s := range selected {
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		fmt.Fprintf(os.Stderr, "%s  %s (load %s)\n", time.Now().Format(time.TimeOnly), s.name, load())
		ctx, cancel := context.WithTimeout(ctx, scenarioTimeout)
		rows, err := s.measure(ctx, r, o)
		cancel()
		for _, row := range rows {
			fmt.Fprintf(os.Stderr, "          %s: %s\n", row.work, row.result)
		}
		to.rows = append(to.rows, rows...)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
			fmt.Fprintf(os.Stderr, "          failed: %v\n", err)
		}
	}
	return errors.Join(errs...)
}
