package supervisor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/herald-network/herald/test/lab/logserver"
	"github.com/herald-network/herald/test/lab/netns"
	"github.com/herald-network/herald/test/lab/pki"
	"github.com/herald-network/herald/test/lab/topology"
)

// serveLogs has a node serve the logs of its pods, for `kubectl logs`, until the context of the lab is over.
func (s *Supervisor) serveLogs(lifetime context.Context, node topology.Host) error {
	certificate, err := nodeCertificate(node)
	if err != nil {
		return err
	}
	var listener net.Listener
	err = netns.Do(node.Name, func() (err error) {
		listener, err = (&net.ListenConfig{}).Listen(lifetime, "tcp", fmt.Sprintf(":%d", logserver.Port))
		return err
	})
	if err != nil {
		return fmt.Errorf("serve logs on %s: %w", node.Name, err)
	}
	server := &http.Server{
		Handler:           logserver.Handler(s.containerLog),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return lifetime },
	}
	context.AfterFunc(lifetime, func() { _ = server.Close() })
	go func() {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error(err, "Serving logs ended", "node", node.Name)
		}
	}()
	return nil
}

// nodeCertificate makes a certificate that nobody verifies: the API server is not told who signs those of nodes.
func nodeCertificate(node topology.Host) (tls.Certificate, error) {
	authority, err := pki.NewAuthority(node.Name)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := authority.Server(node.Name, []string{node.Name}, node.Addresses())
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(pair.Cert, pair.Key)
}

// containerLog returns the path of a container's log.
func (s *Supervisor) containerLog(namespace, pod, container string) (string, error) {
	name := "pod/" + namespace + "/" + pod
	target, ok := s.fleet.Find(name)
	if !ok {
		return "", fmt.Errorf("no pod %s/%s", namespace, pod)
	}
	paths, err := target.Logs()
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(paths, func(path string) bool { return filepath.Base(path) == container+".log" })
	if i < 0 {
		return "", fmt.Errorf("no log of container %s of %s", container, name)
	}
	return paths[i], nil
}
