package controllers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/core/wording"
	"github.com/herald-network/herald/internal/metrics"
)

// maxRefusal is how much of the API server's answer a condition repeats, in bytes.
const maxRefusal = 1024

// matter is a Service with what was decided on it.
type matter struct {
	object   *corev1.Service
	service  ipam.Service
	decision ipam.Decision
	// refused is why the API server would not have addresses in spec.externalIPs; "" where it was not asked, or would.
	refused string
}

// write is one write of a Service.
type write struct {
	// kind is the value of the label kind in metrics.
	kind string
	// patch is a merge patch, which holds for the version of the Service that it was made from and for no other. It is of the
	// status, or else of the Service.
	patch    []byte
	ofStatus bool
	// gained and lost are the addresses that the Service gets and gives up by it.
	gained []ipam.Assignment
	lost   []advertise.Address
	// failure is why the Service came to wait, where it did so by now and the write says it.
	failure *failure
}

// failure is why a Service does not have what it asks for.
type failure struct {
	reason  v1alpha1.ConditionReason
	message string
}

// next returns the next write that a Service needs; nil where it has all that it is to have, and nothing else of Herald's.
//
// The write that gives the address comes first: in most cases it is the only one.
func (m *matter) next(now time.Time) (*write, error) {
	order := []func(time.Time) (*write, error){m.writeService, m.writeStatus}
	if m.service.Wants == advertise.LoadBalancerIP {
		slices.Reverse(order)
	}
	for _, of := range order {
		if w, err := of(now); w != nil || err != nil {
			return w, err
		}
	}
	return nil, nil //nolint:nilnil // There is nothing to write, which is no error.
}

// writeService returns the write of spec.externalIPs and its mark, in one.
func (m *matter) writeService(time.Time) (*write, error) {
	w := &write{kind: metrics.KindExternalIP}
	w.gained, w.lost = m.differences(advertise.ExternalIP)
	if m.refused != "" && len(w.gained) > 0 {
		return nil, nil //nolint:nilnil // It would be refused again.
	}
	wanted := m.assigned(advertise.ExternalIP)
	was, hasMark := m.object.Annotations[v1alpha1.AnnotationAssigned]
	marked := ipam.ParseMarkAnnotation(was)
	var addresses []string
	for _, text := range m.object.Spec.ExternalIPs {
		address, ok := advertise.ParseAddress(text)
		if ok && slices.Contains(marked, address) && !has(wanted, address) {
			continue
		}
		addresses = append(addresses, text)
	}
	for _, a := range wanted {
		isThere := func(text string) bool { address, ok := advertise.ParseAddress(text); return ok && address == a.Address }
		if !slices.ContainsFunc(addresses, isThere) {
			addresses = append(addresses, a.Address.String())
		}
	}
	mark := ipam.MarkAnnotation(wanted)
	if slices.Equal(addresses, m.object.Spec.ExternalIPs) && mark == was && (mark != "") == hasMark {
		return nil, nil //nolint:nilnil // It is as it should be.
	}
	return w.of(m.object, map[string]any{"annotations": map[string]any{v1alpha1.AnnotationAssigned: orNull(mark)}},
		"spec", map[string]any{"externalIPs": addresses})
}

// writeStatus returns the write of the addresses and of the condition, which is their mark, in one.
func (m *matter) writeStatus(now time.Time) (*write, error) {
	w := &write{kind: metrics.KindCondition, ofStatus: true}
	status := map[string]any{}
	if ingress := m.ingress(); !sameIngress(ingress, m.object.Status.LoadBalancer.Ingress) {
		w.kind = metrics.KindLoadBalancerIP
		w.gained, w.lost = m.differences(advertise.LoadBalancerIP)
		status["loadBalancer"] = map[string]any{"ingress": ingress}
	}
	if was, is := conditionOf(m.object), m.condition(); !saysTheSame(was, is) {
		status["conditions"] = m.conditions(was, is, now)
		w.failure = m.failed(was, is)
	}
	if len(status) == 0 {
		return nil, nil //nolint:nilnil // It is as it should be.
	}
	return w.of(m.object, map[string]any{}, "status", status)
}

// of completes a write with its patch.
func (w *write) of(object *corev1.Service, metadata map[string]any, part string, content map[string]any) (*write, error) {
	metadata["resourceVersion"] = object.ResourceVersion
	patch, err := json.Marshal(map[string]any{"metadata": metadata, part: content})
	if err != nil {
		return nil, fmt.Errorf("write %s of Service %s: %w", part, keyOf(object), err)
	}
	w.patch = patch
	return w, nil
}

// assigned returns the addresses of a kind that the Service is to have.
func (m *matter) assigned(kind advertise.Kind) []ipam.Assignment {
	var of []ipam.Assignment
	for _, a := range m.decision.Assigned {
		if a.Kind == kind {
			of = append(of, a)
		}
	}
	return of
}

