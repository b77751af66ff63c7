package controllers

import (
	"fmt"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/core/status"
)

// usageTable is a PoolUsage that a test fills.
type usageTable struct {
	mu     sync.Mutex
	usages map[string]status.PoolUsage
	tell   func([]string)
}

func (u *usageTable) Usage(pool string) (status.PoolUsage, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if usage, known := u.usages[pool]; known {
		return usage, true
	}
	return status.PoolUsage{IPv4: ipam.Usage{Total: big.NewInt(7)}}, false // As far as it was counted.
}

func (u *usageTable) Notify(tell func([]string)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tell = tell
}

// assigned says how many of a pool's 256 IPv4 addresses are assigned, each to a Service, and tells of it.
func (u *usageTable) assigned(pool string, addresses int) {
	usage := status.PoolUsage{
		IPv4:    ipam.Usage{Total: big.NewInt(256), Assigned: addresses, Available: big.NewInt(int64(256 - addresses))},
		Holders: addresses,
	}
	for i := range min(addresses, status.MaxFirst) {
		usage.First = append(usage.First, advertise.ServiceKey{Namespace: "default", Name: fmt.Sprintf("web-%d", i+1)})
	}
	u.mu.Lock()
	u.usages[pool] = usage
	tell := u.tell
	u.mu.Unlock()
	tell([]string{pool})
}

// newPoolRig is a cluster with the pools east and west, of whose usage nothing is known yet.
func newPoolRig(t *testing.T) (*clusterRig, *usageTable) {
	t.Helper()
	rig, usage := newClusterRig(t, 1, 1), &usageTable{usages: map[string]status.PoolUsage{}}
	rig.reconciler.Usage = usage
	for i, name := range []string{"east", "west"} {
		pool := &v1alpha1.ExternalIPPool{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1, Finalizers: []string{v1alpha1.PoolFinalizer}},
			Spec:       v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{v1alpha1.AddressRange(fmt.Sprintf("192.168.%d.0/24", i+3))}},
		}
		if err := rig.Create(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
	}
	rig.start()
	rig.pass(2 * time.Second)
	return rig, usage
}

func (r *clusterRig) pool(name string) *v1alpha1.ExternalIPPool {
	r.t.Helper()
	pool := &v1alpha1.ExternalIPPool{}
	if err := r.Get(r.t.Context(), client.ObjectKey{Name: name}, pool); err != nil {
		r.t.Fatal(err)
	}
	return pool
}

func TestCountsOfAPoolFollowItsUsage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig, usage := newPoolRig(t)
		if got := rig.pool("east").Status; got.IPv4.Total != "" || got.Summary.Assigned != "" || got.Summary.Addresses != "192.168.3.0/24" {
			t.Errorf("before the usage is known the status is %+v, want no counts", got)
		}
		quiet, others := len(rig.written("east")), len(rig.written("west"))

		usage.assigned("east", 1)
		synctest.Wait()
		if got := rig.pool("east").Status; got.Summary.Assigned != "1" || got.Summary.Available != "255" || got.IPv4.Total != "256" {
			t.Errorf("after the first assignment, at once, the status is %+v", got)
		}
		for i := range 200 {
			usage.assigned("east", 2+i%99)
			rig.pass(50 * time.Millisecond)
		}
		usage.assigned("east", 200)
		rig.pass(2 * time.Second)
		writes := rig.written("east")[quiet:]
		if len(writes) < 9 || len(writes) > 13 {
			t.Errorf("%d writes in 10 s of assignments, want one a second", len(writes))
		}
		for i := 1; i < len(writes); i++ {
			if gap := writes[i].Sub(writes[i-1]); gap < writeInterval {
				t.Errorf("it was written again after %v", gap)
			}
		}
		if got := rig.pool("east").Status.Summary; got.Assigned != "200" || got.Available != "56" {
			t.Errorf("in the end the counts are %+v", got)
		}

		written := len(rig.written("east"))
		for range 20 {
			usage.assigned("east", 200)
			rig.pass(time.Minute)
		}
		if again := len(rig.written("east")) - written; again != 0 {
			t.Errorf("%d writes though the usage stayed as it was", again)
		}
		if more := len(rig.written("west")) - others; more != 0 {
			t.Errorf("%d writes of a pool of which nothing was heard", more)
		}
	})
}

func TestAPoolThatIsDeletedSaysWhoHoldsOnUntilNobodyDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig, usage := newPoolRig(t)
		usage.assigned("east", 4)
		rig.pass(2 * time.Second)
		released := func() string {
			c := meta.FindStatusCondition(rig.pool("east").Status.Conditions, string(v1alpha1.ConditionReleased))
			if c == nil {
				return ""
			}
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
		if got := released(); got != "" {
			t.Errorf("before it is deleted the condition is %q", got)
		}

		before := rig.pool("east")
		if err := rig.Delete(t.Context(), before.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		tell(t, rig.reconciler, before, rig.pool("east"), rig.queue)
		synctest.Wait()
		const want = "False AddressesInUse: 4 Services have addresses from the pool: default/web-1, default/web-2 and 2 others; " +
			"move them with the annotation herald.network/pool, or delete them"
		if got := released(); got != want {
			t.Errorf("once it is deleted, at once, the condition is %q, want %q", got, want)
		}
		usage.assigned("east", 0)
		rig.pass(2 * time.Second)
		if got := released(); got != "True NoneAssigned: no Service has an address from the pool" {
			t.Errorf("once all addresses are given back the condition is %q", got)
		}

		// Who took the finalizer away has it go, and that is the end of it.
		gone := rig.pool("east")
		gone.Finalizers = nil
		if err := rig.Update(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		tell(t, rig.reconciler, gone, nil, rig.queue)
		usage.assigned("east", 0)
		written := len(rig.written("east"))
		rig.pass(time.Minute)
		if again := len(rig.written("east")) - written; again != 0 {
			t.Errorf("%d writes of a pool that is gone", again)
		}
	})
}
