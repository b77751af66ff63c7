package kubeobject_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/kubeobject"
)

// balanced is a Service of type LoadBalancer without a class.
func balanced(edits ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
	}}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

// plain is a Service of type ClusterIP.
func plain(edits ...func(*corev1.Service)) *corev1.Service {
	return balanced(append([]func(*corev1.Service){func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP }}, edits...)...)
}

func annotated(key, value string) func(*corev1.Service) {
	return func(s *corev1.Service) { metav1.SetMetaDataAnnotation(&s.ObjectMeta, key, value) }
}

func class(name string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.LoadBalancerClass = &name }
}

func external(addresses ...string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.ExternalIPs = addresses }
}

func ingresses(ingresses ...corev1.LoadBalancerIngress) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Status.LoadBalancer.Ingress = ingresses }
}

// marked gives a Service the condition AddressAssigned with a message.
func marked(message string) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Status.Conditions = []metav1.Condition{
			{Type: "herald.network/AddressAssigned", Status: metav1.ConditionFalse, Message: message},
			{Type: "example.org/Other", Message: "192.168.4.99 from ExternalIPPool public"},
		}
	}
}

// TestWhatAServiceWants: which Services are Herald's to serve, and with what.
func TestWhatAServiceWants(t *testing.T) {
	t.Parallel()
	const ask, lb, extern = "herald.network/assign-external-ip", advertise.LoadBalancerIP, advertise.ExternalIP
	headless := func(s *corev1.Service) { s.Spec.ClusterIP = "None" }
	name := func(s *corev1.Service) { s.Spec.Type, s.Spec.IPFamilies = corev1.ServiceTypeExternalName, nil }
	node := func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort }
	for sentence, row := range map[string]struct {
		service *corev1.Service
		// want with classless Services being Herald's, alone where they are not.
		want, alone advertise.Kind
		// problem are words of the problem, in order.
		problem []string
	}{
		"a load balancer without a class":              {service: balanced(), want: lb},
		"a load balancer of Herald's class":            {service: balanced(class("herald.network/bgp")), want: lb, alone: lb},
		"a load balancer of another class":             {service: balanced(class("example.org/lb"))},
		"a load balancer of another class that asks":   {service: balanced(class("example.org/lb"), annotated(ask, "true"))},
		"a load balancer that asks for an external IP": {service: balanced(annotated(ask, "nonsense")), want: lb},
		"a cluster IP":                  {service: plain()},
		"a cluster IP that asks":        {service: plain(annotated(ask, "true")), want: extern, alone: extern},
		"a node port that asks":         {service: plain(node, annotated(ask, "true")), want: extern, alone: extern},
		"a cluster IP that asks not to": {service: plain(annotated(ask, "false"))},
		"a headless Service":            {service: plain(headless)},
		"a name":                        {service: plain(name)},
		"a value that is none": {
			plain(annotated(ask, "yes")), extern, extern,
			[]string{ask, `"yes"`, `"true"`, "spec.externalIPs", `"false"`},
		},
		"an empty value": {plain(annotated(ask, "")), extern, extern, []string{ask, `""`, `"true"`}},
		"a headless Service that asks": {
			plain(headless, annotated(ask, "true")), extern, extern, []string{ask, "headless", "spec.clusterIP", "remove the annotation"},
		},
		"a name that asks": {
			plain(name, annotated(ask, "true")), extern, extern, []string{ask, "ExternalName", "ClusterIP", "remove the annotation"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got := kubeobject.Claims{DefaultLoadBalancer: true}.Of(row.service)
			alone := kubeobject.Claims{}.Of(row.service)
			if got.Wants != row.want || alone.Wants != row.alone {
				t.Errorf("wants %s, and %s where classless Services are not Herald's; want %s and %s",
					got.Wants, alone.Wants, row.want, row.alone)
			}
			if (got.Request.Problem != "") != (row.problem != nil) {
				t.Errorf("the problem is %q, want one with %q", got.Request.Problem, row.problem)
			}
			rest := got.Request.Problem
			for _, word := range row.problem {
				_, after, found := strings.Cut(rest, word)
				if !found {
					t.Errorf("the problem %q lacks %q after what comes before it", got.Request.Problem, word)
				}
				rest = after
			}
		})
	}
}

