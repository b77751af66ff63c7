package envtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testInstallations has the API server judge what each way of installing brings, without keeping it. Kinds that others bring
// are unknown here; the tests of tools/chart judge those.
func (s *suite) testInstallations(t *testing.T) {
	manifests := map[string]string{}
	for _, directory := range []string{"default", "overlays/prometheus", "overlays/cert-manager"} {
		manifests["config/"+directory] = s.MustKubectl(t, "", "kustomize", filepath.Join(s.Root, "config", filepath.FromSlash(directory)))
	}
	goldens, err := filepath.Glob(filepath.Join(s.Root, "tools", "chart", "testdata", "golden", "*.yaml"))
	if err != nil || len(goldens) == 0 {
		t.Fatalf("nothing that the chart renders: %v", err)
	}
	for _, golden := range goldens {
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		manifests["the chart, "+filepath.Base(golden)] = string(text)
	}
	// There CRDs are without what config/crd says, and the server has them.
	elsewhere := regexp.MustCompile(`(?m)^apiVersion: (monitoring.coreos.com|cert-manager.io|apiextensions.k8s.io)/`)
	s.MustKubectl(t, "", "apply", "-f", filepath.Join(s.Root, "config", "namespace", "namespace.yaml"))
	for name, manifest := range manifests {
		t.Run(name, func(t *testing.T) {
			var known []string
			for document := range strings.SplitSeq(manifest, "\n---\n") {
				if !elsewhere.MatchString(document) {
					known = append(known, document)
				}
			}
			text := strings.Join(known, "\n---\n")
			if out, err := s.Kubectl(t, text, "apply", "--dry-run=server", "--validate=strict", "-f", "-"); err != nil || strings.Contains(out, "Warning:") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
