package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

// One write gives a Service its address and says so, and nothing more is written once the cache has it.
func TestALoadBalancerIsAssignedInOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web"))
		s := rig.service("web")
		want := []corev1.LoadBalancerIngress{{IP: "192.168.4.1", IPMode: new(corev1.LoadBalancerIPModeVIP)}}
		if diff := cmp.Diff(want, s.Status.LoadBalancer.Ingress); diff != "" {
			t.Errorf("ingress (-want +got):\n%s", diff)
		}
		if got := rig.condition("web"); got != "True Assigned: 192.168.4.1 from ExternalIPPool public" {
			t.Errorf("the condition is %q", got)
		}
		rig.settle()
		if writes := rig.took(""); len(writes) != 2 || !strings.HasPrefix(writes[0], "object public:") || !strings.HasPrefix(writes[1], "status web:") {
			t.Errorf("written are the pool's finalizer first, then the Service, got %q", writes)
		}
		if diff := cmp.Diff([]string{"Normal web: 192.168.4.1 from ExternalIPPool public"}, rig.notes("Assigned")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}

		rig.create(loadBalancer("shop"))
		rig.expect("shop", "192.168.4.2")
		if writes := rig.took(""); len(writes) != 1 {
			t.Errorf("the second Service of a pool costs %d writes, want 1: %q", len(writes), writes)
		}
		if len(rig.reads) != 1 {
			t.Errorf("read live are %q, want the pool once, before its finalizer", rig.reads)
		}
	})
}

func TestAnAnnotatedServiceIsAssignedInOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(annotated("web", func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"172.16.0.9"} }))
		rig.expect("web", "external 172.16.0.9, external 192.168.3.1")
		if got := rig.service("web").Annotations[v1alpha1.AnnotationAssigned]; got != "192.168.3.1" {
			t.Errorf("the mark is %q", got)
		}
		if got := rig.condition("web"); got != "" {
			t.Errorf("a Service that never waited has the condition %q", got)
		}
		rig.settle()
		if writes := rig.took(""); len(writes) != 2 || !strings.HasPrefix(writes[1], "object web:") {
			t.Errorf("written are %q", writes)
		}

		rig.edit("web", func(s *corev1.Service) { delete(s.Annotations, v1alpha1.AnnotationAssignExternalIP) })
		rig.settle()
		rig.expect("web", "external 172.16.0.9")
		if _, marked := rig.service("web").Annotations[v1alpha1.AnnotationAssigned]; marked {
			t.Error("the mark stayed")
		}
	})
}

// Every write says of which version it is, so that it can't undo what somebody else wrote meanwhile.
func TestAServiceThatChangedMeanwhileIsDecidedOnAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web"))
		rig.took("")
		rig.edit("web", func(s *corev1.Service) { s.Annotations[v1alpha1.AnnotationAddresses] = "192.168.4.3" })
		rig.hear()
		rig.editStatus("web", func(s *corev1.ServiceStatus) { // Of which the cache has not heard.
			s.Conditions = append(s.Conditions, metav1.Condition{Type: "example.org/Seen", Status: metav1.ConditionTrue, Reason: "Seen"})
		})
		rig.work()
		rig.expect("web", "192.168.4.3")
		if conditions := rig.service("web").Status.Conditions; len(conditions) != 2 || conditions[0].Type != "example.org/Seen" {
			t.Errorf("conditions are %+v: what somebody else put there is lost", conditions)
		}
		if writes := rig.took("status web"); len(writes) != 2 {
			t.Errorf("written is %q, want one that is refused, and another", writes)
		}
	})
}

func TestWhatBecomesOfAWriteThatFails(t *testing.T) {
	for name, row := range map[string]struct {
		refuse, lose error
		writes       int
	}{
		"a conflict":                      {refuse: errConflict, writes: 2},
		"no connection":                   {refuse: errLost, writes: 2},
		"an answer that is lost":          {lose: errLost, writes: 1},
		"an API server that is too busy":  {refuse: apierrors.NewTooManyRequests("later", 1), writes: 2},
		"an API server that does not say": {lose: apierrors.NewInternalError(errLost), writes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := newAssignmentRig(t)
				rig.start()
				if row.refuse != nil {
					rig.refuse = once("status web", row.refuse)
				}
				if row.lose != nil {
					rig.lose = once("status web", row.lose)
				}
				if err := rig.Create(t.Context(), loadBalancer("web")); err != nil {
					t.Fatal(err)
				}
				rig.hear()
				rig.work() // The cache lags: nothing is heard of the write.
				<-time.After(100 * time.Millisecond)
				rig.work()
				if writes := rig.took("status web"); len(writes) != row.writes {
					t.Errorf("%d writes, want %d: %q", len(writes), row.writes, writes)
				}
				rig.expect("web", "192.168.4.1")
				rig.settle()
				if writes := rig.took(""); len(writes) != 0 {
					t.Errorf("there is nothing left to write, got %q", writes)
				}
			})
		})
	}
}

