// Package install installs Herald in the ways that README.md says, word for word, in racks of real parts: each way ends in a
// Herald that passes the tour, that is upgraded and downgraded without losing a packet, and that leaves nothing behind.
//
// HERALD_LAB_BIN names a bin/lab that is already built, with Herald's programs beside it.
package install

import (
	"context"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/format"
)

func TestInstallation(t *testing.T) {
	RegisterFailHandler(Fail)
	format.RegisterCustomFormatter(func(value any) (string, bool) {
		err, ok := value.(error)
		if !ok {
			return "", false
		}
		return err.Error(), true
	})
	RunSpecs(t, "Herald, installed")
}

// Versions that are installed: present is what the manifests of this checkout name, and next is the same with another name.
const (
	present = "v0.1.0"
	next    = "v99.0.0"
)

// way is a way of installing Herald.
type way struct {
	// section is the heading of the way in README.md.
	section string
	// upgrade goes from one version to another, in either direction. The manifests of all versions are at hand.
	upgrade func(ctx context.Context, r *rack, version string)
	// more are cases of this way alone, after Herald was removed; nil for none.
	more func(r *rack, w way)
}

// ways are those ways that anybody can go without more than a cluster, in the order of README.md; withOLM comes after them.
func ways() []way { return []way{withKubectl(), withHelm()} }

var _ = Describe("Installed", Ordered, ContinueOnFailure, func() {
	r := &rack{}
	BeforeAll(func(ctx SpecContext) { r.build(ctx) })
	objects := map[string]map[string]string{}
	for _, w := range ways() {
		Context(w.section, Ordered, func() {
			BeforeAll(func(ctx SpecContext) { r.up(ctx) })
			JustAfterEach(func(ctx SpecContext) { r.dumpIfFailed(ctx) })
			installationCases(r, w, objects)
		})
	}
	Context(withOLM, Ordered, func() { olmCases(r, objects) })
	sameCases(objects)
})
