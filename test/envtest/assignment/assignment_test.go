package assignment_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

func TestAssignment(t *testing.T) {
	c := newCluster(t)
	for name, tell := range map[string]func(*story){
		"load-balancers":  aLoadBalancer,
		"external-ips":    anAnnotatedService,
		"dual-stack":      families,
		"types":           aServiceThatChangesItsType,
		"classes":         aServiceThatChangesItsClass,
		"requests":        aRequestThatChanges,
		"pool-edits":      aPoolThatShrinks,
		"pool-deletion":   aPoolThatIsDeleted,
		"namespaces":      aNamespaceThatChangesItsLabels,
		"people":          peopleWhoEdit,
		"foreign-ingress": aForeignIngress,
		"rest":            deletionThenRestThenTheNext,
		"waiting":         thoseThatWait,
	} {
		t.Run(name, func(t *testing.T) { tell(c.story(t, name)) })
	}
	t.Run("restart", func(t *testing.T) { aManagerThatRestarts(c.story(t, "restart")) })
}

func aLoadBalancer(s *story) {
	s.pool("", "192.168.10.0/24")
	s.service("web", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("web")).Should(Equal("192.168.10.0"))
	web := s.get("web")
	s.Expect(web.Status.LoadBalancer.Ingress[0].IPMode).To(HaveValue(Equal(corev1.LoadBalancerIPModeVIP)))
	s.Expect(s.says("web")()).To(Equal("True Assigned: 192.168.10.0 from ExternalIPPool load-balancers"))
	s.Expect(s.poolIs("")()).To(Equal(v1alpha1.PoolFinalizer))
	s.Eventually(func() string {
		return s.server.MustKubectl(s.T, "", "-n", s.namespace, "get", "events", "--field-selector", "reason=Assigned", "-o", "jsonpath={.items[*].message}")
	}).Should(Equal("192.168.10.0 from ExternalIPPool load-balancers"))

	// What it costs: one write for each Service, and no read.
	const more = 20
	for i := range more {
		s.service(fmt.Sprintf("more-%d", i), corev1.ServiceTypeLoadBalancer)
	}
	for i := range more {
		s.Eventually(s.has(fmt.Sprintf("more-%d", i))).ShouldNot(BeEmpty())
	}
	s.Expect(s.requests.about("/namespaces/" + s.namespace + "/services")).To(HaveLen(more + 1))
	s.Eventually(s.columns("")).Should(Equal("192.168.10.0/24 21 235"))
}

func anAnnotatedService(s *story) {
	s.pool("", "192.168.11.0/24")
	s.service("web", corev1.ServiceTypeClusterIP, asks(v1alpha1.AnnotationAssignExternalIP, "true"), func(web *corev1.Service) {
		web.Spec.ExternalIPs = []string{"172.16.0.1"}
	})
	s.Eventually(s.has("web")).Should(Equal("external 172.16.0.1 external 192.168.11.0"))
	s.Expect(s.get("web").Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationAssigned, "192.168.11.0"))
	s.Expect(s.says("web")()).To(BeEmpty())
	s.Expect(s.writes("web")).To(HaveLen(1))

	s.edit("web", asks(v1alpha1.AnnotationAssignExternalIP, "false"))
	s.Eventually(s.has("web")).Should(Equal("external 172.16.0.1"))
	s.Expect(s.get("web").Annotations).NotTo(HaveKey(v1alpha1.AnnotationAssigned))

	s.edit("web", asks(v1alpha1.AnnotationAssignExternalIP, "yes"))
	s.Eventually(s.says("web")).Should(And(HavePrefix("False InvalidRequest: "), ContainSubstring(`"yes"`)))
	s.edit("web", asks(v1alpha1.AnnotationAssignExternalIP, "true"))
	s.Eventually(s.says("web")).Should(HavePrefix("True Assigned: "))
}

func families(s *story) {
	s.pool("", "192.168.12.0/24", "2001:db8:3:12::/64")
	s.service("web", corev1.ServiceTypeLoadBalancer, dualStack(corev1.IPFamilyPolicyPreferDualStack))
	s.Eventually(s.has("web")).Should(Equal("192.168.12.0 2001:db8:3:12::"))
	s.edit("web", func(web *corev1.Service) {
		web.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicySingleStack)
		web.Spec.IPFamilies, web.Spec.ClusterIPs = web.Spec.IPFamilies[:1], web.Spec.ClusterIPs[:1]
	})
	s.Eventually(s.has("web")).Should(Equal("192.168.12.0"))
	s.edit("web", dualStack(corev1.IPFamilyPolicyRequireDualStack))
	s.Eventually(s.has("web")).Should(HavePrefix("192.168.12.0 2001:db8:3:12::"))
	s.Expect(s.says("web")()).To(HavePrefix("True Assigned: 192.168.12.0 from ExternalIPPool dual-stack, 2001:db8:3:12::"))
}

