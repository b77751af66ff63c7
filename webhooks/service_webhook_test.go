package webhooks

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/internal/core/advertise"
)

func service(namespace, name string, change func(*corev1.Service)) corev1.Service {
	s := corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
	change(&s)
	return s
}

// Whoever has an address is found by it, however it was written and whatever field it is in.
func TestOwnersAreFoundByAddress(t *testing.T) {
	proxy := corev1.LoadBalancerIPModeProxy
	w := &world{services: []corev1.Service{
		service("a", "cluster", func(s *corev1.Service) { s.Spec.ClusterIPs = []string{"10.49.0.1", "2001:db8::1"} }),
		service("a", "headless", func(s *corev1.Service) { s.Spec.ClusterIPs = []string{corev1.ClusterIPNone} }),
		service("b", "external", func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"192.168.003.180", "2001:DB8:0::2"} }),
		service("b", "mapped", func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"::ffff:192.168.3.180"} }),
		service("c", "balanced", func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.168.4.1"}, {Hostname: "lb.example.org"}}
		}),
		service("c", "proxied", func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.168.4.2", IPMode: &proxy}}
		}),
	}}
	for address, want := range map[string][]advertise.ServiceKey{
		"10.49.0.1":     {{Namespace: "a", Name: "cluster"}},
		"2001:db8::1":   {{Namespace: "a", Name: "cluster"}},
		"2001:db8::2":   {{Namespace: "b", Name: "external"}},
		"192.168.3.180": {{Namespace: "b", Name: "external"}, {Namespace: "b", Name: "mapped"}},
		"192.168.4.1":   {{Namespace: "c", Name: "balanced"}},
		"192.168.4.2":   {{Namespace: "c", Name: "proxied"}},
		"192.168.4.3":   {},
	} {
		got, err := ownersOf(t.Context(), w, netip.MustParseAddr(address))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("owners of %s (-want +got): %v\n%s", address, err, diff)
		}
	}
	w.broken = errors.New("the cache is not started")
	if owners, err := ownersOf(t.Context(), w, netip.MustParseAddr("10.49.0.1")); !errors.Is(err, w.broken) {
		t.Errorf("an index that can't be read says %v, %v", owners, err)
	}
}

// What a Service asks for is judged in the cluster that the cache has, up to the moment when the Service is gone.
func TestExternalIPsAreJudgedInTheCluster(t *testing.T) {
	webhook := hooks(newScheme(t), crowdedWorld(t).source(), newRegistered(t))[servicePath]
	asking := func(addresses ...string) corev1.Service {
		return service("shop", "web", func(s *corev1.Service) { s.Spec.ExternalIPs = addresses })
	}
	leaving := func(addresses ...string) corev1.Service {
		s := asking(addresses...)
		s.DeletionTimestamp, s.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"example.org/wait"}
		return s
	}
	for name, row := range map[string]struct {
		old, object corev1.Service
		allowed     bool
	}{
		"its own":                      {asking(), asking("192.168.3.190"), true},
		"another's":                    {asking(), asking("192.168.3.180"), false},
		"another's, that it had":       {asking("192.168.3.180"), asking("192.168.3.180", "192.168.3.190"), true},
		"a node's":                     {asking(), asking("192.168.1.11"), false},
		"another's, while it leaves":   {leaving(), leaving("192.168.3.180"), false},
		"nothing more while it leaves": {leaving("192.168.3.180"), leaving("192.168.3.180"), true},
	} {
		answer := send(t, webhook, review(t, admissionv1.Update, &row.old, &row.object))
		if answer.Allowed != row.allowed {
			t.Errorf("%s: the answer is %+v", name, answer.Result)
		}
	}
}

// Whose an address is can't be told without the index: then the Service is let through, and its user told.
func TestAnIndexThatCannotBeReadIsSaid(t *testing.T) {
	w := crowdedWorld(t)
	w.noIndex = errors.New("the index is not there")
	webhook := hooks(newScheme(t), w.source(), newRegistered(t))[servicePath]
	object := service("shop", "web", func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"192.168.3.190"} })
	answer := send(t, webhook, review(t, admissionv1.Create, nil, &object))
	want := []string{`Herald could not check Service "web": look for the Services that have 192.168.3.190: the index is not there; ` +
		"the request was let through unchecked"}
	if diff := cmp.Diff(want, answer.Warnings); diff != "" || !answer.Allowed {
		t.Errorf("allowed is %v, warnings (-want +got):\n%s", answer.Allowed, diff)
	}
}
