// Package harness drives a lab from a test or a benchmark: it runs bin/lab as a person would, and watches from inside
// the lab what its routers route and what its outside client gets.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/herald-network/herald/test/lab/statedir"
)

// Lab is a running lab.
type Lab struct {
	// dir is where the lab keeps its state.
	dir      string
	binaries Binaries
}

// Binaries are the programs that the harness runs.
type Binaries struct {
	// Lab is bin/lab; Probe is test/harness/cmd/probe, statically linked.
	Lab, Probe string
}

// LabBinary is the environment variable that names a bin/lab which is already built.
const LabBinary = "HERALD_LAB_BIN"

// Build builds the programs into a directory; bin/lab, and Herald beside it, only where LabBinary names none.
func Build(ctx context.Context, dir string) (Binaries, error) {
	const module = "github.com/herald-network/herald/"
	binaries := Binaries{Lab: os.Getenv(LabBinary), Probe: filepath.Join(dir, "probe")}
	packages := []string{module + "test/harness/cmd/probe"}
	if binaries.Lab == "" {
		binaries.Lab = filepath.Join(dir, "lab")
		packages = append(packages, module+"test/lab/cmd/lab", module+"cmd/manager", module+"cmd/agent")
	}
	build := exec.CommandContext(ctx, "go", append([]string{"build", "-o", dir + "/"}, packages...)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return Binaries{}, fmt.Errorf("build %s: %w\n%s", strings.Join(packages, " "), err, output)
	}
	return binaries, nil
}

// Up starts a lab in a directory; options are those of `lab up`.
func Up(ctx context.Context, binaries Binaries, dir string, options ...string) (*Lab, error) {
	lab := &Lab{dir: dir, binaries: binaries}
	_, err := lab.Run(ctx, append([]string{"up"}, options...)...)
	return lab, err
}

// Attach returns the lab that runs in a directory.
func Attach(binaries Binaries, dir string) *Lab { return &Lab{dir: dir, binaries: binaries} }

// AuditLog returns where the API server of a lab that was brought up with --audit notes every request.
func (l *Lab) AuditLog() string { return statedir.Dir(l.dir).AuditLog() }

// Down stops the lab and removes all that it left.
func (l *Lab) Down(ctx context.Context) error {
	_, err := l.Run(ctx, "down")
	return err
}

// Run runs a command of bin/lab, such as "kill", "agent/node-1", and returns its standard output.
func (l *Lab) Run(ctx context.Context, args ...string) (string, error) {
	return l.run(ctx, "", args...)
}

// Exec runs a command on a host of the lab and returns its standard output.
func (l *Lab) Exec(ctx context.Context, host string, argv ...string) (string, error) {
	return l.run(ctx, "", append([]string{"exec", host, "--"}, argv...)...)
}

// Probe runs a probe on a host of the lab until it ends, and returns its output.
func (l *Lab) Probe(ctx context.Context, host string, argv ...string) (string, error) {
	return l.Exec(ctx, host, append([]string{l.binaries.Probe}, argv...)...)
}

// Feed runs a command on a host of the lab with a text as its standard input, and returns its standard output.
func (l *Lab) Feed(ctx context.Context, input, host string, argv ...string) (string, error) {
	return l.run(ctx, input, append([]string{"exec", host, "--"}, argv...)...)
}

// Kubectl runs kubectl and returns its standard output.
func (l *Lab) Kubectl(ctx context.Context, args ...string) (string, error) {
	return l.run(ctx, "", append([]string{"kubectl"}, args...)...)
}

// Say runs kubectl with a text as its standard input and returns all that it prints, warnings and errors included, as a
// person sees it; ok says whether it succeeded.
func (l *Lab) Say(ctx context.Context, input string, args ...string) (output string, ok bool) {
	process := l.command(ctx, append([]string{"kubectl"}, args...)...)
	process.Stdin = strings.NewReader(input)
	printed, err := process.CombinedOutput()
	return string(printed), err == nil
}

// Apply applies manifests in YAML.
func (l *Lab) Apply(ctx context.Context, manifests string) error {
	_, err := l.run(ctx, manifests, "kubectl", "apply", "-f", "-")
	return err
}

// Replace replaces objects by manifests in YAML, so that no field is left of what they were.
func (l *Lab) Replace(ctx context.Context, manifests string) error {
	for {
		// kubectl reads each object and puts it back, and a status that is written in between is a conflict: a person tries again.
		_, err := l.run(ctx, manifests, "kubectl", "replace", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), "Error from server (Conflict)") || ctx.Err() != nil {
			return err
		}
	}
}

func (l *Lab) run(ctx context.Context, input string, args ...string) (string, error) {
	process := l.command(ctx, args...)
	var output, complaint bytes.Buffer
	process.Stdin, process.Stdout, process.Stderr = strings.NewReader(input), &output, &complaint
	if err := process.Run(); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			err = ctx.Err()
		}
		return output.String(), fmt.Errorf("lab %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(complaint.String()+output.String()))
	}
	return output.String(), nil
}

func (l *Lab) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, l.binaries.Lab, append([]string{"--dir", l.dir}, args...)...)
}