func aServiceThatChangesItsType(s *story) {
	s.pool("", "192.168.13.0/24")
	s.service("web", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("web")).Should(Equal("192.168.13.0"))
	s.edit("web", func(web *corev1.Service) { web.Spec.Type = corev1.ServiceTypeClusterIP })
	s.Eventually(s.says("web")).Should(BeEmpty())
	s.Eventually(s.has("web")).Should(BeEmpty())

	s.edit("web", asks(v1alpha1.AnnotationAssignExternalIP, "true"))
	s.Eventually(s.has("web")).Should(HavePrefix("external 192.168.13."))
	s.edit("web", func(web *corev1.Service) { web.Spec.Type = corev1.ServiceTypeLoadBalancer })
	s.Eventually(s.has("web")).Should(MatchRegexp(`^192\.168\.13\.\d+$`))
	s.Expect(s.get("web").Annotations).NotTo(HaveKey(v1alpha1.AnnotationAssigned))
	s.Expect(s.says("web")()).To(HavePrefix("True Assigned: "))

	s.edit("web", func(web *corev1.Service) { web.Spec.Type = corev1.ServiceTypeNodePort })
	s.Eventually(s.has("web")).Should(MatchRegexp(`^external 192\.168\.13\.\d+$`))
	s.Eventually(s.says("web")).Should(HavePrefix("True Assigned: spec.externalIPs has 192.168.13."))
}

func aServiceThatChangesItsClass(s *story) {
	s.pool("", "192.168.14.0/24")
	const other = "example.org/other"
	s.service("web", corev1.ServiceTypeLoadBalancer, func(web *corev1.Service) { web.Spec.LoadBalancerClass = new(other) })
	s.service("shop", corev1.ServiceTypeLoadBalancer, func(shop *corev1.Service) { shop.Spec.LoadBalancerClass = new(v1alpha1.LoadBalancerClass) })
	s.Eventually(s.has("shop")).Should(Equal("192.168.14.0"))
	s.Expect(s.has("web")()).To(BeEmpty())
	s.Expect(s.writes("web")).To(BeEmpty())
	// The API server takes a class away with the type only.
	class := func(class string) {
		s.edit("shop", func(shop *corev1.Service) {
			shop.Spec.Type, shop.Spec.LoadBalancerClass = corev1.ServiceTypeClusterIP, nil
		})
		s.edit("shop", func(shop *corev1.Service) {
			shop.Spec.Type, shop.Spec.LoadBalancerClass = corev1.ServiceTypeLoadBalancer, &class
		})
	}
	class(other)
	s.Eventually(s.says("shop")).Should(BeEmpty())
	s.Expect(s.has("shop")()).To(BeEmpty())
	class(v1alpha1.LoadBalancerClass)
	s.Eventually(s.has("shop")).Should(HavePrefix("192.168.14."))
}

func aRequestThatChanges(s *story) {
	s.pool("", "192.168.15.0/24")
	s.pool("-other", "192.168.115.0/24")
	s.service("web", corev1.ServiceTypeLoadBalancer, asks(v1alpha1.AnnotationAddresses, "192.168.15.80"))
	s.Eventually(s.has("web")).Should(Equal("192.168.15.80"))
	s.edit("web", asks(v1alpha1.AnnotationAddresses, "192.168.15.81"))
	s.Eventually(s.has("web")).Should(Equal("192.168.15.81"))
	s.service("shop", corev1.ServiceTypeLoadBalancer, asks(v1alpha1.AnnotationAddresses, "192.168.15.81"))
	s.Eventually(s.says("shop")).Should(And(HavePrefix("False AddressInUse: "), ContainSubstring("requests/web")))

	// What can't be had takes nothing away.
	s.edit("web", asks(v1alpha1.AnnotationAddresses, "192.168.99.1"))
	s.Eventually(s.says("web")).Should(HavePrefix("False AddressNotInPool: 192.168.15.81 from ExternalIPPool requests; "))
	s.Expect(s.has("web")()).To(Equal("192.168.15.81"))

	s.edit("web", func(web *corev1.Service) {
		delete(web.Annotations, v1alpha1.AnnotationAddresses)
		web.Annotations[v1alpha1.AnnotationPool] = "requests-other"
	})
	s.Eventually(s.has("web")).Should(Equal("192.168.115.0"))
	s.Eventually(s.has("shop")).Should(Equal("192.168.15.81"))
}

