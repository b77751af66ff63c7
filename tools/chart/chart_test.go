package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// helm lint finds nothing to say for any set of values.
func TestLint(t *testing.T) {
	for name, file := range valueFiles(t) {
		t.Run(name, func(t *testing.T) {
			if stdout, stderr, err := runHelm(t, "lint", "--strict", chart(), "--values", file); err != nil {
				t.Errorf("%v\n%s%s", err, stdout, stderr)
			}
		})
	}
}

// What the chart renders for a set of values is as it was when somebody last looked at it.
func TestGolden(t *testing.T) {
	files := valueFiles(t)
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			got := strings.ReplaceAll(shortened(render(t, "--values", file)), version(t), "VERSION")
			golden := filepath.Join("testdata", "golden", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("differs from %s; if it should, run go test -update in tools/chart (-want +got):\n%s", golden, diff)
			}
		})
	}
	goldens, err := filepath.Glob("testdata/golden/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, golden := range goldens {
		if files[strings.TrimSuffix(filepath.Base(golden), ".yaml")] == "" {
			t.Errorf("%s: its set of values is gone", golden)
		}
	}
}

// version returns the chart's, which each release changes.
func version(t *testing.T) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(chart(), "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(file), "\nversion: ")
	version, _, found := strings.Cut(rest, "\n")
	if !found {
		t.Fatalf("Chart.yaml says no version:\n%s", file)
	}
	return version
}

// shortened leaves of CRDs and rights only the part that the chart has its say in: what they hold is config's, and TestSame
// compares it.
func shortened(rendered string) string {
	documents := strings.SplitAfter(rendered, "\n---\n")
	for i, document := range documents {
		for kind, rest := range map[string]string{"CustomResourceDefinition": "\nspec:\n", "ClusterRole": "\nrules:\n", "Role": "\nrules:\n"} {
			if head, _, found := strings.Cut(document, rest); found && strings.Contains(document, "\nkind: "+kind+"\n") {
				documents[i] = head + "\n---\n"
			}
		}
	}
	return strings.Join(documents, "")
}

// A value that can't be meant is refused, with its name and what would be right.
func TestRefused(t *testing.T) {
	for name, row := range map[string]struct {
		set  []string
		want []string
	}{
		"a typing error":                     {[]string{"manager.replica=3"}, []string{"manager", "replica"}},
		"a typing error at the top":          {[]string{"agents.logLevel=debug"}, []string{"agents"}},
		"a word for a number":                {[]string{"manager.replicas=two"}, []string{"manager/replicas", "integer"}},
		"no replica":                         {[]string{"manager.replicas=0"}, []string{"manager/replicas", "minimum"}},
		"an unknown mode":                    {[]string{"webhook.certificates=Self"}, []string{"webhook/certificates", "'Managed', 'CertManager', 'Mounted'"}},
		"an agent's level":                   {[]string{"agent.logLevel=verbose"}, []string{"agent/logLevel", "verbose"}},
		"a digest without its algorithm":     {[]string{"image.digest=9f86d081"}, []string{"image/digest", "sha256"}},
		"too long a wait":                    {[]string{"agent.serviceProxy.waitSeconds=301"}, []string{"agent/serviceProxy/waitSeconds", "maximum"}},
		"an unknown effect":                  {[]string{"agent.tolerations[0].effect=Never"}, []string{"agent/tolerations/0/effect", "NoExecute"}},
		"a budget that stops every drain":    {[]string{"manager.replicas=1"}, []string{"podDisruptionBudget.minAvailable is 1, and manager.replicas 1"}},
		"a mounted certificate from nowhere": {[]string{"webhook.certificates=Mounted"}, []string{"webhook.secretName is empty"}},
		"a Secret that nobody reads":         {[]string{"webhook.secretName=own"}, []string{"webhook.secretName is own, and webhook.certificates Managed"}},
		"an issuer that nobody asks":         {[]string{"webhook.certManager.issuerRef.name=a"}, []string{"webhook.certManager.issuerRef is set"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, err := runHelm(t, "template", chart(), "--set", strings.Join(row.set, ","))
			if err == nil {
				t.Fatal("is taken")
			}
			for _, want := range row.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("does not say %q:\n%s", want, stderr)
				}
			}
		})
	}
}

// The chart can be part of another one, which is under a condition and has global values.
func TestDependency(t *testing.T) {
	render(t, "--set", "enabled=true,global.region=north")
}
