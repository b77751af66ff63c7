package status_test

import (
	"math/big"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/core/status"
)

// usageOf returns the usage of a family that holds so many addresses, less some to avoid.
func usageOf(total string, avoided int64, assigned int) ipam.Usage {
	all, ok := new(big.Int).SetString(total, 10)
	if !ok {
		panic("no number: " + total)
	}
	all.Sub(all, big.NewInt(avoided))
	return ipam.Usage{Total: all, Assigned: assigned, Available: new(big.Int).Sub(all, big.NewInt(int64(assigned)))}
}

const (
	slash64  = "18446744073709551616"
	slash128 = "340282366920938463463374607431768211456"
)

func TestCountsOfAPool(t *testing.T) {
	t.Parallel()
	type counts = v1alpha1.AddressCounts
	for name, row := range map[string]struct {
		avoid               []v1alpha1.AddressRange
		usage               status.PoolUsage
		ipv4, ipv6          counts
		assigned, available string
	}{
		"IPv4": {
			usage:    status.PoolUsage{IPv4: usageOf("256", 11, 3)},
			ipv4:     counts{Total: "245", Assigned: "3", Available: "242"},
			assigned: "3", available: "242",
		},
		"IPv6, a /64 less what is to be avoided": {
			usage:    status.PoolUsage{IPv6: usageOf(slash64, 1, 0)},
			ipv6:     counts{Total: "18446744073709551615", Assigned: "0", Available: "18446744073709551615"},
			assigned: "0", available: "18446744073709551615",
		},
		"both": {
			usage:    status.PoolUsage{IPv4: usageOf("256", 0, 3), IPv6: usageOf(slash64, 0, 0)},
			ipv4:     counts{Total: "256", Assigned: "3", Available: "253"},
			ipv6:     counts{Total: slash64, Assigned: "0", Available: slash64},
			assigned: "3/0", available: "253/" + slash64,
		},
		"all that there is": {
			usage:    status.PoolUsage{IPv6: usageOf(slash128, 0, 1)},
			ipv6:     counts{Total: slash128, Assigned: "1", Available: "340282366920938463463374607431768211455"},
			assigned: "1", available: "340282366920938463463374607431768211455",
		},
		"in no block": {
			usage:    status.PoolUsage{IPv4: ipam.Usage{Total: big.NewInt(4), Assigned: 1, Available: new(big.Int)}},
			ipv4:     counts{Total: "4", Assigned: "1", Available: "0"},
			assigned: "1", available: "0",
		},
		"all avoided": {
			avoid:    []v1alpha1.AddressRange{"192.168.0.0/16"},
			usage:    status.PoolUsage{IPv4: usageOf("4", 4, 0), IPv6: usageOf("4", 4, 0)},
			assigned: "0", available: "0",
		},
		"not heard of yet by who counts": {
			ipv4:     counts{Total: "9", Assigned: "9", Available: "9"},
			ipv6:     counts{Total: "9", Assigned: "9", Available: "9"},
			assigned: "9/9", available: "9/9",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := &v1alpha1.ExternalIPPool{Spec: v1alpha1.ExternalIPPoolSpec{Addresses: []v1alpha1.AddressRange{"192.168.3.0/24"}, Avoid: row.avoid}}
			stale := counts{Total: "9", Assigned: "9", Available: "9"}
			pool.Status = v1alpha1.ExternalIPPoolStatus{IPv4: stale, IPv6: stale, Summary: v1alpha1.PoolSummary{Assigned: "9/9", Available: "9/9"}}
			got := status.Pool(pool, nil, &row.usage, noon)
			g := NewWithT(t)
			g.Expect(say(got.Conditions, v1alpha1.ConditionReleased)).To(Equal("none"), "nobody deletes it")
			g.Expect(got.IPv4).To(Equal(row.ipv4))
			g.Expect(got.IPv6).To(Equal(row.ipv6))
			g.Expect(got.Summary).To(Equal(v1alpha1.PoolSummary{Addresses: "192.168.3.0/24", Assigned: row.assigned, Available: row.available}))
		})
	}
}

func TestAPoolThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	nginx, web, api := advertise.ServiceKey{Namespace: "default", Name: "nginx"}, advertise.ServiceKey{Namespace: "default", Name: "web"},
		advertise.ServiceKey{Namespace: "shop", Name: "api"}
	const many = "; move them with the annotation herald.network/pool, or delete them"
	for name, row := range map[string]struct {
		usage *status.PoolUsage
		want  string
	}{
		"whose usage is not known":       {nil, "Unknown Pending: it is not known yet which Services have addresses from the pool"},
		"that nobody has addresses from": {&status.PoolUsage{}, "True NoneAssigned: no Service has an address from the pool"},
		"with one": {
			&status.PoolUsage{Holders: 1, First: []advertise.ServiceKey{nginx}},
			"False AddressesInUse: 1 Service has addresses from the pool: default/nginx; move it with the annotation herald.network/pool, or delete it",
		},
		"with two": {
			&status.PoolUsage{Holders: 2, First: []advertise.ServiceKey{nginx, web}},
			"False AddressesInUse: 2 Services have addresses from the pool: default/nginx, default/web" + many,
		},
		"with three": {
			&status.PoolUsage{Holders: 3, First: []advertise.ServiceKey{nginx, web, api}},
			"False AddressesInUse: 3 Services have addresses from the pool: default/nginx, default/web and 1 other" + many,
		},
		"with many": {
			&status.PoolUsage{Holders: 5000, First: []advertise.ServiceKey{nginx, web, api}},
			"False AddressesInUse: 5000 Services have addresses from the pool: default/nginx, default/web and 4998 others" + many,
		},
		"with some that are not named": {
			&status.PoolUsage{Holders: 2}, "False AddressesInUse: 2 Services have addresses from the pool" + many,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deleted := metav1.NewTime(noon)
			pool := &v1alpha1.ExternalIPPool{ObjectMeta: metav1.ObjectMeta{Generation: 2, DeletionTimestamp: &deleted}}
			got := status.Pool(pool, nil, row.usage, noon)
			g := NewWithT(t)
			g.Expect(say(got.Conditions, v1alpha1.ConditionReleased)).To(Equal(row.want))

			pool.Status = got
			later := status.Pool(pool, nil, row.usage, noon.Add(time.Hour))
			g.Expect(later).To(Equal(got), "nothing changed, so there is nothing to write")
		})
	}
}

func TestAPoolIsReleasedWhenTheLastServiceLeavesIt(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	deleted := metav1.NewTime(noon)
	pool := &v1alpha1.ExternalIPPool{ObjectMeta: metav1.ObjectMeta{Generation: 2, DeletionTimestamp: &deleted}}
	pool.Status = status.Pool(pool, nil, &status.PoolUsage{Holders: 2}, noon)
	pool.Status = status.Pool(pool, nil, &status.PoolUsage{Holders: 1}, noon.Add(time.Minute))
	was := pool.Status.Conditions[2]
	g.Expect(was.LastTransitionTime.Time).To(BeTemporally("==", noon.Truncate(time.Second)), "it is as false as before")
	pool.Status = status.Pool(pool, nil, &status.PoolUsage{}, noon.Add(time.Hour))
	g.Expect(say(pool.Status.Conditions, v1alpha1.ConditionReleased)).To(Equal("True NoneAssigned: no Service has an address from the pool"))
	g.Expect(pool.Status.Conditions[2].LastTransitionTime.Time).To(BeTemporally("==", noon.Add(time.Hour).Truncate(time.Second)))
}
