package manager_test

import (
	"math/big"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/controllers"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/core/status"
)

// usage plays who assigns addresses: what it is told of one pool, it tells.
type usage struct {
	mu   sync.Mutex
	pool string
	of   *status.PoolUsage
	tell func([]string)
}

func (u *usage) Usage(pool string) (status.PoolUsage, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if pool != u.pool || u.of == nil {
		return status.PoolUsage{}, false
	}
	return *u.of, true
}

func (u *usage) Notify(tell func([]string)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tell = tell
}

// set says how much of the pool is in use: of 245 IPv4 addresses, and of a /64 less one.
func (u *usage) set(ipv4, ipv6, holders int, first ...advertise.ServiceKey) {
	slash64 := new(big.Int).Lsh(big.NewInt(1), 64)
	slash64.Sub(slash64, big.NewInt(1))
	u.mu.Lock()
	u.of = &status.PoolUsage{
		IPv4:    ipam.Usage{Total: big.NewInt(245), Assigned: ipv4, Available: big.NewInt(int64(245 - ipv4))},
		IPv6:    ipam.Usage{Total: slash64, Assigned: ipv6, Available: new(big.Int).Sub(slash64, big.NewInt(int64(ipv6)))},
		Holders: holders, First: first,
	}
	tell := u.tell
	u.mu.Unlock()
	if tell != nil {
		tell([]string{u.pool})
	}
}

// What kubectl shows of a pool as its addresses are assigned, and once it is deleted.
func TestStatusOfPoolsFollowsTheirUsage(t *testing.T) {
	nginx, web := advertise.ServiceKey{Namespace: "default", Name: "nginx"}, advertise.ServiceKey{Namespace: "default", Name: "web"}
	used := &usage{pool: "public"}
	r := newRack(t, func(s *controllers.StatusReconciler) { s.Usage = used })
	r.apply(configuration)
	r.apply(`
apiVersion: herald.network/v1alpha1
kind: ExternalIPPool
metadata: {name: public, finalizers: [herald.network/assigned-addresses]}
spec:
  addresses: [192.168.3.0/24, "2001:db8:3::/64"]
  avoid: [192.168.3.0-192.168.3.9, 192.168.3.255, "2001:db8:3::"]
`)
	r.Eventually(r.condition("externalippool", "public", "Allowlisted")).Should(HavePrefix("False OutsideBlocks"))
	counts := func() string {
		return r.kubectl("get", "externalippool", "public", "-o", "jsonpath={.status.ipv4} {.status.ipv6}")
	}
	r.Expect(counts()).To(BeEmpty(), "nobody knows yet")

	used.set(3, 0, 2, nginx, web)
	r.Eventually(r.columns("externalippool", "public")).Should(Equal("public 192.168.3.0/24 +1 3/0 242/18446744073709551615 False"))
	r.Expect(r.kubectl("get", "externalippools")).To(MatchRegexp(`^NAME +ADDRESSES +ASSIGNED +AVAILABLE +ALLOWLISTED +AGE\n`))
	r.Expect(counts()).To(Equal(
		`{"assigned":"3","available":"242","total":"245"} ` +
			`{"assigned":"0","available":"18446744073709551615","total":"18446744073709551615"}`))
	r.Expect(r.condition("externalippool", "public", "Released")()).To(BeEmpty(), "nobody deletes it")

	version := r.version("externalippool", "public")
	before := version()
	used.set(3, 0, 2, nginx, web)
	r.Consistently(version).Should(Equal(before), "nothing changed")

	// A pool that is deleted stays, and says for whom.
	r.kubectl("delete", "externalippool", "public", "--wait=false")
	r.Eventually(r.condition("externalippool", "public", "Released")).Should(Equal("False AddressesInUse: 2 Services have addresses from the pool: " +
		"default/nginx, default/web; move them with the annotation herald.network/pool, or delete them"))
	r.kubectl("wait", "--for=condition=Released=false", "externalippool/public", "--timeout=5s")
	used.set(0, 0, 0)
	r.Eventually(r.condition("externalippool", "public", "Released")).Should(HavePrefix("True NoneAssigned"))
	r.Expect(r.columns("externalippool", "public")()).To(Equal("public 192.168.3.0/24 +1 0/0 245/18446744073709551615 False"))

	// What removes the finalizer by hand, as docs/operations.md has it for where no manager is left.
	r.kubectl("patch", "externalippool", "public", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	r.Eventually(func() string { return r.kubectl("get", "externalippools", "-o", "name") }).Should(BeEmpty())
}
