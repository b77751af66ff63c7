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
const scenarioTimeout = 45 * time.Minute

// options say how much is measured.
type options struct {
	dir  string
	only string
	// samples is how many changes are timed one after another, slow samples how many of those that wait for kube-proxy.
	samples, slowSamples int
	// services is the size of a burst, assigned that of a large one that Herald has to assign addresses to, many that of a large
	// cluster.
	services, assigned, many int
	// rounds is how often a failure or a start is repeated.
	rounds int
	// failovers is how often a node goes in each way.
	failovers int
}

// scenario measures one thing in a rack.
type scenario struct {
	name    string
	rack    shape
	measure func(ctx context.Context, r *rack, o *options) ([]row, error)
}

// scenarios returns all of them. Those of a shape run in one rack, in the order in which they disturb each other least.
func scenarios() []scenario {
	return []scenario{
		{"memory-empty", plain, memoryEmpty},
		{"address", plain, addressRouted},
		{"endpoint", plain, endpointRouted},
		{"answer", plain, addressAnswers},
		{"assign-one", plain, loadBalancersAssigned},
		{"assign-external", plain, externalIPsAssigned},
		{"assign-answer", plain, assignedAnswer},
		{"assign-burst", plain, burstAssigned},
		{"burst", plain, burst},
		{"start", plain, agentStart},
		{"api-outage", plain, apiOutage},
		{"failover", plain, failovers},
		{"assign-many", large, manyAssigned},
		{"takeover", large, takeovers},
		{"memory-many", large, memoryMany},
		{"assign-calls", audited, callsOfBurst},
		{"kill", redundant, agentsKilled},
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
	flags.IntVar(&o.assigned, "assigned", 5000, "Services that are created as fast as the API server takes them, for Herald to assign addresses to")
	flags.IntVar(&o.many, "many", 10_000, "Services of a large cluster")
	flags.IntVar(&o.rounds, "rounds", 3, "repetitions of a start or of a failure")
	flags.IntVar(&o.failovers, "failovers", 20, "how often a node goes, in each of the ways in which it may go")
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
	for shape := range shapes {
		var selected []scenario
		for _, s := range scenarios() {
			if s.rack == shape && only.MatchString(s.name) {
				selected = append(selected, s)
			}
		}
		if len(selected) > 0 {
			errs = append(errs, inRack(ctx, binaries, shape, o, selected, &report))
		}
	}
	fmt.Print(report.markdown())
	return errors.Join(errs...)
}

// inRack runs scenarios in a rack of their own. One that fails is reported, and the others go on.
func inRack(ctx context.Context, binaries harness.Binaries, shape shape, o *options, selected []scenario, to *report) (err error) {
	r, err := startRack(ctx, binaries, o.dir, shape)
	if err != nil {
		return fmt.Errorf("start a rack for %s: %w", selected[0].name, err)
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
