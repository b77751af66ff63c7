package controllers

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A pool stays as long as a Service has an address from it.
func TestAPoolIsHeldWhileItsAddressesAreInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web"))
		if err := rig.Delete(t.Context(), rig.pool("public")); err != nil {
			t.Fatal(err)
		}
		rig.pass(10 * time.Second)
		if rig.pool("public") == nil {
			t.Fatal("the pool is gone under a Service")
		}
		rig.expect("web", "192.168.4.1")
		if err := rig.Delete(t.Context(), rig.service("web")); err != nil {
			t.Fatal(err)
		}
		rig.settle()
		if rig.pool("public") != nil {
			t.Error("the pool stays with nobody holding on to it")
		}
	})
}

func TestTheFinalizerGoesOnceNobodyHoldsThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web"))
		if err := rig.Delete(t.Context(), rig.service("web")); err != nil {
			t.Fatal(err)
		}
		rig.settle()
		if !rig.isHeld("public") {
			t.Error("the finalizer goes at once, and comes again with the next Service")
		}
		rig.pass(releaseAfter + time.Second)
		if rig.isHeld("public") {
			t.Error("the finalizer stays with nobody holding on to the pool")
		}
		rig.create(loadBalancer("shop"))
		if !rig.isHeld("public") {
			t.Error("the finalizer is not put on again")
		}
		pool := rig.pool("public")
		pool.Finalizers = nil
		if err := rig.Update(t.Context(), pool); err != nil { // A person takes it off.
			t.Fatal(err)
		}
		rig.settle()
		if !rig.isHeld("public") {
			t.Error("the finalizer that a person took off is not put on again")
		}
	})
}

// What decides is who holds the pool when its finalizer is taken off, not who did when that was asked for.
func TestAPoolThatIsHeldAgainIsNotReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web"))
		if err := rig.reconciler.release(t.Context(), "public"); err != nil {
			t.Fatal(err)
		}
		if !rig.isHeld("public") {
			t.Error("the finalizer is gone, and a Service has an address from the pool")
		}
	})
}

// While a finalizer is being taken off it counts for nothing, whatever the cache says of the pool.
func TestAReleaseThatFailsLeavesThePoolInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newAssignmentRig(t)
		rig.start()
		rig.create(loadBalancer("web"))
		if err := rig.Delete(t.Context(), rig.service("web")); err != nil {
			t.Fatal(err)
		}
		rig.settle()
		pool := rig.pool("public")
		rig.lose = once("object public", errLost) // The finalizer is off, and nobody knows.
		if err := rig.reconciler.release(t.Context(), "public"); !errors.Is(err, errLost) {
			t.Fatalf("the error is %v", err)
		}
		rig.tell(pool, pool) // Nor does the cache.
		web := loadBalancer("shop")
		if err := rig.Create(t.Context(), web); err != nil {
			t.Fatal(err)
		}
		rig.tell(nil, rig.service("shop"))
		rig.work()
		rig.expect("shop", "192.168.4.2")
		if !rig.isHeld("public") {
			t.Error("a Service has an address from a pool that may go")
		}
	})
}

// A pool may be on its way out without that the cache has heard of it. Nothing is assigned from it.
func TestNothingIsAssignedFromAPoolThatGoes(t *testing.T) {
	for name, finalizers := range map[string][]string{"it goes": {"example.org/wait"}, "it is gone": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				going := poolOf("a", "192.168.4.9")
				going.Finalizers = finalizers
				rig := newAssignmentRig(t, going)
				rig.start()
				if err := rig.Delete(t.Context(), rig.pool("a")); err != nil {
					t.Fatal(err)
				}
				if err := rig.Create(t.Context(), loadBalancer("web")); err != nil {
					t.Fatal(err)
				}
				rig.tell(nil, rig.service("web"))
				rig.work()
				rig.expect("web", "")
				rig.pass(time.Second)
				rig.expect("web", "192.168.4.1")
			})
		})
	}
}

// Nobody is left to take finalizers off once Herald is gone.
func TestPoolsAreLetGoWhenHeraldIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "herald-system", Name: "herald-manager", UID: "manager"}}
		rig := newAssignmentRig(t, assigned("web", "192.168.4.1"), deployment)
		rig.start()
		if !rig.isHeld("public") {
			t.Fatal("the pool of an address that is in use is not held")
		}
		if err := rig.Delete(t.Context(), deployment); err != nil {
			t.Fatal(err)
		}
		rig.settle()
		if rig.isHeld("public") {
			t.Error("the pool is held by a Herald that is gone")
		}
		rig.expect("web", "192.168.4.1")
		deployment.ResourceVersion = ""
		if err := rig.Create(t.Context(), deployment); err != nil {
			t.Fatal(err)
		}
		rig.settle()
		if !rig.isHeld("public") {
			t.Error("the pool is not held by a Herald that is back")
		}
	})
}
