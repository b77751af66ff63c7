package e2e

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/herald-network/herald/test/harness"
)

// dumpIfFailed adds to the report of a case that failed all that one would ask for next.
func (r *rack) dumpIfFailed(ctx context.Context) {
	if !CurrentSpecReport().Failed() || r.Lab == nil {
		return
	}
	add := func(name string, output string, err error) {
		if err != nil {
			output += fmt.Sprintf("\n(%v)", err)
		}
		AddReportEntry(name, output, ReportEntryVisibilityFailureOrVerbose)
	}
	for _, router := range r.routers {
		for _, command := range [][]string{{"ip", "route"}, {"ip", "-6", "route"}} {
			output, err := r.Exec(ctx, router.Host, command...)
			add(router.Host+": "+strings.Join(command, " "), output, err)
		}
		output, err := r.Run(ctx, "logs", router.Host)
		add(router.Host+": log", tail(output), err)
	}
	add("route events", tail(strings.Join(r.since(make([]harness.Mark, len(r.routers))), "\n")), nil)
	for _, what := range []string{
		"bgpnodes,bgppeers,bgpconfigurations,externalippools -o yaml", "services,endpointslices -o yaml", "pods -A -o wide", "events -A",
	} {
		output, err := r.Kubectl(ctx, append([]string{"get"}, strings.Fields(what)...)...)
		add("kubectl get "+what, output, err)
	}
	for _, process := range append([]string{"manager"}, prefixed("agent/", r.nodes())...) {
		output, err := r.Run(ctx, "logs", process)
		add("log of "+process, tail(output), err)
	}
}

// tail returns the last lines of a log.
func tail(text string) string {
	const lines = 100
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func prefixed(prefix string, words []string) []string {
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = prefix + word
	}
	return list
}