func aPoolThatShrinks(s *story) {
	s.pool("", "192.168.16.1-192.168.16.2")
	s.service("web", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("web")).Should(Equal("192.168.16.1"))
	s.service("shop", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("shop")).Should(Equal("192.168.16.2"))
	s.editPool("", func(p *v1alpha1.ExternalIPPool) {
		p.Spec.Addresses = []v1alpha1.AddressRange{"192.168.16.2-192.168.16.3"}
	})
	s.Eventually(s.has("web")).Should(Equal("192.168.16.3"))
	s.Expect(s.has("shop")()).To(Equal("192.168.16.2"))
	s.editPool("", func(p *v1alpha1.ExternalIPPool) { p.Spec.Addresses = []v1alpha1.AddressRange{"192.168.16.2"} })
	s.Eventually(s.says("web")).Should(HavePrefix("False "))
	s.Eventually(s.has("web")).Should(BeEmpty())
	s.editPool("", func(p *v1alpha1.ExternalIPPool) {
		p.Spec.Addresses = []v1alpha1.AddressRange{"192.168.16.2", "192.168.16.9"}
	})
	s.Eventually(s.has("web"), time.Second).Should(Equal("192.168.16.9"))
}

func aPoolThatIsDeleted(s *story) {
	s.pool("", "192.168.17.0/24")
	s.service("web", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("web")).Should(Equal("192.168.17.0"))
	s.Expect(s.client.Delete(s.Context(), &v1alpha1.ExternalIPPool{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}})).To(Succeed())
	s.Eventually(s.poolIs("")).Should(Equal(v1alpha1.PoolFinalizer + " deleting"))
	s.Eventually(func() string {
		return s.server.MustKubectl(s.T, "", "get", "externalippool", s.namespace, "-o", `jsonpath={.status.conditions[?(@.type=="Released")].message}`)
	}).Should(ContainSubstring("pool-deletion/web"))
	s.service("shop", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.says("shop")).Should(HavePrefix("False NoMatchingPool: "))
	s.Expect(s.has("web")()).To(Equal("192.168.17.0"))

	s.pool("-next", "192.168.117.0/24")
	s.Eventually(s.has("shop"), time.Second).Should(Equal("192.168.117.0"))
	s.edit("web", asks(v1alpha1.AnnotationPool, "pool-deletion-next"))
	s.Eventually(s.has("web")).Should(Equal("192.168.117.1"))
	s.Eventually(s.poolIs("")).Should(Equal("gone"))
}

func aNamespaceThatChangesItsLabels(s *story) {
	pool := &v1alpha1.ExternalIPPool{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	pool.Spec.Addresses = []v1alpha1.AddressRange{"192.168.18.0/24"}
	pool.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}
	s.Expect(s.client.Create(s.Context(), pool)).To(Succeed())
	s.service("web", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.says("web")).Should(HavePrefix("False NoMatchingPool: "))
	label := func(team string) {
		namespace := &corev1.Namespace{}
		s.Expect(s.client.Get(s.Context(), client.ObjectKey{Name: s.namespace}, namespace)).To(Succeed())
		namespace.Labels["team"] = team
		s.Expect(s.client.Update(s.Context(), namespace)).To(Succeed())
	}
	label("a")
	s.Eventually(s.has("web")).Should(Equal("192.168.18.0"))
	label("b")
	s.service("shop", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.says("shop")).Should(HavePrefix("False NoMatchingPool: "))
	s.Expect(s.has("web")()).To(Equal("192.168.18.0"))
}

func peopleWhoEdit(s *story) {
	s.pool("", "192.168.19.0/24")
	s.service("web", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("web")).Should(Equal("192.168.19.0"))
	s.editStatus("web", func(status *corev1.ServiceStatus) { status.LoadBalancer.Ingress = nil })
	s.Eventually(s.has("web")).Should(Equal("192.168.19.0"))
	s.editStatus("web", func(status *corev1.ServiceStatus) {
		status.Conditions[0].Status, status.Conditions[0].Reason = metav1.ConditionFalse, "Whatever"
	})
	s.Eventually(s.says("web")).Should(Equal("True Assigned: 192.168.19.0 from ExternalIPPool people"))

	// A mark is the only record: an address without one is nobody's to take.
	s.editStatus("web", func(status *corev1.ServiceStatus) { status.Conditions = nil })
	s.service("shop", corev1.ServiceTypeClusterIP, asks(v1alpha1.AnnotationAssignExternalIP, "true"))
	s.Eventually(s.has("shop")).Should(Equal("external 192.168.19.1"))
	s.Expect(s.has("web")()).To(Equal("192.168.19.0"))

	s.edit("shop", func(shop *corev1.Service) { shop.Spec.ExternalIPs = nil })
	s.Eventually(s.has("shop")).Should(Equal("external 192.168.19.1"))
	s.edit("shop", func(shop *corev1.Service) { delete(shop.Annotations, v1alpha1.AnnotationAssigned) })
	s.Eventually(s.has("shop")).Should(Equal("external 192.168.19.1 external 192.168.19.2"))
}

