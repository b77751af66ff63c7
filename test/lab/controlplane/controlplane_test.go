package controlplane_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/test/lab/controlplane"
)

var wanted = controlplane.Versions{Kubernetes: "v1.37.2", Etcd: "v3.7.3"}

// module makes a stand-in for test/controlplane that has etcd's and Kubernetes' commands as tiny programs.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), `module example.com/controlplane
go 1.26
require (
	go.etcd.io/etcd/server/v3 v3.7.3
	k8s.io/kubernetes v1.37.2
)
replace (
	go.etcd.io/etcd/server/v3 => ./etcd
	k8s.io/kubernetes => ./kubernetes
)
`)
	write(t, filepath.Join(dir, "etcd/go.mod"), "module go.etcd.io/etcd/server/v3\n")
	write(t, filepath.Join(dir, "kubernetes/go.mod"), "module k8s.io/kubernetes\n")
	const program = "package main\nfunc main() {}\n"
	write(t, filepath.Join(dir, "etcd/main.go"), program)
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubectl"} {
		write(t, filepath.Join(dir, "kubernetes/cmd", name, "main.go"), program)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestVersionsAreThoseOfTheModule(t *testing.T) {
	versions, err := controlplane.ReadVersions(module(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, versions); diff != "" {
		t.Error(diff)
	}
	if _, err := controlplane.ReadVersions("../../controlplane"); err != nil {
		t.Errorf("the project's own: %v", err)
	}
}

func TestTwoAtOnceBuildEachProgramOnce(t *testing.T) {
	source := controlplane.Source{Module: module(t), Cache: filepath.Join(t.TempDir(), "cache"), Versions: wanted}
	var progress [2]bytes.Buffer
	var group sync.WaitGroup
	for i := range progress {
		group.Go(func() {
			source := source
			source.Progress = &progress[i]
			binaries, err := source.Provide(t.Context())
			if err != nil {
				t.Error(err)
			}
			if len(binaries) != 6 {
				t.Errorf("got %v", binaries)
			}
		})
	}
	group.Wait()
	all := progress[0].String() + progress[1].String()
	if built := strings.Count(all, "Building "); built != 6 {
		t.Errorf("%d builds:\n%s", built, all)
	}
	if !strings.Contains(all, "Building kube-apiserver v1.37.2 (2 of 6), about 5 minutes") {
		t.Errorf("progress:\n%s", all)
	}
	entries, err := filepath.Glob(filepath.Join(source.Cache, ".build-*"))
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
}

func TestAssetsOfTheSameVersionAreTaken(t *testing.T) {
	assets := t.TempDir()
	write(t, filepath.Join(assets, "etcd"), "#!/bin/sh\necho 'etcd Version: 3.7.3'\n")
	write(t, filepath.Join(assets, "kube-apiserver"), "#!/bin/sh\necho Kubernetes v1.37.20\n")
	write(t, filepath.Join(assets, "kubectl"), "#!/bin/sh\necho Client Version: v1.37.2\n")
	source := controlplane.Source{
		Module: module(t), Assets: assets, Cache: t.TempDir(), Versions: wanted, Progress: io.Discard,
	}
	binaries, err := source.Provide(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"etcd": assets, "kubectl": assets, "kube-apiserver": source.Cache} {
		if got, want := binaries[name], filepath.Join(dir, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestBuildThatFailsSaysWhatAndLeavesNothing(t *testing.T) {
	dir := module(t)
	write(t, filepath.Join(dir, "etcd/main.go"), "package main\nfunc main() { nonsense }\n")
	source := controlplane.Source{Module: dir, Cache: t.TempDir(), Versions: wanted, Progress: io.Discard}
	_, err := source.Provide(t.Context())
	if err == nil || !strings.Contains(err.Error(), "build etcd") || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(source.Cache, "etcd")); err == nil {
		t.Error("etcd is in the cache")
	}
}

func ExampleVersions_CacheDir() {
	dir, _ := controlplane.Versions{Kubernetes: "v1.37.2", Etcd: "v3.7.3"}.CacheDir()
	fmt.Println(filepath.Base(dir))
	// Output: v1.37.2-etcd-v3.7.3
}