// What a write that failed promised is nobody else's: it may have gone through after all.
func TestAPromiseHoldsWhileItsWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.refuse = func(write string) error {
			if strings.HasPrefix(write, "status web") {
				return errLost
			}
			return nil
		}
		rig.create(loadBalancer("web"))
		rig.create(loadBalancer("shop"))
		rig.expect("web", "")
		rig.expect("shop", "192.168.4.2")
		rig.refuse = nil
		rig.pass(30 * time.Second)
		rig.expect("web", "192.168.4.1")
	})
}

// A Service that is deleted under a write leaves nothing promised.
func TestAServiceThatIsGoneKeepsNoPromise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		web := loadBalancer("web")
		if err := rig.Create(t.Context(), web); err != nil {
			t.Fatal(err)
		}
		rig.hear()
		if err := rig.Delete(t.Context(), web); err != nil { // Of which nobody heard.
			t.Fatal(err)
		}
		rig.work()
		if usage, known := rig.reconciler.Usage("public"); !known || usage.Holders != 0 {
			t.Errorf("the pool has %d holders", usage.Holders)
		}
		rig.settle()
		rig.pass(15 * time.Second)
		rig.create(loadBalancer("shop"))
		rig.expect("shop", "192.168.4.1")
	})
}

func TestNothingIsWrittenThatAnotherLeaderCouldMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.lease = leaseFor(fenceMargin)
		rig.create(loadBalancer("web"), annotated("shop"))
		if writes := rig.took(""); len(writes) != 0 {
			t.Errorf("written is %q, with %v of the lease to go", writes, fenceMargin)
		}
		rig.lease = leaseFor(fenceMargin + 300*time.Millisecond)
		rig.pass(time.Second)
		rig.expect("web", "192.168.4.1")
		rig.expect("shop", "external 192.168.3.1")
		if rig.longest != 300*time.Millisecond {
			t.Errorf("a write had %v, want that it ends before another can lead", rig.longest)
		}
	})
}

// Clusters may forbid external IPs. The Service says so, and is not tried again and again.
func TestExternalIPsThatTheClusterForbids(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		forbidden := apierrors.NewForbidden(corev1.Resource("services"), "web", errors.New("use of external IPs is denied by cluster policy"))
		rig.refuse = func(write string) error {
			if strings.HasPrefix(write, "object web") && strings.Contains(write, "192.168.3.") {
				return forbidden
			}
			return nil
		}
		rig.create(annotated("web"))
		rig.pass(10 * time.Second)
		if got := rig.condition("web"); !strings.HasPrefix(got, "False ExternalIPsRefused: ") || !strings.Contains(got, "denied by cluster policy") {
			t.Errorf("the condition is %q", got)
		}
		if notes := rig.notes("AssignmentFailed"); len(notes) != 1 || !strings.HasPrefix(notes[0], "Warning web: ExternalIPsRefused: ") {
			t.Errorf("events %q", notes)
		}
		if writes := rig.took("object web"); len(writes) > 2 {
			t.Errorf("%d writes in 10 s: %q", len(writes), writes)
		}
		rig.refuse = nil
		rig.pass(refusedAfter)
		rig.expect("web", "external 192.168.3.1")
		if got := rig.condition("web"); !strings.HasPrefix(got, "True Assigned: ") {
			t.Errorf("the condition is %q", got)
		}
	})
}

func TestAChangedServiceIsTriedAgainAtOnceAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.refuse = once("object web", apierrors.NewForbidden(corev1.Resource("services"), "web", errors.New("denied")))
		rig.create(annotated("web"))
		rig.expect("web", "")
		rig.edit("web", asks("example.org/allowed", "yes"))
		rig.settle()
		rig.expect("web", "external 192.168.3.1")
	})
}

