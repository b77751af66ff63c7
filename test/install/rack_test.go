package install

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/lab/checkout"
	"github.com/herald-network/herald/test/lab/topology"
)

// How long things may take, and how often is looked.
const (
	soon     = 10 * time.Second
	patience = 2 * time.Minute
	interval = 250 * time.Millisecond
)

// releases is where README.md finds the files of a release.
const releases = "https://github.com/herald-network/herald/releases/download/"

// rack is a lab without Herald: three nodes, two BIRD routers, and a client outside.
type rack struct {
	binaries harness.Binaries
	// root is the checkout, and dist has a directory for each version, with the files of its release.
	root, dist string
	// programs has a directory for each version, with the programs of its image.
	programs string

	*harness.Lab
	api     client.WithWatch
	routers []*harness.Router
}

// build makes what all racks need.
func (r *rack) build(ctx context.Context) {
	GinkgoHelper()
	scratch := GinkgoT().TempDir()
	r.dist, r.programs = filepath.Join(scratch, "dist"), filepath.Join(scratch, "programs")
	var err error
	r.binaries, err = harness.Build(ctx, scratch)
	Expect(err).NotTo(HaveOccurred())
	working, err := os.Getwd()
	Expect(err).NotTo(HaveOccurred())
	r.root, err = checkout.Root(working)
	Expect(err).NotTo(HaveOccurred())
	for _, version := range []string{present, next} {
		r.program(ctx, version)
		r.release(ctx, version)
	}
}

// program builds the programs of a version, which differ in what they say of themselves.
func (r *rack) program(ctx context.Context, version string) {
	GinkgoHelper()
	directory := filepath.Join(r.programs, version)
	Expect(os.MkdirAll(directory, 0o755)).To(Succeed())
	flags := "-s -w -X github.com/herald-network/herald/internal/version.version=" + version
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", flags, "-o", directory+"/", "./cmd/manager", "./cmd/agent")
	build.Dir, build.Env = r.root, append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
}

// up starts a rack without Herald, which takes the images of all versions.
func (r *rack) up(ctx context.Context) {
	GinkgoHelper()
	scratch := GinkgoT().TempDir()
	DeferCleanup(r.down) // Before the directory goes: without it, nothing is found that could be stopped.
	var err error
	r.Lab, err = harness.Up(ctx, r.binaries, filepath.Join(scratch, "rack"), "--no-herald", "--nodes", "3", "--tors", "2")
	Expect(err).NotTo(HaveOccurred())
	for _, version := range []string{present, next} {
		_, err := r.Run(ctx, "load", version, filepath.Join(r.programs, version))
		Expect(err).NotTo(HaveOccurred())
	}
	r.api, err = r.Client(ctx)
	Expect(err).NotTo(HaveOccurred())
	r.routers = nil
	for _, host := range []string{"tor", "tor-2"} {
		router, err := harness.Watch(ctx, r.Lab, host)
		Expect(err).NotTo(HaveOccurred())
		r.routers = append(r.routers, router)
	}
}

func (r *rack) down(ctx SpecContext) {
	var errs []error
	for _, router := range r.routers {
		errs = append(errs, router.Stop())
	}
	r.routers = nil
	if r.Lab != nil {
		errs = append(errs, r.Down(ctx))
	}
	Expect(errors.Join(errs...)).To(Succeed())
}

// released returns the directory with the files of a version's release.
func (r *rack) released(version string) string { return filepath.Join(r.dist, version) }

// release makes the files of a version's release that say how it is installed.
func (r *rack) release(ctx context.Context, version string) {
	GinkgoHelper()
	Expect(os.MkdirAll(r.released(version), 0o755)).To(Succeed())
	command := exec.CommandContext(ctx, "make", "manifests", "chart", "VERSION="+version, "DIST="+r.released(version))
	command.Dir = r.root
	output, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
}

// sh runs a script as a person does who has kubectl and helm, and the files of releases where README.md finds them.
func (r *rack) sh(ctx context.Context, script string) string {
	GinkgoHelper()
	script = strings.ReplaceAll(script, releases, r.dist+"/")
	By(strings.TrimSpace(script))
	output, err := r.Exec(ctx, topology.ControlPlane, "bash", "-euc", "PATH="+filepath.Join(r.root, "bin")+":$PATH\n"+script)
	AddReportEntry(strings.TrimSpace(script), output, ReportEntryVisibilityFailureOrVerbose)
	Expect(err).NotTo(HaveOccurred())
	return output
}

