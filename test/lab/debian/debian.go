// Package debian sees to the programs that the lab takes from Debian.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Program is a program and the package that has it.
type Program struct {
	// Name is looked up in PATH and where Debian keeps what is for root; with a slash it is a path.
	Name, Package string
	// Service is the unit that the package would start; empty for none.
	Service string
}

// Base returns the programs that every lab needs.
func Base() []Program {
	return []Program{
		{Name: "ip", Package: "iproute2"},
		{Name: "nsenter", Package: "util-linux"},
		{Name: "nft", Package: "nftables"},
		{Name: "conntrack", Package: "conntrack"},
		{Name: "tcpdump", Package: "tcpdump"},
		{Name: "curl", Package: "curl"},
		{Name: "ps", Package: "procps"},
		{Name: "nginx", Package: "nginx-light", Service: "nginx.service"},
	}
}

// SearchPath appends to a PATH the directories that an ordinary user's lacks.
func SearchPath(path string) string { return path + ":/usr/local/sbin:/usr/sbin:/sbin" }

// Host is the machine to install on.
type Host struct {
	// Root says whether packages may be installed.
	Root bool
	// Find says whether a program is there; nil looks on this machine.
	Find func(program string) bool
	// Run runs a command; nil runs it on this machine.
	Run func(ctx context.Context, args ...string) error
	// Policy is the script that Debian asks whether a service may be started; empty for the machine's own.
	Policy string
	// Progress is told what is installed.
	Progress io.Writer
}

// Ensure installs what is missing, or names it in its error. The services of what it installs are neither started nor
// enabled: the lab runs their programs itself.
func (h Host) Ensure(ctx context.Context, programs []Program) error {
	h = h.withDefaults()
	missing := h.missing(programs)
	if len(missing) == 0 {
		return nil
	}
	packages := packagesOf(missing)
	if !h.Root || !h.Find("apt-get") {
		return fmt.Errorf("programs are missing; with Debian's packages: apt-get install %s", strings.Join(packages, " "))
	}
	fmt.Fprintf(h.Progress, "Installing %s\n", strings.Join(packages, " "))
	if err := h.install(ctx, packages); err != nil {
		return fmt.Errorf("install %s: %w", strings.Join(packages, " "), err)
	}
	for _, p := range missing {
		if p.Service != "" && h.Find("systemctl") {
			if err := h.Run(ctx, "systemctl", "disable", "--quiet", p.Service); err != nil {
				return fmt.Errorf("keep %s from being started with the machine: %w", p.Service, err)
			}
		}
	}
	if still := h.missing(missing); len(still) > 0 {
		return fmt.Errorf("still missing after they were installed: %s", strings.Join(packagesOf(still), " "))
	}
	return nil
}

func (h Host) withDefaults() Host {
	if h.Find == nil {
		h.Find = find
	}
	if h.Run == nil {
		h.Run = run
	}
	if h.Policy == "" {
		h.Policy = "/usr/sbin/policy-rc.d"
	}
	return h
}

func (h Host) missing(programs []Program) []Program {
	return slices.DeleteFunc(slices.Clone(programs), func(p Program) bool { return h.Find(p.Name) })
}

func packagesOf(programs []Program) []string {
	var names []string
	for _, p := range programs {
		names = append(names, p.Package)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (h Host) install(ctx context.Context, packages []string) (err error) {
	allow, err := h.forbidServices()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, allow()) }()
	args := append([]string{
		"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet", "--no-install-recommends",
	}, packages...)
	if h.Run(ctx, args...) == nil {
		return nil
	}
	if err := h.Run(ctx, "apt-get", "update", "--quiet"); err != nil { // The lists may be missing or old.
		return err
	}
	return h.Run(ctx, args...)
}

// forbidServices keeps packages from starting their services until the returned function is called. A machine that has a
// policy of its own keeps it.
func (h Host) forbidServices() (allow func() error, err error) {
	const refuse = "#!/bin/sh\nexit 101\n"
	file, err := os.OpenFile(h.Policy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = file.WriteString(refuse)
	return func() error { return os.Remove(h.Policy) }, errors.Join(err, file.Close())
}

func find(program string) bool {
	if strings.Contains(program, "/") {
		return isExecutable(program)
	}
	for _, dir := range filepath.SplitList(SearchPath(os.Getenv("PATH"))) {
		if isExecutable(filepath.Join(dir, program)) {
			return true
		}
	}
	return false
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func run(ctx context.Context, args ...string) error {
	if output, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return nil
}