// Another controller that takes Services for its own empties the status again and again: Herald does not keep up with it.
func TestARepeatedLossIsMadeGoodEverLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web"))
		rig.took("")
		rob := func() {
			rig.editStatus("web", func(s *corev1.ServiceStatus) { s.LoadBalancer.Ingress = nil })
		}
		rob()
		rig.settle()
		rig.expect("web", "192.168.4.1")
		for range 600 { // A minute.
			if rig.addresses("web") != "" {
				rob()
			}
			rig.pass(100 * time.Millisecond)
		}
		if writes := rig.took("status web"); len(writes) < 5 || len(writes) > 9 {
			t.Errorf("%d writes in a minute, want few, ever fewer, but some", len(writes))
		}
		rig.pass(31 * time.Second)
		rig.expect("web", "192.168.4.1")
	})
}

func TestAServiceThatIsBeingDeletedIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web", func(s *corev1.Service) { s.Finalizers = []string{"example.org/wait"} }))
		rig.took("")
		if err := rig.Delete(t.Context(), rig.service("web")); err != nil {
			t.Fatal(err)
		}
		rig.editStatus("web", func(s *corev1.ServiceStatus) {
			s.LoadBalancer.Ingress, s.Conditions[0].Status = nil, metav1.ConditionFalse
		})
		rig.settle()
		if writes := rig.took(""); len(writes) != 0 {
			t.Errorf("written is %q", writes)
		}
	})
}

// assigned is a Service of type LoadBalancer that has an address of the pool public.
func assigned(name, address string) *corev1.Service {
	return loadBalancer(name, func(s *corev1.Service) {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address, IPMode: new(corev1.LoadBalancerIPModeVIP)}}
		s.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionAddressAssigned, Status: metav1.ConditionTrue, Reason: "Assigned",
			Message: address + " from ExternalIPPool public",
		}}
	})
}

// A first leader sees everything before it assigns anything, however the events come.
func TestNothingIsAssignedBeforeEverythingIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := assigned("taken", "192.168.4.1")
		rig := newAssignmentRig(t, loadBalancer("young"), taken)
		rig.queue.Add(assignmentKey{}) // Nothing but a full queue could be in the way.
		key, _ := rig.queue.Get()
		rig.queue.Done(key)
		rig.tell(nil, loadBalancer("young"))
		if rig.queue.Len() != 0 {
			t.Fatal("there is something to do before the ledger is filled")
		}
		rig.hidden = map[string]bool{"taken": true} // A former leader wrote it last, and the cache lags.
		rig.start()
		rig.expect("young", "192.168.4.2")
		rig.expect("taken", "192.168.4.1")
		if writes := rig.took("status"); len(writes) != 1 || !strings.HasPrefix(writes[0], "status young") {
			t.Errorf("written is %q, want the one of young: all else is as it should be", writes)
		}
	})
}

// The cache of a new leader may be older than what the former wrote last: it undoes nothing.
func TestTheCacheMayLagBehindWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		if err := rig.Create(t.Context(), loadBalancer("web")); err != nil {
			t.Fatal(err)
		}
		rig.hear()
		old := rig.service("web")
		rig.work()
		rig.expect("web", "192.168.4.1")
		rig.took("")
		edited := old.DeepCopy()
		rig.tell(old, edited) // What the cache says is from before the write.
		rig.work()
		if writes := rig.took(""); len(writes) != 0 {
			t.Errorf("written is %q", writes)
		}
		rig.create(loadBalancer("shop"))
		rig.expect("shop", "192.168.4.2")
	})
}

func TestThoseThatWaitAreServedOldestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		for i := range 4 {
			rig.create(loadBalancer(fmt.Sprintf("web-%d", i)))
		}
		rig.create(loadBalancer("old"), loadBalancer("young"))
		if got := rig.condition("old"); !strings.HasPrefix(got, "False PoolExhausted: ") {
			t.Errorf("the condition is %q", got)
		}
		if notes := rig.notes("AssignmentFailed"); len(notes) != 2 {
			t.Errorf("events %q", notes)
		}
		if err := rig.Delete(t.Context(), rig.service("web-2")); err != nil {
			t.Fatal(err)
		}
		rig.settle()
		rig.expect("old", "")
		rig.pass(1500 * time.Millisecond)
		rig.expect("old", "192.168.4.3")
		rig.expect("young", "")
		if got := rig.condition("old"); got != "True Assigned: 192.168.4.3 from ExternalIPPool public" {
			t.Errorf("the condition is %q", got)
		}
	})
}

