package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// path is what a router's daemon knows of one route from one node.
type path struct {
	Prefix string
	// Marked says that it carries GRACEFUL_SHUTDOWN (RFC 8326), Lowest that its LOCAL_PREF is 0.
	Marked, Lowest bool
	ASPath         string
}

// pathsFrom returns the IPv4 paths that a router has from a node, whether or not its kernel routes by them.
func (r *rack) pathsFrom(ctx context.Context, router, node string) ([]path, error) {
	address := r.nextHops(true, node)[0].String()
	if r.daemon == "frr" {
		return r.pathsOfFRR(ctx, router, address)
	}
	output, err := r.Exec(ctx, router, "birdc", "show", "route", "all")
	return pathsOfBIRD(output, address), err
}

// pathsOfBIRD reads `birdc show route all`: a path begins with a line that is not indented by a tab, which has the prefix
// where it is the first path to it.
func pathsOfBIRD(output, nextHop string) []path {
	var paths []path
	var prefix string
	var lines []string
	flush := func() {
		text := strings.Join(lines, "\n") + "\n"
		if strings.Contains(text, "BGP.next_hop: "+nextHop+"\n") && strings.Contains(prefix, ".") {
			_, asPath, _ := strings.Cut(text, "BGP.as_path:")
			asPath, _, _ = strings.Cut(asPath, "\n")
			paths = append(paths, path{
				ASPath: strings.TrimSpace(asPath),
				Prefix: prefix,
				Marked: strings.Contains(text, "(65535,0)"), Lowest: strings.Contains(text, "BGP.local_pref: 0\n"),
			})
		}
		lines = nil
	}
	for line := range strings.Lines(output) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "\t") {
			flush()
			if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(line, " ") {
				prefix = fields[0]
			}
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	flush()
	return paths
}

// pathsOfFRR asks bgpd for all paths, and for those with the community.
func (r *rack) pathsOfFRR(ctx context.Context, router, nextHop string) ([]path, error) {
	all, err := r.showBGP(ctx, router, nextHop, "")
	if err != nil {
		return nil, err
	}
	marked, err := r.showBGP(ctx, router, nextHop, "community 65535:0")
	if err != nil {
		return nil, err
	}
	paths := make([]path, 0, len(all))
	for prefix, p := range all {
		_, found := marked[prefix]
		paths = append(paths, path{Prefix: prefix, Marked: found, Lowest: p.LocalPreference != nil && *p.LocalPreference == 0, ASPath: p.ASPath})
	}
	return paths, nil
}

// frrPath is a path as vtysh writes it.
type frrPath struct {
	// LocalPreference is nil where neither the neighbor nor the router itself has given the path one.
	LocalPreference *int   `json:"locPrf"`
	ASPath          string `json:"path"`
	NextHops        []struct {
		IP string `json:"ip"`
	} `json:"nexthops"`
}

// showBGP returns FRR's IPv4 paths through a next hop, by prefix, of those that a filter lets through.
func (r *rack) showBGP(ctx context.Context, router, nextHop, filter string) (map[string]frrPath, error) {
	output, err := r.Exec(ctx, router, "vtysh", "-c", "show bgp ipv4 unicast "+filter+" json")
	if err != nil {
		return nil, err
	}
	var table struct {
		Routes map[string][]frrPath `json:"routes"`
	}
	if err := json.Unmarshal([]byte(output), &table); err != nil {
		return nil, fmt.Errorf("%w in %s", err, output)
	}
	through := map[string]frrPath{}
	for prefix, paths := range table.Routes {
		for _, p := range paths {
			if len(p.NextHops) > 0 && p.NextHops[0].IP == nextHop {
				through[prefix] = p
			}
		}
	}
	return through, nil
}

// expectMarked waits until a router has paths from a node, all of which say that they are about to go.
func (r *rack) expectMarked(ctx context.Context, router, node string) {
	GinkgoHelper()
	Eventually(ctx, func() ([]path, error) { return r.pathsFrom(ctx, router, node) }, soon, interval).
		Should(And(Not(BeEmpty()), HaveEach(aboutToGo())), "paths of %s on %s", node, router)
}

// aboutToGo matches a path that routers are asked to leave.
func aboutToGo() OmegaMatcher { return And(HaveField("Marked", true), HaveField("Lowest", true)) }

// expectNoPaths waits until a router has no path from a node.
func (r *rack) expectNoPaths(ctx context.Context, router, node string) {
	GinkgoHelper()
	Eventually(ctx, func() ([]path, error) { return r.pathsFrom(ctx, router, node) }, soon, cliInterval).
		Should(BeEmpty(), "paths of %s on %s", node, router)
}

// farewells counts the NOTIFICATIONs Cease/Administrative Shutdown that a router has logged.
func (r *rack) farewells(ctx context.Context, router string) int {
	GinkgoHelper()
	log, err := r.Run(ctx, "logs", router)
	Expect(err).NotTo(HaveOccurred())
	return strings.Count(strings.ToLower(log), "administrative shutdown")
}