// TestWhatAServiceIs: what it asks for, and what decides with whom it may share.
func TestWhatAServiceIs(t *testing.T) {
	t.Parallel()
	created := metav1.NewTime(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web", UID: "1", CreationTimestamp: created, DeletionTimestamp: &created,
			Labels: map[string]string{"tier": "front"},
			Annotations: map[string]string{
				"herald.network/addresses": "192.168.3.180", "herald.network/pool": "public", "herald.network/shared-address": "a",
			},
		},
		Spec: corev1.ServiceSpec{
			Type:                  corev1.ServiceTypeLoadBalancer,
			IPFamilies:            []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol},
			IPFamilyPolicy:        new(corev1.IPFamilyPolicyPreferDualStack),
			ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal,
			Selector:              map[string]string{"b": "2", "a": "1"},
			Ports:                 []corev1.ServicePort{{Port: 80}, {Protocol: corev1.ProtocolUDP, Port: 65535}},
		},
	}
	want := ipam.Service{
		Key: advertise.ServiceKey{Namespace: "shop", Name: "web"}, UID: types.UID("1"), Created: created.Time, Deleting: true,
		Wants: advertise.LoadBalancerIP, Families: []bgp.Family{bgp.IPv6, bgp.IPv4}, Policy: ipam.PreferAll,
		Labels: map[string]string{"tier": "front"},
		Request: ipam.Request{
			Addresses: []netip.Addr{netip.MustParseAddr("192.168.3.180")}, Pool: "public", SharingKey: "a",
		},
		Ports:    []ipam.Port{{Protocol: "TCP", Number: 80}, {Protocol: "UDP", Number: 65535}},
		Backends: ipam.Backends{Policy: advertise.Local, Selector: "a=1,b=2"},
	}
	claims := kubeobject.Claims{DefaultLoadBalancer: true}
	if diff := cmp.Diff(want, claims.Of(service), sameAddresses); diff != "" {
		t.Errorf("a Service (-want +got):\n%s", diff)
	}

	service.Spec.ExternalTrafficPolicy, service.Spec.Selector = corev1.ServiceExternalTrafficPolicyCluster, nil
	service.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack)
	want.Backends, want.Policy = ipam.Backends{Policy: advertise.Cluster}, ipam.RequireAll
	if diff := cmp.Diff(want, claims.Of(service), sameAddresses); diff != "" {
		t.Errorf("a Service without a selector (-want +got):\n%s", diff)
	}

	// The deprecated field counts for load balancers only: it is left behind where the type changes.
	service.Annotations, service.Spec.LoadBalancerIP = map[string]string{"herald.network/assign-external-ip": "true"}, "192.168.3.9"
	if got := claims.Of(service).Request.Addresses; len(got) != 1 {
		t.Errorf("spec.loadBalancerIP of a load balancer asks for %v", got)
	}
	service.Spec.Type = corev1.ServiceTypeClusterIP
	if got := claims.Of(service).Request.Addresses; len(got) != 0 {
		t.Errorf("spec.loadBalancerIP of another Service asks for %v", got)
	}
}