// documented returns the first block of commands below a heading of a document.
func (r *rack) documented(document, heading string) string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(r.root, document))
	Expect(err).NotTo(HaveOccurred())
	const fence = "```"
	_, below, found := strings.Cut(string(text), "# "+heading+"\n")
	Expect(found).To(BeTrue(), "%s has no heading %q", document, heading)
	_, block, found := strings.Cut(below, fence+"sh\n")
	Expect(found).To(BeTrue(), "%s has no commands below %q", document, heading)
	block, _, found = strings.Cut(block, "\n"+fence)
	Expect(found).To(BeTrue())
	return block
}

func nodes() []string { return []string{"node-1", "node-2", "node-3"} }

// nextHops returns the addresses of all nodes.
func nextHops() []netip.Addr {
	return []netip.Addr{netip.MustParseAddr("192.168.1.11"), netip.MustParseAddr("192.168.1.12"), netip.MustParseAddr("192.168.1.13")}
}

// expectRoute waits until every router routes a prefix to every node.
func (r *rack) expectRoute(ctx context.Context, prefix string) {
	GinkgoHelper()
	for _, router := range r.routers {
		Eventually(ctx, func() []netip.Addr { return router.NextHops(netip.MustParsePrefix(prefix)) }, patience, interval).
			Should(Equal(nextHops()), "next hops of %s on %s", prefix, router.Host)
	}
}

// watchRoutes returns what expects that no route was lost, or changed, on any router since.
func (r *rack) watchRoutes() (expectUntouched func()) {
	marks := make([]harness.Mark, len(r.routers))
	for i, router := range r.routers {
		marks[i] = router.Mark()
	}
	return func() {
		GinkgoHelper()
		for i, router := range r.routers {
			Expect(router.Since(marks[i])).To(BeEmpty(), "route events on %s", router.Host)
		}
	}
}

// sendTraffic has the client outside send so many requests a second until the function that it returns is called, which goes
// on for two more seconds, and expects that not one failed. It returns how many there were.
func (r *rack) sendTraffic(ctx context.Context, rate int, urls ...string) (expectAllAnswered func() int) {
	GinkgoHelper()
	traffic, err := harness.Send(ctx, r.Lab, topology.External, rate, urls...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(traffic.Stop)
	return func() int {
		GinkgoHelper()
		enough := len(traffic.Sent()) + 2*rate
		Eventually(ctx, func() int { return len(traffic.Sent()) }, soon, interval).Should(BeNumerically(">=", enough), "requests sent")
		Expect(traffic.Stop()).To(Succeed())
		Expect(traffic.Failed()).To(BeEmpty(), "requests without an answer, of %d", len(traffic.Sent()))
		return len(traffic.Sent())
	}
}

// dumpIfFailed adds to the report of a case that failed what one would ask for next.
func (r *rack) dumpIfFailed(ctx context.Context) {
	if !CurrentSpecReport().Failed() || r.Lab == nil {
		return
	}
	add := func(name, output string, err error) {
		if err != nil {
			output += fmt.Sprintf("\n(%v)", err)
		}
		AddReportEntry(name, output, ReportEntryVisibilityFailureOrVerbose)
	}
	for _, what := range []string{
		"deployments,daemonsets,jobs,pods -A -o wide", "bgpnodes,bgppeers,bgpconfigurations,externalippools -o yaml",
		"services -A -o yaml", "events -A", "crds,namespaces,clusterroles,clusterrolebindings -o name",
	} {
		output, err := r.Kubectl(ctx, append([]string{"get"}, strings.Fields(what)...)...)
		add("kubectl get "+what, output, err)
	}
	for _, process := range append([]string{"manager"}, "agent/node-1", "agent/node-2", "agent/node-3") {
		output, err := r.Run(ctx, "logs", process)
		lines := strings.Split(output, "\n")
		add("log of "+process, strings.Join(lines[max(0, len(lines)-60):], "\n"), err)
	}
	for _, router := range r.routers {
		output, err := r.Exec(ctx, router.Host, "ip", "route")
		add(router.Host+": ip route", output, err)
	}
}

// lines returns the lines of a text that are not empty, sorted.
func lines(text string) []string {
	all := strings.FieldsFunc(text, func(c rune) bool { return c == '\n' })
	slices.Sort(all)
	return all
}
