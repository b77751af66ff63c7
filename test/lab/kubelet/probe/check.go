package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Target is how a container is reached.
type Target struct {
	// Host is the pod's address, which a probe uses that names no other.
	Host string
	// Ports are the container's, for probes that name one.
	Ports []corev1.ContainerPort
	// Dial connects from within the pod's network namespace.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Exec runs a command in the container's namespaces and returns what it wrote; a non-zero exit status is an error.
	Exec func(ctx context.Context, command []string) ([]byte, error)
}

// CheckOf returns the check that a probe or a lifecycle hook describes.
func CheckOf(exec *corev1.ExecAction, get *corev1.HTTPGetAction, tcp *corev1.TCPSocketAction, t Target) Check {
	switch {
	case exec != nil:
		return func(ctx context.Context) error { return t.exec(ctx, exec.Command) }
	case get != nil:
		return func(ctx context.Context) error { return t.httpGet(ctx, get) }
	case tcp != nil:
		return func(ctx context.Context) error { return t.connect(ctx, tcp) }
	default:
		return func(context.Context) error {
			return errors.New("the lab knows exec, httpGet and tcpSocket probes only")
		}
	}
}

func (t Target) exec(ctx context.Context, command []string) error {
	output, err := t.Exec(ctx, command)
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}

func (t Target) connect(ctx context.Context, tcp *corev1.TCPSocketAction) error {
	address, err := t.address(tcp.Host, tcp.Port)
	if err != nil {
		return err
	}
	conn, err := t.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (t Target) httpGet(ctx context.Context, get *corev1.HTTPGetAction) error {
	address, err := t.address(get.Host, get.Port)
	if err != nil {
		return err
	}
	// The path may carry a query.
	u, err := url.Parse(get.Path)
	if err != nil {
		return fmt.Errorf("path of the probe: %w", err)
	}
	u.Scheme = strings.ToLower(string(get.Scheme))
	if u.Scheme == "" {
		u.Scheme = "http"
	}
	u.Host = address
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "kube-probe/lab")
	for _, h := range get.HTTPHeaders {
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			req.Host = h.Value
			continue
		}
		req.Header.Add(h.Name, h.Value)
	}
	client := http.Client{Transport: &http.Transport{
		DialContext:       t.Dial,
		DisableKeepAlives: true,
		// A kubelet does not verify either.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", u, err)
	}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s answered %s: %s", u, resp.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// address joins the host, or the pod's own where it is empty, and the port, which may be a name.
func (t Target) address(host string, port intstr.IntOrString) (string, error) {
	if host == "" {
		host = t.Host
	}
	if port.Type == intstr.Int {
		return net.JoinHostPort(host, strconv.Itoa(port.IntValue())), nil
	}
	for _, p := range t.Ports {
		if p.Name == port.StrVal {
			return net.JoinHostPort(host, strconv.Itoa(int(p.ContainerPort))), nil
		}
	}
	if _, err := strconv.ParseUint(port.StrVal, 10, 16); err == nil {
		return net.JoinHostPort(host, port.StrVal), nil
	}
	return "", fmt.Errorf("probe names port %q, which the container does not declare", port.StrVal)
}