// An address that a node still lists, and that nobody has, rests until no node lists it.
func TestAnAddressThatIsListedRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}
		node.Status.Advertisements = []v1alpha1.NodeAdvertisement{
			{Prefix: "192.168.4.1/32", Kind: v1alpha1.KindLoadBalancerIP},
			{Prefix: "192.168.4.0/24", Kind: v1alpha1.KindLoadBalancerIP},
			{Prefix: "192.168.4.2/32", Kind: v1alpha1.KindClusterIP},
		}
		rig := newAssignmentRig(t, node)
		rig.start()
		rig.create(loadBalancer("web"))
		rig.expect("web", "192.168.4.2")
		if err := rig.Get(t.Context(), client.ObjectKeyFromObject(node), node); err != nil {
			t.Fatal(err)
		}
		node.Status.Advertisements = nil
		if err := rig.Update(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		rig.settle()
		rig.pass(11 * time.Second)
		rig.create(loadBalancer("shop"))
		rig.expect("shop", "192.168.4.1")
	})
}

func TestAddressesAreNotListedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}
		node.Status.Advertisements = []v1alpha1.NodeAdvertisement{{Prefix: "192.168.4.1/32", Kind: v1alpha1.KindLoadBalancerIP}}
		rig := newAssignmentRig(t, node)
		rig.start()
		<-time.After(listedAfter)
		rig.pass(11 * time.Second)
		rig.create(loadBalancer("web"))
		rig.expect("web", "192.168.4.1")
	})
}

// Who keeps the status of pools hears of each that is used, and of all once they are known.
func TestTheUsageOfPoolsIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t, assigned("web", "192.168.4.1"))
		told := map[string]int{}
		rig.reconciler.Notify(func(pools []string) {
			for _, pool := range pools {
				told[pool]++
			}
		})
		if _, known := rig.reconciler.Usage("public"); known {
			t.Error("a usage is known before anything is")
		}
		rig.start()
		if told["public"] == 0 || told["external"] == 0 {
			t.Errorf("told are %v", told)
		}
		clear(told)
		for _, name := range []string{"d", "c", "b"} {
			rig.create(loadBalancer(name))
		}
		if told["public"] == 0 {
			t.Error("nobody is told that the pool public is used")
		}
		usage, known := rig.reconciler.Usage("public")
		if !known || usage.IPv4.Total.Int64() != 4 || usage.IPv4.Assigned != 4 || usage.Holders != 4 || usage.IPv6.Total.Sign() != 0 {
			t.Errorf("the usage is %+v", usage)
		}
		if usage.First != nil {
			t.Errorf("%v are looked for, whom nobody asks about", usage.First)
		}
		clear(told)
		if err := rig.Delete(t.Context(), rig.pool("public")); err != nil {
			t.Fatal(err)
		}
		rig.settle()
		usage, _ = rig.reconciler.Usage("public")
		if told["public"] == 0 || len(usage.First) != 3 || usage.First[0].Name != "b" || usage.First[2].Name != "d" {
			t.Errorf("of a pool that is being deleted the first holders are %v, and told are %v", usage.First, told)
		}
		if _, known := rig.reconciler.Usage("none"); known {
			t.Error("the usage of a pool is known that there isn't")
		}
	})
}

// What another load balancer gave stays where it is, and the families that it serves are not served twice.
func TestAForeignIngressStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		foreign := corev1.LoadBalancerIngress{
			IP: "2001:db8:9::1", IPMode: new(corev1.LoadBalancerIPModeProxy), Ports: []corev1.PortStatus{{Port: 80, Protocol: corev1.ProtocolTCP}},
		}
		rig.create(loadBalancer("web", func(s *corev1.Service) {
			s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
			s.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack)
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{foreign}
		}))
		want := []corev1.LoadBalancerIngress{foreign, {IP: "192.168.4.1", IPMode: new(corev1.LoadBalancerIPModeVIP)}}
		if diff := cmp.Diff(want, rig.service("web").Status.LoadBalancer.Ingress); diff != "" {
			t.Errorf("ingress (-want +got):\n%s", diff)
		}
	})
}

func TestServicesWithoutAClassMayBeLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := assigned("left", "192.168.4.9")
		left.Annotations[v1alpha1.AnnotationAssigned] = "192.168.4.9"
		rig := newAssignmentRig(t, left)
		rig.reconciler.ledger.claims.DefaultLoadBalancer = false
		rig.start()
		rig.create(loadBalancer("web"), loadBalancer("own", func(s *corev1.Service) { s.Spec.LoadBalancerClass = new(v1alpha1.LoadBalancerClass) }))
		rig.expect("own", "192.168.4.1")
		rig.expect("left", "192.168.4.9")
		if writes := rig.took("status"); len(writes) != 1 {
			t.Errorf("written is %q", writes)
		}
	})
}

// A Service that asks for another address has it at once, however often, and with whatever comes first: the answer to a
// write, or what the cache hears of it.
func TestOwnMovesAreNoLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web"))
		rig.lose = func(string) error { rig.hear(); return nil }
		for i := range 4 {
			address := fmt.Sprintf("192.168.4.%d", 4-i)
			rig.edit("web", asks(v1alpha1.AnnotationAddresses, address))
			<-time.After(1500 * time.Millisecond) // The first of them rests by then.
			rig.settle()
			rig.expect("web", address)
		}
		if notes := rig.notes("Assigned"); len(notes) != 5 || !strings.Contains(notes[len(notes)-1], " is given up: ") {
			t.Errorf("events %q", notes)
		}
	})
}

// A new reason is an event, a new message is not.
func TestAFailureIsToldWhenItsReasonChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web", asks(v1alpha1.AnnotationAddresses, "192.168.99.1")))
		since := conditionOf(rig.service("web")).LastTransitionTime
		for range 3 {
			rig.edit("web", asks(v1alpha1.AnnotationAddresses, "192.168.99.2"))
			rig.pass(time.Second)
			rig.edit("web", asks(v1alpha1.AnnotationAddresses, "192.168.99.3"))
			rig.pass(time.Second)
		}
		if got := rig.condition("web"); !strings.HasPrefix(got, "False AddressNotInPool: ") || !strings.Contains(got, "192.168.99.3") {
			t.Errorf("the condition is %q", got)
		}
		if notes := rig.notes("AssignmentFailed"); len(notes) != 1 || !strings.HasPrefix(notes[0], "Warning web: AddressNotInPool: ") {
			t.Errorf("events %q", notes)
		}
		if now := conditionOf(rig.service("web")).LastTransitionTime; !now.Equal(&since) {
			t.Errorf("the condition is False since %v, and says since %v", since, now)
		}
		rig.edit("web", asks(v1alpha1.AnnotationPool, "none"))
		rig.edit("web", func(s *corev1.Service) { delete(s.Annotations, v1alpha1.AnnotationAddresses) })
		rig.settle()
		if notes := rig.notes("AssignmentFailed"); len(notes) != 2 {
			t.Errorf("events %q", notes)
		}
		rig.edit("web", func(s *corev1.Service) { s.Annotations = nil })
		rig.settle()
		rig.expect("web", "192.168.4.1")
		if now := conditionOf(rig.service("web")).LastTransitionTime; now.Equal(&since) {
			t.Error("the condition became True when it was False")
		}
	})
}

// A Service that wants its address elsewhere has the new one before the old one goes.
func TestTheNewKindOfAddressComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(annotated("web"), loadBalancer("shop"))
		rig.took("")
		rig.edit("web", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeLoadBalancer })
		rig.settle()
		rig.expect("web", "192.168.4.2")
		if writes := rig.took(""); len(writes) != 2 || !strings.HasPrefix(writes[0], "status web") || !strings.HasPrefix(writes[1], "object web") {
			t.Errorf("written is %q", writes)
		}
	})
}

// An address that a Service has is not held back after it, whatever an agent that is gone once listed.
func TestOnlyAddressesThatNobodyHasAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}
		node.Status.Advertisements = []v1alpha1.NodeAdvertisement{{Prefix: "192.168.4.1/32", Kind: v1alpha1.KindLoadBalancerIP}}
		rig := newAssignmentRig(t, node, assigned("web", "192.168.4.1"))
		rig.start()
		if err := rig.Delete(t.Context(), rig.service("web")); err != nil {
			t.Fatal(err)
		}
		rig.settle()
		rig.pass(11 * time.Second)
		rig.create(loadBalancer("shop"))
		rig.expect("shop", "192.168.4.1")
	})
}
