package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// explained writes the list of warnings that are to stay, after a change.
func explained(t *testing.T, change func(string) string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "config/olm/warnings.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "warnings.yaml")
	if err := os.WriteFile(file, []byte(change(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWarningsNeedReasonsAndReasonsWarnings(t *testing.T) {
	for name, test := range map[string]struct {
		change func(string) string
		want   string
	}{
		"all have one": {func(s string) string { return s }, ""},
		"a warning without a reason": {
			func(s string) string { return strings.Replace(s, "Kind=BGPNode", "Kind=BGPKnot", 1) },
			"default warns without a reason for its staying: Value herald.network/v1alpha1, Kind=BGPNode",
		},
		"a reason without a warning": {
			func(s string) string { return s + "\n- {validator: object, warning: was fixed, because: once}" },
			`object no longer warns "was fixed"`,
		},
		"an empty reason": {
			func(s string) string { return s + "\n- {validator: object, warning: is}" },
			`"is" has no reason`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(filepath.Join(root, "bundle"), explained(t, test.change), io.Discard)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestErrorsFail(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "bundle")
	if err := os.CopyFS(bundle, os.DirFS(filepath.Join(root, "bundle"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(bundle, "manifests/herald.network_bgppeers.yaml")); err != nil {
		t.Fatal(err)
	}
	err := run(bundle, explained(t, func(s string) string { return s }), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "owned CRD") {
		t.Errorf("a bundle without one of its kinds passes: %v", err)
	}
}
