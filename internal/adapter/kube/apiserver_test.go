package kube

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/internal/agent/input"
)

const serviceAddress = "10.49.0.1:443"

// unreachable is an apiServer that answers nowhere but at the given addresses, and notes where it was looked for.
func unreachable(tried *[]string, but ...string) *apiServer {
	s := newAPIServer()
	s.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		*tried = append(*tried, address)
		if slices.Contains(but, address) {
			return &net.TCPConn{}, nil
		}
		return nil, errors.New(address + ": connection refused")
	}
	return s
}

func apiServerSlice(name string, port int32, addresses ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: corev1.NamespaceDefault, Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"},
		},
		Ports: []discoveryv1.EndpointPort{{Port: &port}},
	}
	for _, address := range addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
	}
	return slice
}

func TestTheAPIServerIsDialledWhereItIsConfigured(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var tried []string
	s := unreachable(&tried, serviceAddress)
	s.note(apiServerSlice("kubernetes", 6443, "192.168.1.100"))
	_, err := s.Dial(t.Context(), "tcp", serviceAddress)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(tried).To(Equal([]string{serviceAddress}))
}

func TestTheAPIServerIsFoundThoughItsServiceLeadsNowhere(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var tried []string
	s := unreachable(&tried, "192.168.1.101:6443")
	read := s.noting(sliceKind("node-1")).set
	event := read(apiServerSlice("kubernetes", 6443, "192.168.1.100", "192.168.1.101"))
	g.Expect(event).To(BeAssignableToTypeOf(input.Slice{}), "the slice is passed on")
	read(apiServerSlice("kubernetes", 6443)) // A server that ends removes itself first.
	_, err := s.Dial(t.Context(), "tcp", serviceAddress)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(tried).To(Equal([]string{serviceAddress, "192.168.1.100:6443", "192.168.1.101:6443"}))
}

func TestTheAPIServersEndpointsAreThoseSaidLast(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var tried []string
	s := unreachable(&tried)
	s.note(apiServerSlice("kubernetes", 6443, "192.168.1.100"))
	s.note(apiServerSlice("kubernetes", 6443, "192.168.1.101"))
	s.note(apiServerSlice("kubernetes-ipv6", 6443, "fd00:1::64"))
	_, err := s.Dial(t.Context(), "tcp", serviceAddress)
	g.Expect(err).To(MatchError(And(ContainSubstring(serviceAddress), ContainSubstring("192.168.1.101:6443"))))
	g.Expect(tried).To(Equal([]string{serviceAddress, "192.168.1.101:6443", "[fd00:1::64]:6443"}))
}

func TestTheAPIServerIsFoundWhereAnEarlierAgentKnewIt(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var tried []string
	s := unreachable(&tried)
	clients := &Clients{server: s}
	clients.RecallAPIServer([]string{"192.168.1.100:6443"})
	_, err := s.Dial(t.Context(), "tcp", serviceAddress)
	g.Expect(err).To(HaveOccurred())
	g.Expect(tried).To(Equal([]string{serviceAddress, "192.168.1.100:6443"}))

	s.note(apiServerSlice("kubernetes", 6443, "192.168.1.101"))
	g.Expect(clients.APIServerEndpoints()).To(Equal([]string{"192.168.1.101:6443"}), "what the server says itself counts")
}

func TestEndpointsOfOtherServicesAreNotTheAPIServers(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var tried []string
	s := unreachable(&tried)
	elsewhere, other := apiServerSlice("a", 6443, "192.168.1.66"), apiServerSlice("b", 6443, "192.168.1.67")
	elsewhere.Namespace = "tenant"
	other.Labels[discoveryv1.LabelServiceName] = "web"
	s.note(elsewhere)
	s.note(other)
	_, err := s.Dial(t.Context(), "tcp", serviceAddress)
	g.Expect(err).To(HaveOccurred())
	g.Expect(tried).To(Equal([]string{serviceAddress}))
}