// differences returns the addresses of a kind that the Service is to get, and those that it is to give up.
func (m *matter) differences(kind advertise.Kind) (gained []ipam.Assignment, lost []advertise.Address) {
	wanted := m.assigned(kind)
	for _, a := range wanted {
		if !slices.Contains(m.service.Assigned, advertise.Address{Addr: a.Address, Kind: kind}) {
			gained = append(gained, a)
		}
	}
	for _, a := range m.service.Assigned {
		if a.Kind == kind && !has(wanted, a.Addr) {
			lost = append(lost, a)
		}
	}
	return gained, lost
}

// ingress returns the ingress that the Service is to have: what others put there, as it is, then Herald's.
func (m *matter) ingress() []corev1.LoadBalancerIngress {
	wanted := m.assigned(advertise.LoadBalancerIP)
	var marked []netip.Addr
	if condition := conditionOf(m.object); condition != nil {
		marked = ipam.ParseMarkMessage(condition.Message)
	}
	ingress := []corev1.LoadBalancerIngress{}
	for _, i := range m.object.Status.LoadBalancer.Ingress {
		address, ok := advertise.ParseAddress(i.IP)
		if !ok || !slices.Contains(marked, address) && !has(wanted, address) {
			ingress = append(ingress, i)
		}
	}
	for _, a := range wanted {
		ingress = append(ingress, corev1.LoadBalancerIngress{IP: a.Address.String(), IPMode: new(corev1.LoadBalancerIPModeVIP)})
	}
	return ingress
}

// sameIngress reports whether two lists have the same entries, in whatever order.
func sameIngress(a, b []corev1.LoadBalancerIngress) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(i corev1.LoadBalancerIngress) bool {
		return !slices.ContainsFunc(b, func(j corev1.LoadBalancerIngress) bool { return equality.Semantic.DeepEqual(i, j) })
	})
}

// condition returns the condition AddressAssigned that the Service is to have; nil for none. A Service whose address is in
// spec.externalIPs has one only once it has waited.
func (m *matter) condition() *metav1.Condition {
	d, external := &m.decision, m.service.Wants == advertise.ExternalIP
	is := &metav1.Condition{
		Type: v1alpha1.ConditionAddressAssigned, Status: metav1.ConditionFalse, ObservedGeneration: m.object.Generation,
		Reason: string(d.Reason), Message: d.Message,
	}
	switch {
	case m.service.Wants == 0:
		return nil
	case external && m.refused != "":
		is.Reason = string(v1alpha1.ReasonExternalIPsRefused)
		is.Message = fmt.Sprintf("the API server refuses to have %s in spec.externalIPs: %s; allow external IPs in the cluster, "+
			"or make this a Service of type LoadBalancer", addressesOf(d.Assigned), wording.Cut(m.refused, maxRefusal))
	case d.Reason != "" && !external:
		is.Message = ipam.MarkMessage(m.assigned(advertise.LoadBalancerIP), d.Message)
	case d.Reason != "":
	case len(d.Assigned) == 0, external && conditionOf(m.object) == nil:
		return nil
	case external:
		is.Status, is.Reason = metav1.ConditionTrue, string(v1alpha1.ReasonAssigned)
		is.Message = "spec.externalIPs has " + ipam.MarkMessage(d.Assigned, d.Message)
	default:
		is.Status, is.Reason = metav1.ConditionTrue, string(v1alpha1.ReasonAssigned)
		is.Message = ipam.MarkMessage(d.Assigned, d.Message)
	}
	return is
}

func saysTheSame(a, b *metav1.Condition) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Status == b.Status && a.Reason == b.Reason && a.Message == b.Message
}

// conditions returns all conditions that the Service is to have: others' as they are.
func (m *matter) conditions(was, is *metav1.Condition, now time.Time) []metav1.Condition {
	conditions := []metav1.Condition{}
	for _, c := range m.object.Status.Conditions {
		if c.Type != v1alpha1.ConditionAddressAssigned {
			conditions = append(conditions, c)
		}
	}
	if is == nil {
		return conditions
	}
	is.LastTransitionTime = metav1.NewTime(now)
	if was != nil && was.Status == is.Status {
		is.LastTransitionTime = was.LastTransitionTime
	}
	return append(conditions, *is)
}

// failed returns why the Service came to wait; nil where it does not, or where its condition said so already.
func (m *matter) failed(was, is *metav1.Condition) *failure {
	if is == nil || is.Status == metav1.ConditionTrue || was != nil && was.Reason == is.Reason {
		return nil
	}
	f := &failure{reason: v1alpha1.ConditionReason(is.Reason), message: is.Message}
	if m.refused == "" {
		f.message = m.decision.Message
	}
	return f
}

func has(assigned []ipam.Assignment, address netip.Addr) bool {
	return slices.ContainsFunc(assigned, func(a ipam.Assignment) bool { return a.Address == address })
}

func addressesOf(assigned []ipam.Assignment) string {
	texts := make([]string, len(assigned))
	for i, a := range assigned {
		texts[i] = a.Address.String()
	}
	return strings.Join(texts, " and ")
}

// orNull returns what stands for a text in a merge patch: null takes the key out.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
