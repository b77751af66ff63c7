package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomize renders a directory.
func kustomize(t *testing.T, directory string) string {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The chart and the kustomizations install the same objects: with its default values those of config/default, and with the
// right ones those of the overlays.
func TestSame(t *testing.T) {
	for directory, values := range map[string][]string{
		"default":               nil,
		"overlays/cert-manager": {"--set", "webhook.certificates=CertManager"},
		"overlays/prometheus":   {"--set", "monitoring.serviceMonitor.enabled=true,monitoring.podMonitor.enabled=true"},
	} {
		t.Run(directory, func(t *testing.T) {
			expectSame(t, kustomize(t, filepath.Join(checkout, "config", directory)), render(t, values...))
		})
	}
}

// The kustomization that docs/install.md shows does what it is shown for.
func TestDocumentedKustomization(t *testing.T) {
	document, err := os.ReadFile(filepath.Join(checkout, "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(document), "\n```\n# kustomization.yaml\n")
	kustomization, _, found := strings.Cut(rest, "\n```\n")
	if !found {
		t.Fatal("docs/install.md shows no kustomization.yaml")
	}
	directory := t.TempDir()
	local := must(filepath.Rel(must(filepath.EvalSymlinks(directory))(t), must(filepath.Abs(checkout))(t)))(t)
	remote := regexp.MustCompile(`github\.com/herald-network/herald/(\S+)\?ref=v\S+`)
	kustomization = remote.ReplaceAllString(kustomization, local+"/$1")
	if err := os.WriteFile(filepath.Join(directory, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	expectSame(t, kustomize(t, directory), render(t, "--set", "agent.logLevel=debug", "--set-string", "agent.nodeSelector.bgp=true",
		"--set", "webhook.certificates=CertManager,monitoring.serviceMonitor.enabled=true,monitoring.podMonitor.enabled=true"))
}

// expectSame compares what config/ renders with what the chart does.
func expectSame(t *testing.T, config, chart string) {
	t.Helper()
	want, got := plain(t, config), plain(t, chart)
	ids := maps.Clone(want)
	maps.Copy(ids, got)
	for id := range ids {
		if diff := cmp.Diff(want[id], got[id]); diff != "" {
			t.Errorf("%s of the chart differs from that of config/ (-config +chart):\n%s", id, diff)
		}
	}
}

// must returns a result, or ends the test where there is an error instead.
func must[T any](result T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
}

// The chart keeps to its namespace, whichever it is: herald-system is nowhere in what it renders for another.
func TestNamespace(t *testing.T) {
	for name, file := range valueFiles(t) {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, err := runHelm(t, "template", "herald", chart(), "--namespace", "1000", "--values", file)
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr)
			}
			for id, object := range parse(t, stdout) {
				if namespace, in := object.metadata()["namespace"]; in && namespace != "1000" && namespace != "default" {
					t.Errorf("%s is in namespace %v", id, namespace)
				}
				text, err := yaml.Marshal(object)
				if err != nil {
					t.Fatal(err)
				}
				if object.kind() != "CustomResourceDefinition" && strings.Contains(string(text), "herald-system") {
					t.Errorf("%s names herald-system:\n%s", id, text)
				}
			}
		})
	}
}

// plain returns objects without what the way of installing adds to them: the labels of a Helm release, what makes Helm
// keep a CRD, what it makes only to remove the release, and the namespace, which it makes itself or not at all.
func plain(t *testing.T, text string) map[string]manifest {
	t.Helper()
	objects := parse(t, text)
	for id, object := range objects {
		metadata := object.metadata()
		if annotations, _ := metadata["annotations"].(map[string]any); annotations["helm.sh/hook"] != nil {
			delete(objects, id)
			continue
		}
		without(metadata, "labels", func(key string) bool {
			switch key {
			case "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart":
				return true
			}
			return false
		})
		without(metadata, "annotations", func(key string) bool { return key == "helm.sh/resource-policy" })
		switch object.kind() {
		case "Namespace":
			delete(objects, id)
		case "ConfigMap":
			object["data"] = settings(t, object)
		}
	}
	return objects
}

// settings returns what a ConfigMap's file says, without its comments.
func settings(t *testing.T, configMap manifest) any {
	t.Helper()
	data, _ := configMap["data"].(map[string]any)
	file, _ := data["manager.yaml"].(string)
	var parsed any
	if err := yaml.Unmarshal([]byte(file), &parsed); err != nil {
		t.Fatalf("manager.yaml: %v\n%s", err, file)
	}
	return parsed
}
