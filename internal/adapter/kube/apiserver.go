package kube

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/herald-network/herald/internal/agent/input"
)

// The API server's own Service, which a pod reaches it by.
const (
	apiServerNamespace = corev1.NamespaceDefault
	apiServerService   = "kubernetes"
)

// apiServer dials the API server, at the address that it is configured by and else where it listens itself.
//
// A pod's configuration names the Service of the API server. That leads nowhere as long as kube-proxy takes the server to
// be away, and a kube-proxy that has lost the server for a while looks for it no more than once a minute. So what the
// Service's endpoints were last is remembered, for when it does not answer. Whoever answers there has to have the
// certificate that the configuration asks for.
type apiServer struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu sync.Mutex
	// endpoints are where the server listens, by the name of the EndpointSlice that said so.
	endpoints map[string][]string
	// recalled is where it listened when an earlier agent was told.
	recalled []string
}

func newAPIServer() *apiServer {
	return &apiServer{dial: (&net.Dialer{Timeout: dialTimeout}).DialContext, endpoints: map[string][]string{}}
}

// Dial connects to an address of the API server's, or to one of its endpoints.
func (s *apiServer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.dial(ctx, network, address)
	if err == nil {
		return conn, nil
	}
	errs := []error{err}
	for _, endpoint := range s.known() {
		conn, err := s.dial(ctx, network, endpoint)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// known returns where the server listens by what it said itself or, before that, by what an earlier agent knew.
func (s *apiServer) known() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.endpoints) == 0 {
		return slices.Clone(s.recalled)
	}
	var all []string
	for _, endpoints := range s.endpoints {
		all = append(all, endpoints...)
	}
	slices.Sort(all)
	return all
}

// recall takes over what an earlier agent knew.
func (s *apiServer) recall(endpoints []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recalled = slices.Clone(endpoints)
}

// APIServerEndpoints returns the addresses and ports where the API server listens itself, as far as they are known.
func (c *Clients) APIServerEndpoints() []string { return c.server.known() }

// RecallAPIServer says where the API server listened when an earlier agent knew it, for as long as nothing is known.
func (c *Clients) RecallAPIServer(endpoints []string) { c.server.recall(endpoints) }

// noting has the endpoints of the API server noted while slices are read.
func (s *apiServer) noting(k kind[*discoveryv1.EndpointSlice]) kind[*discoveryv1.EndpointSlice] {
	set := k.set
	k.set = func(slice *discoveryv1.EndpointSlice) input.Event {
		s.note(slice)
		return set(slice)
	}
	return k
}

// note remembers the endpoints of the API server if a slice has them. A server that is about to end removes its own, so
// the last ones are kept where none are left.
func (s *apiServer) note(slice *discoveryv1.EndpointSlice) {
	if slice.Namespace != apiServerNamespace || slice.Labels[discoveryv1.LabelServiceName] != apiServerService {
		return
	}
	endpoints := listeners(slice)
	if len(endpoints) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoints[slice.Name] = endpoints
}

// listeners returns the addresses and ports of a slice.
func listeners(slice *discoveryv1.EndpointSlice) []string {
	var list []string
	for _, port := range slice.Ports {
		if port.Port == nil {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			for _, text := range endpoint.Addresses {
				if address, err := netip.ParseAddr(text); err == nil {
					list = append(list, netip.AddrPortFrom(address, uint16(*port.Port)).String())
				}
			}
		}
	}
	return list
}