// TestWhatAServiceHas: whose the addresses of a Service are.
func TestWhatAServiceHas(t *testing.T) {
	t.Parallel()
	const (
		mark4, mark6 = "192.168.4.1 from ExternalIPPool public", "2001:db8:4::1 from ExternalIPPool public"
		ask          = "herald.network/assign-external-ip"
		assigned     = "herald.network/assigned"
	)
	type has struct {
		Assigned       []advertise.Address
		Former, Others []netip.Addr
		Elsewhere      bgp.Families
	}
	lb := func(text string) advertise.Address {
		return advertise.Address{Addr: netip.MustParseAddr(text), Kind: advertise.LoadBalancerIP}
	}
	ext := func(text string) advertise.Address {
		return advertise.Address{Addr: netip.MustParseAddr(text), Kind: advertise.ExternalIP}
	}
	ip := func(text string) corev1.LoadBalancerIngress {
		return corev1.LoadBalancerIngress{IP: text, IPMode: new(corev1.LoadBalancerIPModeVIP)}
	}
	v4, v6 := bgp.FamiliesOf(bgp.IPv4), bgp.FamiliesOf(bgp.IPv6)
	proxy := corev1.LoadBalancerIngress{IP: "203.0.113.1", IPMode: new(corev1.LoadBalancerIPModeProxy)}
	for sentence, row := range map[string]struct {
		service *corev1.Service
		want    has
	}{
		"marked ingresses are Herald's": {
			balanced(ingresses(ip("192.168.4.1"), ip("2001:db8:4::1")), marked(mark4+", "+mark6+"; more to say")),
			has{Assigned: []advertise.Address{lb("192.168.4.1"), lb("2001:db8:4::1")}},
		},
		"an ingress without a mark is somebody else's, with its family": {
			balanced(ingresses(ip("192.168.4.1"), ip("2001:db8:4::9")), marked(mark4)),
			has{
				Assigned: []advertise.Address{lb("192.168.4.1")}, Others: addresses("2001:db8:4::9"), Elsewhere: v6,
			},
		},
		"the ingress of a proxy is somebody else's as well": {
			balanced(ingresses(proxy)), has{Others: addresses("203.0.113.1"), Elsewhere: v4},
		},
		"a host name is somebody else's, and serves all families": {
			balanced(ingresses(corev1.LoadBalancerIngress{Hostname: "lb.example.org"})), has{Elsewhere: v4 | v6},
		},
		"a host name beside an address adds nothing": {
			balanced(ingresses(corev1.LoadBalancerIngress{IP: "192.168.4.1", Hostname: "lb.example.org"}), marked(mark4)),
			has{Assigned: []advertise.Address{lb("192.168.4.1")}},
		},
		"a mark without the address gives it back, and no more": {
			balanced(marked(mark4)), has{Former: addresses("192.168.4.1")},
		},
		"another condition marks nothing": {
			balanced(ingresses(ip("192.168.4.99")), marked("the Service waits")),
			has{Others: addresses("192.168.4.99"), Elsewhere: v4},
		},
		"external IPs are Herald's where marked, of others where not": {
			plain(annotated(ask, "true"), annotated(assigned, "192.168.3.1"), external("192.168.3.1", "192.168.3.2")),
			has{Assigned: []advertise.Address{ext("192.168.3.1")}, Others: addresses("192.168.3.2")},
		},
		"external IPs are read however they are written": {
			plain(external("192.168.003.010", "::ffff:192.168.3.11", "192.168.3.10", "nonsense")),
			has{Others: addresses("192.168.3.10", "192.168.3.11")},
		},
		"a condition does not mark external IPs, nor the annotation an ingress": {
			balanced(annotated(assigned, "192.168.4.1"), ingresses(ip("192.168.4.1")), marked(mark6), external("2001:db8:4::1")),
			has{
				Former: addresses("2001:db8:4::1"), Others: addresses("192.168.4.1", "2001:db8:4::1"), Elsewhere: v4,
			},
		},
		"a load balancer that had an external IP has it until it is taken away": {
			balanced(annotated(assigned, "192.168.3.1,192.168.3.2"), external("192.168.3.1")),
			has{Assigned: []advertise.Address{ext("192.168.3.1")}},
		},
		"a cluster IP that was a load balancer does not get its address back as an external one": {
			plain(annotated(ask, "true"), marked(mark4)), has{},
		},
		"all marks of a Service that wants nothing are to go": {
			plain(annotated(assigned, "192.168.3.1,192.168.3.2"), external("192.168.3.1"), marked(mark4)),
			has{Assigned: []advertise.Address{ext("192.168.3.1")}, Former: addresses("192.168.4.1", "192.168.3.2")},
		},
		"a Service of another class has given nothing back yet": {
			balanced(class("example.org/lb"), ingresses(ip("192.168.4.1")), marked(mark4)),
			has{Assigned: []advertise.Address{lb("192.168.4.1")}},
		},
		"an address that is marked and written by hand is counted once": {
			balanced(ingresses(ip("192.168.4.1")), marked(mark4), external("192.168.4.1")),
			has{Assigned: []advertise.Address{lb("192.168.4.1")}},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := kubeobject.Claims{DefaultLoadBalancer: true}.Of(row.service)
			got := has{Assigned: s.Assigned, Former: s.Former, Others: s.Others, Elsewhere: s.Elsewhere}
			if diff := cmp.Diff(row.want, got, sameAddresses); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}

	left := kubeobject.Claims{}.Of(balanced(
		ingresses(ip("192.168.4.1")), marked(mark4), external("192.168.3.1"), annotated(assigned, "192.168.3.1,192.168.3.2")))
	got := has{Assigned: left.Assigned, Former: left.Former, Others: left.Others, Elsewhere: left.Elsewhere}
	if diff := cmp.Diff(has{Others: addresses("192.168.4.1", "192.168.3.1"), Elsewhere: v4}, got, sameAddresses); diff != "" {
		t.Errorf("a classless Service that is not Herald's is left alone (-want +got):\n%s", diff)
	}
}

var sameAddresses = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

func addresses(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}
