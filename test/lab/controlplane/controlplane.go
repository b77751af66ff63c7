// Package controlplane provides the programs of the lab's control plane: etcd, Kubernetes and kubectl, in the versions
// that the module test/controlplane pins.
//
// They are built once from their Go modules and cached outside the checkout. Where KUBEBUILDER_ASSETS names a directory
// that has some of them in the same version, those are taken from there.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// The programs.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	KubeProxy         = "kube-proxy"
	Kubectl           = "kubectl"
)

// program is one thing to build.
type program struct {
	name, pkg string
	// version is the argument that makes it print its version.
	version []string
	// cold says how long a build takes on two cores with nothing cached.
	cold string
}

func programs() []program {
	kubernetes := func(name, cold string) program {
		return program{name: name, pkg: "k8s.io/kubernetes/cmd/" + name, version: []string{"--version"}, cold: cold}
	}
	kubectl := kubernetes(Kubectl, "1 minute")
	kubectl.version = []string{"version", "--client"}
	return []program{
		{name: Etcd, pkg: "go.etcd.io/etcd/server/v3", version: []string{"--version"}, cold: "1 minute"},
		kubernetes(APIServer, "5 minutes"),
		kubernetes(ControllerManager, "2 minutes"),
		kubernetes(Scheduler, "1 minute"),
		kubernetes(KubeProxy, "1 minute"),
		kubectl,
	}
}

// Binaries are the paths of the programs.
type Binaries map[string]string

// Versions are what test/controlplane pins.
type Versions struct{ Kubernetes, Etcd string }

// ReadVersions reads the versions from the go.mod of the module in dir.
func ReadVersions(dir string) (Versions, error) {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return Versions{}, err
	}
	var v Versions
	for module, version := range map[string]*string{"k8s.io/kubernetes": &v.Kubernetes, "go.etcd.io/etcd/server/v3": &v.Etcd} {
		match := regexp.MustCompile(`(?m)^(?:require)?\s*` + regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(text)
		if match == nil {
			return Versions{}, fmt.Errorf("%s/go.mod requires no %s", dir, module)
		}
		*version = string(match[1])
	}
	return v, nil
}

// of returns the version that a program has.
func (v Versions) of(name string) string {
	if name == Etcd {
		return v.Etcd
	}
	return v.Kubernetes
}

// CacheDir returns where the programs of these versions are kept.
func (v Versions) CacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place to keep the control plane: %w", err)
	}
	return filepath.Join(cache, "herald", "controlplane", v.Kubernetes+"-etcd-"+v.Etcd), nil
}

// Source says where the programs may come from.
type Source struct {
	// Module is the directory of the module test/controlplane.
	Module string
	// Assets is a directory that may have some of them already, as KUBEBUILDER_ASSETS does; empty for none.
	Assets string
	// Cache is where what was built is kept.
	Cache string
	// Versions are the ones that are wanted.
	Versions Versions
	// Progress is told what is being built.
	Progress io.Writer
}

// Provide returns the programs, having built those that are neither among the assets nor in the cache.
func (s Source) Provide(ctx context.Context) (Binaries, error) {
	binaries, missing := s.locate(ctx)
	if len(missing) == 0 {
		return binaries, nil
	}
	unlock, err := lock(ctx, s.Cache, s.Progress)
	if err != nil {
		return nil, err
	}
	defer unlock()
	binaries, missing = s.locate(ctx) // Somebody else may have built them meanwhile.
	for i, p := range missing {
		fmt.Fprintf(s.Progress, "Building %s %s (%d of %d), about %s when nothing is cached\n",
			p.name, s.Versions.of(p.name), i+1, len(missing), p.cold)
		path, err := s.build(ctx, p)
		if err != nil {
			return nil, err
		}
		binaries[p.name] = path
	}
	return binaries, nil
}

// locate finds what is there.
func (s Source) locate(ctx context.Context) (found Binaries, missing []program) {
	found = Binaries{}
	for _, p := range programs() {
		cached := filepath.Join(s.Cache, p.name)
		switch {
		case s.isAsset(ctx, p):
			found[p.name] = filepath.Join(s.Assets, p.name)
		case isExecutable(cached):
			found[p.name] = cached
		default:
			missing = append(missing, p)
		}
	}
	return found, missing
}

// isAsset says whether the program is among the assets in the wanted version.
func (s Source) isAsset(ctx context.Context, p program) bool {
	if s.Assets == "" || s.Assets == s.Cache {
		return false
	}
	output, err := exec.CommandContext(ctx, filepath.Join(s.Assets, p.name), p.version...).Output()
	if err != nil {
		return false
	}
	wanted := strings.TrimPrefix(s.Versions.of(p.name), "v")
	return regexp.MustCompile(`\bv?` + regexp.QuoteMeta(wanted) + `(\s|$)`).Match(output)
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// build builds a program into the cache, where it appears whole or not at all.
func (s Source) build(ctx context.Context, p program) (path string, err error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("%s has to be built, which takes the go command: %w", p.name, err)
	}
	temporary, err := os.MkdirTemp(s.Cache, ".build-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	built := filepath.Join(temporary, p.name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", built, "-ldflags", s.linkerFlags(), p.pkg)
	cmd.Dir = s.Module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", p.name, err, output)
	}
	path = filepath.Join(s.Cache, p.name)
	return path, os.Rename(built, path)
}

// linkerFlags put the version in, without which the API server takes itself for v0.0.0.
func (s Source) linkerFlags() string {
	const variables = "k8s.io/component-base/version"
	version := s.Versions.Kubernetes
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	flags := []string{"-s", "-w", "-X", variables + ".gitVersion=" + version}
	if len(parts) == 3 {
		flags = append(flags, "-X", variables+".gitMajor="+parts[0], "-X", variables+".gitMinor="+parts[1])
	}
	return strings.Join(flags, " ")
}
