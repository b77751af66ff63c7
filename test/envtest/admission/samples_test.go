package admission_test

import (
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/test/envtest/apiserver"
)

// Who starts from the samples is refused nothing, and is told only which nodes still lack labels.
func TestSamples(t *testing.T) {
	g := NewWithT(t)
	r := newRigOn(t, apiserver.StartDualStack(t))
	r.addNodes(t)
	defer r.serve(t, nil)()

	var told []string
	for line := range strings.Lines(r.MustKubectl(t, "", "apply", "-k", filepath.Join(r.Root, "config", "samples"))) {
		if strings.HasPrefix(line, "Warning: ") {
			told = append(told, strings.TrimSpace(line))
		}
	}
	g.Expect(told).To(ConsistOf("Warning: spec.nodeSelector: it selects no node, so there is no session until one has the labels"))
}
