// Package e2e runs Herald, from its own manifests, in a rack of real parts, and asserts what a user would notice: what
// the routers' kernels route to, and what a client outside gets.
//
// HERALD_LAB_BIN names a bin/lab that is already built. With HERALD_E2E_DIR the rack of two BIRD routers is one that is
// already up in that directory, and stays up: for writing a case, `lab up --tors 2 --ipv6` once and run it at will.
package e2e

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/format"
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	format.RegisterCustomFormatter(func(value any) (string, bool) {
		err, ok := value.(error)
		if !ok {
			return "", false
		}
		return err.Error(), true
	})
	RunSpecs(t, "Herald, end to end")
}

var _ = Describe("In a rack with two BIRD routers", Ordered, ContinueOnFailure, func() {
	r := &rack{routerHosts: []string{"tor", "tor-2"}}
	BeforeAll(func(ctx SpecContext) { r.up(ctx, sharedDir(), "--nodes", "3", "--tors", "2", "--ipv6") })
	JustAfterEach(func(ctx SpecContext) { r.dumpIfFailed(ctx) })

	Context("that knows nothing of Herald yet", func() { tourCases(r) })
	Context("that every node peers with", func() {
		BeforeAll(func(ctx SpecContext) { r.configure(ctx) })
		BeforeEach(func(ctx SpecContext) { r.expectBaseline(ctx) })
		advertisementCases(r)
		familyCases(r)
		configurationCases(r)
		exportCases(r)
		admissionCases(r)
		statusCases(r)
		assignmentCases(r)
		rightsCases(r)
		managerCases(r)
		restartCases(r)
		leavingCases(r)
		passwordCases(r, r.birdPassword)
		lifecycleCases(r)
		loopCases(r)
		outageCases(r)
		bfdCases(r, r.birdGraceful, "birdc", "show", "bfd", "sessions")
	})
})

var _ = Describe("In a rack with an FRR router", Ordered, ContinueOnFailure, func() {
	r := &rack{routerHosts: []string{"tor"}, daemon: "frr"}
	BeforeAll(func(ctx SpecContext) { r.up(ctx, "", "--nodes", "3", "--tor", r.daemon) })
	JustAfterEach(func(ctx SpecContext) { r.dumpIfFailed(ctx) })

	Context("that knows nothing of Herald yet", func() { tourCases(r) })
	Context("that every node peers with", func() {
		BeforeAll(func(ctx SpecContext) { r.configure(ctx) })
		BeforeEach(func(ctx SpecContext) { r.expectBaseline(ctx) })
		killCase(r)
		maintenanceCase(r)
		externalCase(r)
		assignedCase(r)
		bfdCases(r, asConfigured, "vtysh", "-c", "show bfd peers brief")
		passwordCases(r, r.frrPassword)
	})
})