func aForeignIngress(s *story) {
	s.pool("", "192.168.20.0/24")
	s.service("web", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("web")).Should(Equal("192.168.20.0"))
	s.editStatus("web", func(status *corev1.ServiceStatus) {
		status.LoadBalancer.Ingress = append([]corev1.LoadBalancerIngress{{IP: "172.16.0.1", IPMode: new(corev1.LoadBalancerIPModeProxy)}}, status.LoadBalancer.Ingress...)
	})
	s.edit("web", func(web *corev1.Service) { web.Spec.LoadBalancerSourceRanges = []string{"10.0.0.0/8"} })
	s.service("next", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("next")).Should(HavePrefix("192.168.20."))
	s.Expect(s.get("web").Status.LoadBalancer.Ingress[0].IPMode).To(HaveValue(Equal(corev1.LoadBalancerIPModeProxy)))
	s.Expect(s.has("web")()).To(Equal("172.16.0.1 192.168.20.0"))

	// A hostname serves all families: there is nothing left to do.
	s.service("elsewhere", corev1.ServiceTypeLoadBalancer, asks(v1alpha1.AnnotationPool, "none"))
	s.Eventually(s.says("elsewhere")).Should(HavePrefix("False NoMatchingPool: "))
	s.editStatus("elsewhere", func(status *corev1.ServiceStatus) {
		status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "lb.example.org"}}
	})
	s.Eventually(s.says("elsewhere")).Should(BeEmpty())
	s.Expect(s.has("elsewhere")()).To(Equal("lb.example.org"))
}

func deletionThenRestThenTheNext(s *story) {
	s.pool("", "192.168.21.1-192.168.21.2")
	s.service("first", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("first")).Should(Equal("192.168.21.1"))
	s.delete("first")
	s.service("second", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("second")).Should(Equal("192.168.21.2"))
	deleted := time.Now()
	s.service("third", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.has("third")).Should(Equal("192.168.21.1"))
	s.Expect(time.Since(deleted)).To(BeNumerically("<", 2*time.Second), "one second is enough where nothing else is free")
}

func thoseThatWait(s *story) {
	s.service("old", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.says("old")).Should(HavePrefix("False NoMatchingPool: "))
	s.Eventually(func() error { // Creation times are whole seconds.
		if old := s.get("old").CreationTimestamp; time.Since(old.Time) < time.Second {
			return errNotYet
		}
		return nil
	}).Should(Succeed())
	s.service("young", corev1.ServiceTypeLoadBalancer)
	s.Eventually(s.says("young")).Should(HavePrefix("False NoMatchingPool: "))
	s.pool("", "192.168.22.7")
	s.Eventually(s.has("old"), time.Second).Should(Equal("192.168.22.7"))
	s.Eventually(s.says("young")).Should(HavePrefix("False PoolExhausted: "))
	s.delete("old")
	s.Eventually(s.has("young"), 2500*time.Millisecond).Should(Equal("192.168.22.7"))
}

// A new leader finds everything as it was, and writes nothing.
func aManagerThatRestarts(s *story) {
	s.pool("", "192.168.23.1-192.168.23.3")
	s.service("web", corev1.ServiceTypeLoadBalancer)
	s.service("external", corev1.ServiceTypeClusterIP, asks(v1alpha1.AnnotationAssignExternalIP, "true"))
	s.Eventually(s.has("web")).ShouldNot(BeEmpty())
	s.Eventually(s.has("external")).ShouldNot(BeEmpty())
	before := s.everything()
	s.stop()
	s.service("meanwhile", corev1.ServiceTypeLoadBalancer)
	s.start()
	s.Eventually(s.has("meanwhile")).Should(Equal("192.168.23.3"))
	after := s.everything()
	delete(after, "restart/meanwhile")
	s.Expect(after).To(Equal(before))
}

// everything returns the resource version of each Service.
func (s *story) everything() map[string]string {
	s.Helper()
	var services corev1.ServiceList
	s.Expect(s.client.List(s.Context(), &services)).To(Succeed())
	versions := map[string]string{}
	for _, service := range services.Items {
		versions[service.Namespace+"/"+service.Name] = service.ResourceVersion
	}
	return versions
}
