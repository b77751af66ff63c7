package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const checkout = "../.."

// chart is the directory of the chart.
func chart() string { return filepath.Join(checkout, "charts", "herald") }

// runHelm runs helm, where no cluster is.
func runHelm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(checkout, "bin", "helm"))
	if err != nil {
		t.Fatal(err)
	}
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir(), "KUBECONFIG=/dev/null")
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err = cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("%v: make bin/helm builds it", err)
	}
	return out.String(), complaints.String(), err
}

// render returns what helm template says for the arguments.
func render(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, err := runHelm(t, append([]string{"template", "herald", chart(), "--namespace", "herald-system"}, args...)...)
	if err != nil {
		t.Fatalf("helm template %v: %v\n%s", args, err, stderr)
	}
	if stderr != "" {
		t.Errorf("helm template %v complains: %s", args, stderr)
	}
	return stdout
}

// valueFiles returns the sets of values that the chart is held to, by name.
func valueFiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sets of values: %v", err)
	}
	files := map[string]string{}
	for _, path := range paths {
		files[strings.TrimSuffix(filepath.Base(path), ".yaml")] = path
	}
	return files
}

// A manifest is an object as a tree.
type manifest map[string]any

func (m manifest) apiVersion() string { return fmt.Sprint(m["apiVersion"]) }

func (m manifest) kind() string { return fmt.Sprint(m["kind"]) }

func (m manifest) metadata() map[string]any {
	metadata, _ := m["metadata"].(map[string]any)
	return metadata
}

func (m manifest) id() string {
	return fmt.Sprintf("%s %s %v/%v", m.apiVersion(), m.kind(), m.metadata()["namespace"], m.metadata()["name"])
}

// parse returns the objects of manifests by kind and name. None is there twice.
func parse(t *testing.T, text string) map[string]manifest {
	t.Helper()
	objects := map[string]manifest{}
	for decoder := yaml.NewDecoder(strings.NewReader(text)); ; {
		var m map[string]any // Not a manifest, as whose type the inner maps would come.
		err := decoder.Decode(&m)
		switch {
		case err != nil && errors.Is(err, io.EOF):
			return objects
		case err != nil:
			t.Fatalf("%v in\n%s", err, text)
		case m == nil:
			continue
		}
		object := manifest(m)
		if _, twice := objects[object.id()]; twice {
			t.Errorf("%s is there twice", object.id())
		}
		objects[object.id()] = object
	}
}

// without removes keys of a map that is part of an object, and the map with its last one.
func without(parent map[string]any, field string, drop func(key string) bool) {
	inner, ok := parent[field].(map[string]any)
	if !ok {
		return
	}
	maps.DeleteFunc(inner, func(key string, _ any) bool { return drop(key) })
	if len(inner) == 0 {
		delete(parent, field)
	}
}
