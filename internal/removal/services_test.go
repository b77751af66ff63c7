package removal

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
)

func marked(annotation string, externalIPs ...string) *corev1.Service {
	s := &corev1.Service{Spec: corev1.ServiceSpec{ExternalIPs: externalIPs}}
	if annotation != "" {
		s.Annotations = map[string]string{v1alpha1.AnnotationAssigned: annotation}
	}
	return s
}

// Only what is marked is Herald's: a person's address stays in either case, however it is written.
func TestAddressesOfExternalIPs(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		service *corev1.Service
		// released are the addresses that stay where Herald's are released; nil where nothing is written at all.
		released []string
	}{
		"none is marked":                       {marked("", "192.168.3.1"), nil},
		"one of two":                           {marked("192.168.3.1", "192.168.9.9", "192.168.3.1"), []string{"192.168.9.9"}},
		"both families, one written at length": {marked("192.168.3.1,2001:db8::1", "2001:db8:0:0:0:0:0:1", "192.168.3.1"), []string{}},
		"a mark of what is gone":               {marked("192.168.3.1", "192.168.9.9"), []string{"192.168.9.9"}},
		"a mark that is none":                  {marked("none", "192.168.9.9"), []string{"192.168.9.9"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			keep, release := Removal{Addresses: Keep}, Removal{Addresses: Release}
			if row.released == nil {
				g.Expect(keep.specChange(row.service)).To(BeNil())
				g.Expect(release.specChange(row.service)).To(BeNil())
				return
			}
			noMark := HaveKeyWithValue("metadata", HaveKeyWithValue("annotations", HaveKeyWithValue(v1alpha1.AnnotationAssigned, BeNil())))
			g.Expect(keep.specChange(row.service)).To(And(noMark, Not(HaveKey("spec"))))
			g.Expect(release.specChange(row.service)).To(And(noMark, HaveKeyWithValue("spec", HaveKeyWithValue("externalIPs", Equal(row.released)))))
		})
	}
}

func TestAddressesOfLoadBalancers(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	theirs := metav1.Condition{Type: "example.com/Other"}
	service := &corev1.Service{Status: corev1.ServiceStatus{
		LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "192.168.4.1"}, {IP: "192.168.9.8"}, {Hostname: "example.com"}}},
		Conditions: []metav1.Condition{
			theirs, {Type: v1alpha1.ConditionAddressAssigned, Message: "192.168.4.1 from ExternalIPPool public; and some words"},
		},
	}}
	keep, release := Removal{Addresses: Keep}, Removal{Addresses: Release}
	g.Expect(keep.statusChange(service)).To(Equal(map[string]any{"status": map[string]any{"conditions": []metav1.Condition{theirs}}}))
	g.Expect(release.statusChange(service)).To(Equal(map[string]any{"status": map[string]any{
		"conditions":   []metav1.Condition{theirs},
		"loadBalancer": map[string]any{"ingress": []corev1.LoadBalancerIngress{{IP: "192.168.9.8"}, {Hostname: "example.com"}}},
	}}))
	g.Expect(service.Status.Conditions).To(HaveLen(2), "what was read is left alone")

	service.Status.Conditions = service.Status.Conditions[:1]
	g.Expect(release.statusChange(service)).To(BeNil())
}

func TestAddressesAreKeptOrReleased(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var addresses Addresses
	g.Expect(addresses.UnmarshalText([]byte("Release"))).To(Succeed())
	g.Expect(addresses).To(Equal(Release))
	g.Expect(addresses.UnmarshalText([]byte("release"))).To(MatchError(`"release": want Keep or Release`))
	g.Expect(addresses).To(Equal(Release))
}
