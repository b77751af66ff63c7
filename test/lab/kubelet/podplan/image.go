package podplan

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/test/lab/proc"
)

// UnknownImageError says that the lab has no program that stands for an image.
type UnknownImageError struct {
	Image string
}

func (e UnknownImageError) Error() string {
	return fmt.Sprintf("the lab has no image %q; it knows nginx, lab/echo, and herald in any repository", e.Image)
}

// image is what the lab runs in place of a container image.
type image struct {
	entrypoint []string
	command    []string
	mounts     []proc.Mount
	files      []File
	stopSignal syscall.Signal
}

// imageOf resolves the image of a container. A digest is of no account, and a tag only where it is one of Herald's image that
// was loaded.
func imageOf(c *corev1.Container, f Facts, d Dirs) (image, error) {
	repository, tag := splitReference(c.Image)
	switch {
	case strings.TrimPrefix(strings.TrimPrefix(repository, "docker.io/"), "library/") == "nginx":
		return nginxImage(c, f), nil
	case repository == "lab/echo":
		return echoImage(c, f, d), nil
	case path.Base(repository) == "herald":
		return heraldImage(cmp.Or(d.Loaded[tag], d.Binaries)), nil
	default:
		return image{}, UnknownImageError{Image: c.Image}
	}
}

// splitReference returns the repository and the tag of an image's reference, without the digest.
func splitReference(reference string) (repository, tag string) {
	reference, _, _ = strings.Cut(reference, "@")
	if i := strings.LastIndexByte(reference, ':'); i > strings.LastIndexByte(reference, '/') {
		return reference[:i], reference[i+1:]
	}
	return reference, ""
}

// heraldImage is Herald's image, whose programs lie in a directory.
func heraldImage(directory string) image {
	return image{
		entrypoint: []string{"/manager"},
		mounts: []proc.Mount{
			{Source: filepath.Join(directory, "manager"), Target: "/manager", ReadOnly: true},
			{Source: filepath.Join(directory, "agent"), Target: "/agent", ReadOnly: true},
		},
		stopSignal: syscall.SIGTERM,
	}
}

func echoImage(c *corev1.Container, f Facts, d Dirs) image {
	const program = "/echo"
	return image{
		entrypoint: []string{program, "echo"},
		command:    []string{fmt.Sprintf("--port=%d", portOf(c)), "--node=" + f.NodeName},
		mounts:     []proc.Mount{{Source: d.Self, Target: program, ReadOnly: true}},
		stopSignal: syscall.SIGTERM,
	}
}

// nginxImage runs Debian's nginx. It stays root, since a lab without root has one user only, and it ends as the public
// image does, on SIGQUIT, which lets requests under way finish.
func nginxImage(c *corev1.Container, f Facts) image {
	const config = "/etc/nginx/nginx.conf"
	return image{
		entrypoint: []string{"nginx", "-e", "stderr", "-g", "daemon off;"},
		files:      []File{{Path: config, Data: []byte(nginxConfig(portOf(c), f.PodIPs)), Mode: 0o644}},
		stopSignal: syscall.SIGQUIT,
	}
}

func nginxConfig(port int32, addrs []netip.Addr) string {
	var listen strings.Builder
	for _, a := range addrs {
		wildcard := netip.IPv4Unspecified()
		if a.Is6() {
			wildcard = netip.IPv6Unspecified()
		}
		fmt.Fprintf(&listen, "    listen %s;\n", netip.AddrPortFrom(wildcard, uint16(port)))
	}
	return `user root;
worker_processes 1;
pid /tmp/nginx.pid;
events {}
http {
  access_log /dev/stdout;
  default_type text/html;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server {
` + listen.String() + `    root /usr/share/nginx/html;
  }
}
`
}

// portOf returns the port that a server in the container listens on: the first that it declares, else 80.
func portOf(c *corev1.Container) int32 {
	if len(c.Ports) == 0 {
		return 80
	}
	return c.Ports[0].ContainerPort
}
