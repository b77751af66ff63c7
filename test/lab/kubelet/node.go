package kubelet

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
)

// node is what the workers of a node share.
type node struct {
	config    Config
	client    kubernetes.Interface
	host      host
	events    record.EventRecorder
	log       logr.Logger
	apiServer *apiServer

	mu sync.Mutex
	// held are the selectors whose pods are not to be started.
	held map[Selector]struct{}
}

// holds tells whether the lab was told to keep the pod stopped.
func (n *node) holds(pod *corev1.Pod) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.held {
		if s.matches(pod) {
			return true
		}
	}
	return false
}

func (n *node) hold(s Selector) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held[s] = struct{}{}
}

func (n *node) release(s Selector) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.held, s)
}

// apiServer knows the address of the Service kubernetes, which does not change once it is there.
type apiServer struct {
	client kubernetes.Interface

	mu      sync.Mutex
	address netip.AddrPort
}

func (s *apiServer) get(ctx context.Context) (netip.AddrPort, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.address.IsValid() {
		return s.address, nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	service, err := s.client.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("read the Service of the API server: %w", err)
	}
	ip, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil || len(service.Spec.Ports) == 0 {
		return netip.AddrPort{}, fmt.Errorf("the Service of the API server has no address or port: cluster IP %q", service.Spec.ClusterIP)
	}
	s.address = netip.AddrPortFrom(ip, uint16(service.Spec.Ports[0].Port))
	return s.address, nil
}
