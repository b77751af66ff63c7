package kubeobject_test

import (
	"net/netip"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/kubeobject"
)

func TestService(t *testing.T) {
	t.Parallel()
	address := func(text string, kind advertise.Kind) advertise.Address {
		return advertise.Address{Addr: netip.MustParseAddr(text), Kind: kind}
	}
	for name, row := range map[string]struct {
		service corev1.Service
		want    advertise.Service
	}{
		"addresses of every kind and family": {
			corev1.Service{
				Spec: corev1.ServiceSpec{
					Type: corev1.ServiceTypeLoadBalancer, ClusterIP: "10.49.0.1",
					ClusterIPs: []string{"10.49.0.1", "2001:db8::1"}, ExternalIPs: []string{"192.168.3.180"},
				},
				Status: ingress(corev1.LoadBalancerIngress{IP: "192.168.4.1"}),
			},
			advertise.Service{Type: advertise.TypeLoadBalancer, Addresses: []advertise.Address{
				address("10.49.0.1", advertise.ClusterIP), address("2001:db8::1", advertise.ClusterIP),
				address("192.168.3.180", advertise.ExternalIP), address("192.168.4.1", advertise.LoadBalancerIP),
			}},
		},
		"policies": {
			corev1.Service{Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeNodePort, ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal,
				InternalTrafficPolicy: new(corev1.ServiceInternalTrafficPolicyLocal),
			}},
			advertise.Service{
				Type: advertise.TypeNodePort, ExternalTrafficPolicy: advertise.Local, InternalTrafficPolicy: advertise.Local,
			},
		},
		"headless, and on its way out": {
			corev1.Service{
				ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: new(metav1.Now())},
				Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "None", ClusterIPs: []string{"None"}},
			},
			advertise.Service{Type: advertise.TypeClusterIP, Headless: true, Deleting: true},
		},
		"ingresses that are no address to route to": {
			corev1.Service{
				Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ExternalIPs: []string{"010.1.1.1"}},
				Status: ingress(
					corev1.LoadBalancerIngress{Hostname: "example.org"},
					corev1.LoadBalancerIngress{IP: "192.168.4.1", IPMode: new(corev1.LoadBalancerIPModeProxy)},
					corev1.LoadBalancerIngress{IP: "192.168.4.2", IPMode: new(corev1.LoadBalancerIPModeVIP)},
				),
			},
			advertise.Service{Type: advertise.TypeLoadBalancer, Addresses: []advertise.Address{
				address("192.168.4.2", advertise.LoadBalancerIP),
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			NewWithT(t).Expect(*kubeobject.Service(&row.service)).To(Equal(row.want))
		})
	}
}

func TestSlice(t *testing.T) {
	t.Parallel()
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Labels: map[string]string{discoveryv1.LabelServiceName: "nginx"}},
		AddressType: discoveryv1.AddressTypeIPv6,
		Endpoints: []discoveryv1.Endpoint{
			{NodeName: new("node-1")},
			{NodeName: new("node-2"), Conditions: discoveryv1.EndpointConditions{Ready: new(true)}},
			{NodeName: new("node-1"), Conditions: discoveryv1.EndpointConditions{
				Ready: new(false), Serving: new(true), Terminating: new(true),
			}},
			{Conditions: discoveryv1.EndpointConditions{Ready: new(false)}},
		},
	}
	g := NewWithT(t)
	g.Expect(*kubeobject.Slice(slice, "node-1")).To(Equal(advertise.Slice{
		Service: "nginx", Family: bgp.IPv6,
		Endpoints: advertise.Endpoints{Ready: 2, ReadyHere: 1, Draining: 1, DrainingHere: 1},
	}))
	var spread cluster.Endpoints
	kubeobject.Endpoints(slice, &spread)
	g.Expect(spread.SeenFrom("node-1").IPv6).To(Equal(advertise.Endpoints{Ready: 2, ReadyHere: 1, Draining: 1, DrainingHere: 1}))
	g.Expect(spread.SeenFrom("node-2").IPv6).To(Equal(advertise.Endpoints{Ready: 2, ReadyHere: 1, Draining: 1}))

	slice.AddressType = discoveryv1.AddressTypeFQDN
	g.Expect(kubeobject.Slice(slice, "node-1").Family).To(BeZero())
}

func TestNode(t *testing.T) {
	t.Parallel()
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "node-1", Labels: map[string]string{"rack": "a"}},
		Spec:       corev1.NodeSpec{PodCIDRs: []string{"10.48.1.0/24", "nonsense"}},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: "node-1"},
			{Type: corev1.NodeExternalIP, Address: "203.0.113.1"},
			{Type: corev1.NodeInternalIP, Address: "::ffff:192.168.1.11"},
			{Type: corev1.NodeInternalIP, Address: "2001:db8::11"},
		}},
	}
	NewWithT(t).Expect(*kubeobject.Node(n)).To(Equal(intent.Node{
		Name: "node-1", Labels: map[string]string{"rack": "a"},
		InternalIPs: []netip.Addr{netip.MustParseAddr("192.168.1.11"), netip.MustParseAddr("2001:db8::11")},
		PodCIDRs:    []netip.Prefix{netip.MustParsePrefix("10.48.1.0/24")},
	}))
}

func ingress(ingresses ...corev1.LoadBalancerIngress) corev1.ServiceStatus {
	return corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: ingresses}}
}
