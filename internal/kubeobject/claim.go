package kubeobject

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
)

// Claims reads of Services what they ask of Herald, and what they have from it.
type Claims struct {
	// DefaultLoadBalancer says that Services of type LoadBalancer without a class are Herald's. Where they are not, they are
	// left alone, whatever they have.
	DefaultLoadBalancer bool
}

// Of reads a Service.
func (c Claims) Of(s *corev1.Service) ipam.Service {
	service := ipam.Service{
		Key:      advertise.ServiceKey{Namespace: s.Namespace, Name: s.Name},
		UID:      s.UID,
		Created:  s.CreationTimestamp.Time,
		Deleting: s.DeletionTimestamp != nil,
		Families: familiesOf(s),
		Labels:   s.Labels,
		Ports:    portsOf(s),
		Backends: backendsOf(s),
	}
	if p := s.Spec.IPFamilyPolicy; p != nil && *p == corev1.IPFamilyPolicyPreferDualStack {
		service.Policy = ipam.PreferAll
	}
	c.readWish(s, &service)
	var held holdings
	if !c.LeaveAlone(s) {
		held.marks = marksOf(s)
	}
	held.read(s)
	service.Assigned, service.Former = held.assigned, held.former(service.Wants)
	service.Others, service.Elsewhere = held.others, held.elsewhere
	return service
}

// LeaveAlone reports whether a Service is left alone, whatever it has: its class would say whose it is, but it has none.
func (c Claims) LeaveAlone(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerClass == nil && !c.DefaultLoadBalancer
}

// readWish reads what a Service wants, and how.
func (c Claims) readWish(s *corev1.Service, into *ipam.Service) {
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		class := s.Spec.LoadBalancerClass
		if class == nil && c.DefaultLoadBalancer || class != nil && *class == v1alpha1.LoadBalancerClass {
			into.Wants = advertise.LoadBalancerIP
			into.Request = ipam.ParseRequest(s.Annotations, s.Spec.LoadBalancerIP)
		}
		return
	}
	value, annotated := s.Annotations[v1alpha1.AnnotationAssignExternalIP]
	if !annotated || value == "false" {
		return
	}
	into.Wants = advertise.ExternalIP
	into.Request = ipam.ParseRequest(s.Annotations, "")
	if problem := problemWith(value, s); problem != "" {
		into.Request.Problem = problem
	}
}

// problemWith says why a Service can't have an external IP at all, with what would be right; "" where it can.
func problemWith(value string, s *corev1.Service) string {
	switch {
	case value != "true":
		return fmt.Sprintf(`the annotation %s is %q: write "true" for an address in spec.externalIPs, "false" for none`,
			v1alpha1.AnnotationAssignExternalIP, value)
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return fmt.Sprintf("the annotation %s is on a Service of type ExternalName, whose name nodes do not route: "+
			"make it one of type ClusterIP, or remove the annotation", v1alpha1.AnnotationAssignExternalIP)
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		return fmt.Sprintf("the annotation %s is on a headless Service (spec.clusterIP: None), which nodes do not route: "+
			"let it have a cluster IP, or remove the annotation", v1alpha1.AnnotationAssignExternalIP)
	default:
		return ""
	}
}

func familiesOf(s *corev1.Service) []bgp.Family {
	var families []bgp.Family
	for _, family := range s.Spec.IPFamilies {
		switch family {
		case corev1.IPv4Protocol:
			families = append(families, bgp.IPv4)
		case corev1.IPv6Protocol:
			families = append(families, bgp.IPv6)
		default: // Of none that Herald knows.
		}
	}
	return families
}

func portsOf(s *corev1.Service) []ipam.Port {
	var ports []ipam.Port
	for i := range s.Spec.Ports {
		port := &s.Spec.Ports[i]
		protocol := port.Protocol
		if protocol == "" {
			protocol = corev1.ProtocolTCP
		}
		ports = append(ports, ipam.Port{Protocol: string(protocol), Number: uint16(port.Port)})
	}
	return ports
}

func backendsOf(s *corev1.Service) ipam.Backends {
	backends := ipam.Backends{Selector: labels.Set(s.Spec.Selector).String()}
	if s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		backends.Policy = advertise.Local
	}
	return backends
}

// marks are the addresses that Herald says it assigned, by kind.
type marks struct{ external, loadBalancer []netip.Addr }

func marksOf(s *corev1.Service) marks {
	var m marks
	if value := s.Annotations[v1alpha1.AnnotationAssigned]; value != "" {
		m.external = ipam.ParseMarkAnnotation(value)
	}
	if condition := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionAddressAssigned); condition != nil {
		m.loadBalancer = ipam.ParseMarkMessage(condition.Message)
	}
	return m
}

// holdings are the addresses of a Service, with whose they are. Only an address that is both there and marked is Herald's: a
// mark alone is words that anybody may write.
type holdings struct {
	marks     marks
	assigned  []advertise.Address
	others    []netip.Addr
	elsewhere bgp.Families
}

func (h *holdings) read(s *corev1.Service) {
	for i := range s.Status.LoadBalancer.Ingress {
		ingress := &s.Status.LoadBalancer.Ingress[i]
		if ingress.IP == "" && ingress.Hostname != "" {
			h.elsewhere |= bgp.FamiliesOf(bgp.IPv4, bgp.IPv6)
		}
		h.add(ingress.IP, advertise.LoadBalancerIP, h.marks.loadBalancer)
	}
	for _, text := range s.Spec.ExternalIPs {
		h.add(text, advertise.ExternalIP, h.marks.external)
	}
	// What is in both fields is Herald's as long as one of them is.
	h.others = slices.DeleteFunc(h.others, func(other netip.Addr) bool {
		return slices.ContainsFunc(h.assigned, func(held advertise.Address) bool { return held.Addr == other })
	})
}

// add adds an address of a kind, once.
func (h *holdings) add(text string, kind advertise.Kind, marked []netip.Addr) {
	address, ok := advertise.ParseAddress(text)
	if !ok {
		return
	}
	if slices.Contains(marked, address) {
		if held := (advertise.Address{Addr: address, Kind: kind}); !slices.Contains(h.assigned, held) {
			h.assigned = append(h.assigned, held)
		}
		return
	}
	if kind == advertise.LoadBalancerIP {
		h.elsewhere |= bgp.FamiliesOf(bgp.FamilyOf(address))
	}
	if !slices.Contains(h.others, address) {
		h.others = append(h.others, address)
	}
}

// former returns the addresses that marks name and that are not there: of the kind that is wanted, since one of the other kind
// is not to come back, or of any kind where none is wanted, since then all marks are to go.
func (h *holdings) former(wants advertise.Kind) []netip.Addr {
	var former []netip.Addr
	add := func(kind advertise.Kind, marked []netip.Addr) {
		for _, address := range marked {
			there := slices.Contains(h.assigned, advertise.Address{Addr: address, Kind: kind})
			if !there && (wants == 0 || wants == kind) && !slices.Contains(former, address) {
				former = append(former, address)
			}
		}
	}
	add(advertise.LoadBalancerIP, h.marks.loadBalancer)
	add(advertise.ExternalIP, h.marks.external)
	return former
}
