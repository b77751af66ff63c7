package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// programs are what Herald's image holds: /manager and /agent.
func programs() []string { return []string{"manager", "agent"} }

// platforms are what images run on.
func platforms() []v1.Platform {
	return []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
}

// binary is a program that was built for a platform.
type binary struct {
	// program is its name, and path where it is in the image, without the root.
	program, path string
	version       string
	content       []byte
	info          *buildinfo.BuildInfo
}

// sha256 returns the digest of the program's file.
func (b binary) sha256() string {
	sum := sha256.Sum256(b.content)
	return hex.EncodeToString(sum[:])
}

// compile builds the programs for a platform, by the Makefile, which knows how they are stamped.
func compile(ctx context.Context, checkout string, r release, platform v1.Platform) ([]binary, error) {
	dir, err := os.MkdirTemp("", "herald-image-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // What is left behind is in the system's directory for that.
	packages := make([]string, 0, len(programs()))
	for _, program := range programs() {
		packages = append(packages, "./cmd/"+program)
	}
	err = runMake(ctx, checkout, platform, "build",
		"BIN="+dir, "COMMANDS="+strings.Join(packages, " "), "VERSION="+r.version, "COMMIT="+r.commit, "DATE="+r.created())
	if err != nil {
		return nil, fmt.Errorf("build the programs for %s in %s: %w", platform, checkout, err)
	}
	binaries := make([]binary, 0, len(programs()))
	for _, program := range programs() {
		b, err := readBinary(filepath.Join(dir, program))
		if err != nil {
			return nil, fmt.Errorf("read what was built for %s: %w", platform, err)
		}
		b.path, b.version = program, r.version
		binaries = append(binaries, b)
	}
	return binaries, nil
}

// runMake has a checkout's Makefile make something for a platform.
func runMake(ctx context.Context, checkout string, platform v1.Platform, args ...string) error {
	build := exec.CommandContext(ctx, "make", append([]string{"--no-print-directory", "-C", checkout}, args...)...)
	build.Env = environment(platform)
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	return nil
}

func readBinary(path string) (binary, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return binary{}, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return binary{}, err
	}
	return binary{program: filepath.Base(path), content: content, info: info}, nil
}

// environment is the one that programs are built in: whatever would change them is set here, whoever builds.
func environment(platform v1.Platform) []string {
	settings := map[string]string{
		"CGO_ENABLED": "0",
		"GOOS":        platform.OS,
		"GOARCH":      platform.Architecture,
		"GOAMD64":     "v1",
		"GOARM64":     "v8.0",
		"GOWORK":      "off",
		// Neither where the checkout is nor what git knows of it goes into a program.
		"GOFLAGS": "-trimpath -buildvcs=false",
		// A make that runs this command hands down its variables.
		"MAKEFLAGS": "", "MFLAGS": "", "MAKELEVEL": "",
	}
	env := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		key, _, _ := strings.Cut(variable, "=")
		_, set := settings[key]
		return set || key == "GOEXPERIMENT"
	})
	for key, value := range settings {
		env = append(env, key+"="+value)
	}
	return env
}
