package podplan

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/test/lab/proc"
)

// Container is what to run for one container. Its View lacks the network namespace.
type Container struct {
	// Args are the program and its arguments.
	Args []string
	// Env is the whole environment as NAME=value.
	Env []string
	// View is what the process sees.
	View proc.View
	// Files are to be written before the start, each below Dirs.Pod at GeneratedFile(container, File.Path), where View
	// mounts it from.
	Files []File
	// StopSignal asks the program to end.
	StopSignal syscall.Signal
}

// File is a file with its content; what its path is relative to depends on where it is used.
type File struct {
	Path string
	Data []byte
	Mode fs.FileMode
}

// GeneratedFile returns where a generated file of a container is kept.
func (d Dirs) GeneratedFile(container, target string) string {
	return filepath.Join(d.Pod, "files", container, target)
}

// Plan returns what to run for a container of the pod. An UnknownImageError means that the image can't be had; any other
// error that the container's configuration refers to something that is not there.
func Plan(pod *corev1.Pod, c *corev1.Container, f Facts, d Dirs, objects Objects) (Container, error) {
	img, err := imageOf(c, f, d)
	if err != nil {
		return Container{}, err
	}
	declared, err := environment(pod, c, f, objects)
	if err != nil {
		return Container{}, err
	}
	hostname := Hostname(pod, f)
	env := map[string]string{
		"PATH":     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME":     "/root",
		"HOSTNAME": hostname,
	}
	maps.Copy(env, declared)
	volumes, err := volumeMounts(pod, c, d, declared)
	if err != nil {
		return Container{}, err
	}
	files := append(slices.Clone(img.files), hostsFile(pod, hostname, f))
	return Container{
		Args: commandLine(c, img, declared),
		Env:  assignments(env),
		View: proc.View{
			Hostname: hostname,
			Tmpfs:    []string{"/run", "/tmp"},
			Mounts:   slices.Concat(img.mounts, fileMounts(d, c.Name, files), volumes),
			Dir:      c.WorkingDir,
		},
		Files:      files,
		StopSignal: img.stopSignal,
	}, nil
}

// commandLine follows the container's command and args: command replaces both of the image's, args its second part.
func commandLine(c *corev1.Container, img image, env map[string]string) []string {
	entrypoint, command := img.entrypoint, img.command
	if len(c.Command) > 0 {
		entrypoint, command = expandAll(c.Command, env), nil
	}
	if len(c.Args) > 0 {
		command = expandAll(c.Args, env)
	}
	return slices.Concat(entrypoint, command)
}

func fileMounts(d Dirs, container string, files []File) []proc.Mount {
	mounts := make([]proc.Mount, 0, len(files))
	for _, file := range files {
		mounts = append(mounts, proc.Mount{Source: d.GeneratedFile(container, file.Path), Target: file.Path, ReadOnly: true})
	}
	return mounts
}

func hostsFile(pod *corev1.Pod, hostname string, f Facts) File {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost\n")
	for _, a := range f.PodIPs {
		fmt.Fprintf(&b, "%s\t%s\n", a, hostname)
	}
	for _, alias := range pod.Spec.HostAliases {
		fmt.Fprintf(&b, "%s\t%s\n", alias.IP, strings.Join(alias.Hostnames, "\t"))
	}
	return File{Path: "/etc/hosts", Data: []byte(b.String()), Mode: 0o644}
}

// volumeMounts returns the container's volumeMounts in the order of their targets' depth, so that none hides another.
func volumeMounts(pod *corev1.Pod, c *corev1.Container, d Dirs, env map[string]string) ([]proc.Mount, error) {
	mounts := make([]proc.Mount, 0, len(c.VolumeMounts))
	for _, vm := range c.VolumeMounts {
		i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == vm.Name })
		if i < 0 {
			return nil, fmt.Errorf("volumeMounts names volume %q, which the pod does not have", vm.Name)
		}
		sub := vm.SubPath
		if vm.SubPathExpr != "" {
			sub = Expand(vm.SubPathExpr, env)
		}
		if sub != "" && !filepath.IsLocal(sub) {
			return nil, fmt.Errorf("subPath %q leads out of volume %q", sub, vm.Name)
		}
		volume := &pod.Spec.Volumes[i]
		mounts = append(mounts, proc.Mount{
			Source:   filepath.Join(d.Volume(volume), sub),
			Target:   path.Clean(vm.MountPath),
			ReadOnly: vm.ReadOnly || hasContent(volume),
		})
	}
	slices.SortStableFunc(mounts, func(a, b proc.Mount) int {
		return strings.Count(a.Target, "/") - strings.Count(b.Target, "/")
	})
	return mounts, nil
}
