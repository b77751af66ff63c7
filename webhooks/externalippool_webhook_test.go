package webhooks

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/kubeobject"
)

// Whoever edits or deletes a pool is told which Services have addresses from it, and is let do it.
func TestAPoolInUseIsWarnedOf(t *testing.T) {
	pool := &v1alpha1.ExternalIPPool{
		TypeMeta:   metav1.TypeMeta{APIVersion: "herald.network/v1alpha1", Kind: "ExternalIPPool"},
		ObjectMeta: metav1.ObjectMeta{Name: "public", UID: "1", CreationTimestamp: metav1.Unix(1, 0), Finalizers: []string{v1alpha1.PoolFinalizer}},
		Spec:       v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{"192.168.3.0/24"}},
	}
	shrunk := pool.DeepCopy()
	shrunk.Spec.Addresses[0] = "192.168.3.64/26"
	closed := pool.DeepCopy()
	closed.Spec.Assignment = v1alpha1.AssignOnRequest
	leaving := pool.DeepCopy()
	leaving.DeletionTimestamp = new(metav1.Unix(2, 0))

	w := &world{
		pools: []v1alpha1.ExternalIPPool{*pool},
		configurations: []v1alpha1.BGPConfiguration{{
			ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultConfigurationName},
			Spec:       v1alpha1.BGPConfigurationSpec{ServiceExternalIPs: []v1alpha1.Block{{CIDR: "192.168.3.0/24"}}},
		}},
		services: []corev1.Service{
			service("default", "nginx", func(s *corev1.Service) {
				s.Annotations = map[string]string{v1alpha1.AnnotationAssigned: "192.168.3.5"}
				s.Spec.ExternalIPs = []string{"192.168.3.5"}
			}),
			service("default", "by-hand", func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"192.168.3.6"} }),
		},
	}
	const keeps = "the pool stays, and assigns nothing more, while 1 Service has addresses from it: default/nginx"
	const howToMove = "to move a Service to another pool, annotate it with herald.network/pool: NAME of that pool; the condition Released says who is left"
	for name, row := range map[string]struct {
		operation   admissionv1.Operation
		old, object *v1alpha1.ExternalIPPool
		warnings    []string
	}{
		"shrunk": {admissionv1.Update, pool, shrunk, []string{
			"this change takes 192.168.3.5 from Service default/nginx, which gets another address where a pool has one for it, else none",
		}},
		"closed, which takes nothing": {admissionv1.Update, pool, closed, nil},
		"deleted":                     {admissionv1.Delete, pool, nil, []string{keeps, howToMove}},
		"deleted once more":           {admissionv1.Delete, leaving, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			source := w.source()
			source.Claims = kubeobject.Claims{DefaultLoadBalancer: true}
			webhook := hook(newScheme(t), newRegistered(t), newTurns(), pools(source))
			body := review(t, row.operation, row.old, nil)
			if row.object != nil {
				body = review(t, row.operation, row.old, row.object)
			}
			answer := send(t, webhook, body)
			if !answer.Allowed {
				t.Errorf("it is refused: %+v", answer.Result)
			}
			if diff := cmp.Diff(row.warnings, answer.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
