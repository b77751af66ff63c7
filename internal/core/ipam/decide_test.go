package ipam_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
)

// rack is a table with an API server: what is decided is written at once, as a reconciler does.
type rack struct {
	t     *testing.T
	table *ipam.Table
	now   time.Time
	api   map[string]ipam.Service
	age   int
	// family is the one of Services that no edit gives another.
	family bgp.Family
}

var (
	v6   = []bgp.Family{bgp.IPv6}
	both = []bgp.Family{bgp.IPv4, bgp.IPv6}
)

// rackConfig has a pool of two addresses of each family for load balancers, and one of two IPv4 addresses for external IPs.
func rackConfig() ipam.Config {
	return ipam.Config{
		Pools: []ipam.Pool{
			{Name: "public", Addresses: ipSet("192.168.4.1-192.168.4.2", "2001:db8:4::1-2001:db8:4::2")},
			{Name: "external", Addresses: ipSet("192.168.3.1-192.168.3.2")},
		},
		ExternalIPBlocks:     []netip.Prefix{netip.MustParsePrefix("192.168.3.0/24")},
		LoadBalancerIPBlocks: []netip.Prefix{netip.MustParsePrefix("192.168.4.0/24"), netip.MustParsePrefix("2001:db8:4::/64")},
	}
}

func newRack(t *testing.T, config ipam.Config) *rack {
	t.Helper()
	c := &rack{t: t, table: ipam.NewTable(), now: start, api: map[string]ipam.Service{}, family: bgp.IPv4}
	c.table.Configure(config, c.now)
	return c
}

// wantNothingLeftAfter deletes the last Services and expects that nothing is kept of any once their addresses have rested.
func (c *rack) wantNothingLeftAfter(last ...string) {
	c.t.Helper()
	for _, name := range last {
		c.delete(name)
	}
	c.now = c.now.Add(ipam.Rest)
	c.table.Serve(c.now)
	c.wantTouched()
	for what, n := range c.table.Sizes() {
		if n != 0 {
			c.t.Errorf("there are %d %s left", n, what)
		}
	}
}

// edit is something that is changed in a Service.
type edit func(*ipam.Service)

func families(f ...bgp.Family) edit { return func(s *ipam.Service) { s.Families = f } }
func prefer(s *ipam.Service)        { s.Policy = ipam.PreferAll }
func external(s *ipam.Service)      { s.Wants = advertise.ExternalIP }
func ports(numbers ...uint16) edit {
	return func(s *ipam.Service) {
		s.Ports = nil
		for _, n := range numbers {
			s.Ports = append(s.Ports, ipam.Port{Protocol: "TCP", Number: n})
		}
	}
}

func named(texts ...string) edit {
	return func(s *ipam.Service) { s.Request.Addresses = addrs(texts...) }
}
func inPool(name string) edit { return func(s *ipam.Service) { s.Request.Pool = name } }
func sharing(key string) edit { return func(s *ipam.Service) { s.Request.SharingKey = key } }
func local(selector string) edit {
	return func(s *ipam.Service) { s.Backends = ipam.Backends{Policy: advertise.Local, Selector: selector} }
}
func others(texts ...string) edit { return func(s *ipam.Service) { s.Others = addrs(texts...) } }
func problem(text string) edit    { return func(s *ipam.Service) { s.Request.Problem = text } }

// has gives a Service addresses that are marked, whatever was decided.
func has(texts ...string) edit {
	return func(s *ipam.Service) {
		s.Assigned = nil
		for _, a := range addrs(texts...) {
			s.Assigned = append(s.Assigned, advertise.Address{Addr: a, Kind: advertise.LoadBalancerIP})
		}
	}
}

// set creates a Service of namespace default, which is younger than all before, or edits it.
func (c *rack) set(name string, edits ...edit) {
	s, ok := c.api[name]
	if !ok {
		c.age++
		s = ipam.Service{
			Key: advertise.ServiceKey{Namespace: "default", Name: name}, UID: "1", Created: start.Add(time.Duration(c.age) * time.Minute),
			Wants: advertise.LoadBalancerIP, Families: []bgp.Family{c.family}, Ports: []ipam.Port{{Protocol: "TCP", Number: 80}},
		}
	}
	for _, e := range edits {
		e(&s)
	}
	c.api[name] = s
	c.table.SetService(s, c.now)
}

// decide decides on a Service and writes it.
func (c *rack) decide(name string) ipam.Decision {
	c.t.Helper()
	s := c.api[name]
	d := c.table.Decide(s.Key, c.now)
	s.Assigned, s.Former = nil, nil
	c.api[name] = having(s, d)
	c.table.SetService(c.api[name], c.now)
	return d
}

func (c *rack) create(name string, edits ...edit) ipam.Decision {
	c.t.Helper()
	c.set(name, edits...)
	return c.decide(name)
}

func (c *rack) delete(name string) {
	c.table.DeleteService(c.api[name].Key, c.now)
	delete(c.api, name)
}

// wantTouched holds the touched Services to those named, in order.
func (c *rack) wantTouched(names ...string) {
	c.t.Helper()
	var got []string
	for _, key := range c.table.TakeTouched() {
		got = append(got, key.Name)
	}
	if diff := cmp.Diff(names, got, cmpopts.EquateEmpty()); diff != "" {
		c.t.Errorf("touched (-want +got):\n%s", diff)
	}
}

func (c *rack) wantAddresses(d ipam.Decision, texts ...string) {
	c.t.Helper()
	var got []netip.Addr
	for _, a := range d.Assigned {
		got = append(got, a.Address)
	}
	if diff := cmp.Diff(addrs(texts...), got, sameAddresses, cmpopts.EquateEmpty()); diff != "" {
		c.t.Errorf("addresses, reason %s: %s (-want +got):\n%s", d.Reason, d.Message, diff)
	}
}

func gives(pool string, kind advertise.Kind, texts ...string) []ipam.Assignment {
	var all []ipam.Assignment
	for _, a := range addrs(texts...) {
		all = append(all, ipam.Assignment{Address: a, Kind: kind, Pool: pool})
	}
	return all
}

// TestDecide creates what was there before, one after the other, and then has the Service "web" decided on.
func TestDecide(t *testing.T) {
	const lb, ext = advertise.LoadBalancerIP, advertise.ExternalIP
	withPools := func(pools ...ipam.Pool) ipam.Config {
		config := rackConfig()
		config.Pools = pools
		return config
	}
	gold := labels.SelectorFromSet(labels.Set{"tier": "gold"})
	public := rackConfig().Pools[0]
	fill := func(c *rack) { c.create("a", families(both...)); c.create("b", families(both...)) }

	rows := map[string]struct {
		config ipam.Config
		before func(*rack)
		web    []edit
		want   ipam.Decision
	}{
		"the lowest free address of the pool in the blocks of its kind": {
			before: func(c *rack) { c.create("a") },
			want:   ipam.Decision{Assigned: gives("public", lb, "192.168.4.2")},
		},
		"an external IP is from the blocks of external IPs": {
			web:  []edit{external},
			want: ipam.Decision{Assigned: gives("external", ext, "192.168.3.1")},
		},
		"one address of each family, in the order of the families": {
			web:  []edit{families(bgp.IPv6, bgp.IPv4)},
			want: ipam.Decision{Assigned: append(gives("public", lb, "2001:db8:4::1"), gives("public", lb, "192.168.4.1")...)},
		},
		"the pool of the highest priority, then of the first name": {
			config: withPools(
				ipam.Pool{Name: "a", Addresses: ipSet("192.168.4.1")},
				ipam.Pool{Name: "c", Addresses: ipSet("192.168.4.3"), Priority: 5},
				ipam.Pool{Name: "b", Addresses: ipSet("192.168.4.2"), Priority: 5},
			),
			want: ipam.Decision{Assigned: gives("b", lb, "192.168.4.2")},
		},
		"a pool that gives on request only is passed over": {
			config: withPools(ipam.Pool{Name: "a", Addresses: ipSet("192.168.4.1"), OnRequest: true}, ipam.Pool{Name: "b", Addresses: ipSet("192.168.4.2")}),
			want:   ipam.Decision{Assigned: gives("b", lb, "192.168.4.2")},
		},
		"a pool that gives on request only gives to who names it": {
			config: withPools(ipam.Pool{Name: "a", Addresses: ipSet("192.168.4.1"), OnRequest: true}),
			web:    []edit{inPool("a")},
			want:   ipam.Decision{Assigned: gives("a", lb, "192.168.4.1")},
		},
		"a pool that gives on request only gives to who names an address in it": {
			config: withPools(ipam.Pool{Name: "a", Addresses: ipSet("192.168.4.1"), OnRequest: true}),
			web:    []edit{named("192.168.4.1")},
			want:   ipam.Decision{Assigned: gives("a", lb, "192.168.4.1")},
		},
		"no pool at all": {
			config: withPools(),
			want:   ipam.Decision{Reason: v1alpha1.ReasonNoMatchingPool, Message: "there is no ExternalIPPool: create one"},
		},
		"no pool that fits": {
			config: withPools(
				ipam.Pool{Name: "a", Addresses: ipSet("192.168.4.1"), OnRequest: true},
				ipam.Pool{Name: "b", Addresses: ipSet("192.168.4.2"), Closed: "it is being deleted"},
				ipam.Pool{Name: "c", Addresses: ipSet("192.168.4.3"), Namespaces: gold},
				ipam.Pool{Name: "d", Addresses: ipSet("192.168.4.4"), Services: gold},
			),
			want: ipam.Decision{Reason: v1alpha1.ReasonNoMatchingPool, Message: "no ExternalIPPool is for this Service: " +
				"a gives addresses only to Services that ask for it with the annotation herald.network/pool, " +
				"c has a namespaceSelector that does not select the namespace default, " +
				"d has a serviceSelector that does not select this Service and 1 more"},
		},
		"the pool that it asks for is not there": {
			web: []edit{inPool("pubic")},
			want: ipam.Decision{Reason: v1alpha1.ReasonNoMatchingPool, Message: `the Service asks for the ExternalIPPool "pubic", ` +
				`which does not exist: create it, or ask for another`},
		},
		"the pool that it asks for gives nothing any more": {
			config: withPools(ipam.Pool{Name: "a", Addresses: ipSet("192.168.4.1"), Closed: "it is being deleted"}, public),
			web:    []edit{inPool("a")},
			want: ipam.Decision{Reason: v1alpha1.ReasonNoMatchingPool, Message: "no ExternalIPPool is for this Service: " +
				"a gives no more addresses: it is being deleted"},
		},
		"no pool that fits has the family": {
			web: []edit{external, inPool("external"), families(bgp.IPv6)},
			want: ipam.Decision{Reason: v1alpha1.ReasonNoMatchingPool, Message: "the ExternalIPPool external holds no IPv6 addresses: " +
				"add some to a pool that is for this Service"},
		},
		"no block holds addresses of the pools": {
			web: []edit{inPool("external")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressNotAllowlisted, Message: "no block of serviceLoadBalancerIPs in the BGPConfiguration " +
				"named default holds an IPv4 address of the ExternalIPPool external: add a block"},
		},
		"the pools are exhausted": {
			before: fill,
			want: ipam.Decision{Reason: v1alpha1.ReasonPoolExhausted, Message: "no IPv4 address of the ExternalIPPool public is free: " +
				"add addresses, or delete Services that have some"},
		},
		"an address that it asks for": {
			web:  []edit{named("192.168.4.2")},
			want: ipam.Decision{Assigned: gives("public", lb, "192.168.4.2")},
		},
		"a family for which it asks no address is chosen freely": {
			web:  []edit{families(both...), named("192.168.4.2")},
			want: ipam.Decision{Assigned: gives("public", lb, "192.168.4.2", "2001:db8:4::1")},
		},
		"it asks for an address of a family that it has not": {
			web: []edit{named("2001:db8:4::1")},
			want: ipam.Decision{Reason: v1alpha1.ReasonInvalidRequest, Message: "the Service asks for 2001:db8:4::1, but is not of the family IPv6: " +
				"ask for addresses of its spec.ipFamilies only, or add the family there"},
		},
		"the address that it asks for is in no pool": {
			web: []edit{named("192.168.4.9")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressNotInPool, Message: "no ExternalIPPool holds 192.168.4.9, which the Service asks for: " +
				"add it to one, or ask for another"},
		},
		"the address that it asks for is in another pool than it asks for": {
			web: []edit{named("192.168.4.1"), inPool("external")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressNotInPool, Message: "the Service asks for 192.168.4.1, which is in the ExternalIPPool public, " +
				`and for addresses of the ExternalIPPool "external": ask for one of the two`},
		},
		"the address that it asks for is in a pool that is not for it": {
			config: withPools(ipam.Pool{Name: "a", Addresses: ipSet("192.168.4.1"), Services: gold}),
			web:    []edit{named("192.168.4.1")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressNotInPool, Message: "the Service asks for 192.168.4.1, which is in the ExternalIPPool a, " +
				"and that has a serviceSelector that does not select this Service"},
		},
		"the address that it asks for is in no block": {
			web: []edit{named("192.168.3.1")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressNotAllowlisted, Message: "no block of serviceLoadBalancerIPs in the BGPConfiguration " +
				"named default holds 192.168.3.1, which the Service asks for: add a block, or ask for another address"},
		},
		"the address that it asks for is another's": {
			before: func(c *rack) { c.create("a") },
			web:    []edit{named("192.168.4.1")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressInUse, Message: "192.168.4.1, which the Service asks for, is in use by the Service default/a: " +
				"both need the same annotation herald.network/shared-address to share it"},
		},
		"the address that it asks for is another's with another key": {
			before: func(c *rack) { c.create("a", sharing("x")) },
			web:    []edit{named("192.168.4.1"), sharing("y"), ports(81)},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressInUse, Message: "192.168.4.1, which the Service asks for, is in use by the Service default/a: " +
				`their annotations herald.network/shared-address differ: "y" and "x"`},
		},
		"the address that it asks for is of another with the same port": {
			before: func(c *rack) { c.create("a", sharing("x"), ports(81, 443)) },
			web:    []edit{named("192.168.4.1"), sharing("x"), ports(80, 443)},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressInUse, Message: "192.168.4.1, which the Service asks for, is in use by the Service default/a: " +
				"both have the port 443/TCP"},
		},
		"the address that it asks for is of another with another policy": {
			before: func(c *rack) { c.create("a", sharing("x"), ports(81)) },
			web:    []edit{named("192.168.4.1"), sharing("x"), local("app=web")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressInUse, Message: "192.168.4.1, which the Service asks for, is in use by the Service default/a: " +
				"their externalTrafficPolicy differs"},
		},
		"the address that it asks for is of another with other endpoints": {
			before: func(c *rack) { c.create("a", sharing("x"), ports(81), local("app=a")) },
			web:    []edit{named("192.168.4.1"), sharing("x"), local("app=web")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressInUse, Message: "192.168.4.1, which the Service asks for, is in use by the Service default/a: " +
				"with externalTrafficPolicy Local both need the same selector to share it"},
		},
		"the address that it asks for is of another without a selector": {
			before: func(c *rack) { c.create("a", sharing("x"), ports(81), local("")) },
			web:    []edit{named("192.168.4.1"), sharing("x"), local("")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressInUse, Message: "192.168.4.1, which the Service asks for, is in use by the Service default/a: " +
				"with externalTrafficPolicy Local both need the same selector to share it"},
		},
		"the address that it asks for was written by hand": {
			before: func(c *rack) { c.create("a", others("192.168.4.2"), sharing("x"), ports(81)) },
			web:    []edit{named("192.168.4.2"), sharing("x")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressInUse, Message: "192.168.4.2, which the Service asks for, is in use by the Service default/a: " +
				"Herald did not assign it there"},
		},
		"the address that it asks for was written by hand on itself": {
			web: []edit{named("192.168.4.2"), others("192.168.4.2")},
			want: ipam.Decision{Reason: v1alpha1.ReasonAddressInUse, Message: "192.168.4.2, which the Service asks for, is in use by this Service itself: " +
				"Herald did not assign it there"},
		},
		"an address written by hand is nobody's to be given": {
			before: func(c *rack) { c.create("a", others("192.168.4.1")) },
			want:   ipam.Decision{Reason: v1alpha1.ReasonPoolExhausted, Message: "no IPv4 address of the ExternalIPPool public is free: add addresses, or delete Services that have some"},
		},
		"who shares joins the lowest address of its group": {
			before: func(c *rack) {
				c.create("a")
				c.create("b", sharing("x"), ports(443))
			},
			web:  []edit{sharing("x")},
			want: ipam.Decision{Assigned: gives("public", lb, "192.168.4.2")},
		},
		"who shares the same endpoints joins too": {
			before: func(c *rack) {
				c.create("a")
				c.create("b", sharing("x"), ports(443), local("app=web"))
			},
			web:  []edit{sharing("x"), local("app=web")},
			want: ipam.Decision{Assigned: gives("public", lb, "192.168.4.2")},
		},
		"who can share with none of its group gets an address of its own": {
			before: func(c *rack) { c.create("a", sharing("x"), ports(80)) },
			web:    []edit{sharing("x")},
			want:   ipam.Decision{Assigned: gives("public", lb, "192.168.4.2")},
		},
		"a port of another protocol is another port": {
			before: func(c *rack) { c.create("a", sharing("x")) },
			web:    []edit{sharing("x"), func(s *ipam.Service) { s.Ports = []ipam.Port{{Protocol: "UDP", Number: 80}} }},
			want:   ipam.Decision{Assigned: gives("public", lb, "192.168.4.1")},
		},
		"who requires both families gets none where one is lacking": {
			before: func(c *rack) { c.create("a", families(v6...)); c.create("b", families(v6...)) },
			web:    []edit{families(both...)},
			want: ipam.Decision{Reason: v1alpha1.ReasonPoolExhausted, Message: "no IPv6 address of the ExternalIPPool public is free: " +
				"add addresses, or delete Services that have some; the Service requires both families, so it gets no new address of either"},
		},
		"who prefers both families gets the one there is": {
			before: func(c *rack) { c.create("a", families(v6...)); c.create("b", families(v6...)) },
			web:    []edit{families(both...), prefer},
			want: ipam.Decision{Assigned: gives("public", lb, "192.168.4.1"), Message: "no IPv6 address of the ExternalIPPool public is free: " +
				"add addresses, or delete Services that have some"},
		},
		"who prefers both families and gets none is told so": {
			before: fill,
			web:    []edit{families(both...), prefer},
			want: ipam.Decision{Reason: v1alpha1.ReasonPoolExhausted, Message: "no IPv4 address of the ExternalIPPool public is free: " +
				"add addresses, or delete Services that have some; no IPv6 address of the ExternalIPPool public is free: " +
				"add addresses, or delete Services that have some"},
		},
		"who prefers both families but asks for an address is told that it can't be had": {
			before: func(c *rack) { c.create("a", families(v6...)) },
			web:    []edit{families(both...), prefer, named("2001:db8:4::1")},
			want: ipam.Decision{
				Assigned: gives("public", lb, "192.168.4.1"), Reason: v1alpha1.ReasonAddressInUse,
				Message: "2001:db8:4::1, which the Service asks for, is in use by the Service default/a: " +
					"both need the same annotation herald.network/shared-address to share it",
			},
		},
		"a family that another load balancer serves lacks nothing": {
			web:  []edit{families(both...), func(s *ipam.Service) { s.Elsewhere = bgp.FamiliesOf(bgp.IPv6) }},
			want: ipam.Decision{Assigned: gives("public", lb, "192.168.4.1")},
		},
		"a load balancer elsewhere has nothing to do with external IPs": {
			web:  []edit{external, func(s *ipam.Service) { s.Elsewhere = bgp.FamiliesOf(bgp.IPv4, bgp.IPv6) }},
			want: ipam.Decision{Assigned: gives("external", ext, "192.168.3.1")},
		},
		"a request that can't be read": {
			web:  []edit{problem("what is that")},
			want: ipam.Decision{Reason: v1alpha1.ReasonInvalidRequest, Message: "what is that"},
		},
		"who is being deleted gets nothing": {
			web: []edit{func(s *ipam.Service) { s.Deleting = true }},
		},
		"who is being deleted keeps what it has": {
			web:  []edit{has("192.168.4.1"), func(s *ipam.Service) { s.Deleting, s.Wants = true, 0 }},
			want: ipam.Decision{Assigned: gives("public", lb, "192.168.4.1")},
		},
		"who asks for nothing gets nothing": {web: []edit{func(s *ipam.Service) { s.Wants = 0 }}},
		"a new leader leaves every address where it is": {
			before: func(c *rack) { c.create("a") },
			web:    []edit{has("192.168.4.2"), inPool("public")},
			want:   ipam.Decision{Assigned: gives("public", lb, "192.168.4.2")},
		},
		"what somebody took away is given back": {
			web:  []edit{func(s *ipam.Service) { s.Former = addrs("192.168.4.2") }},
			want: ipam.Decision{Assigned: gives("public", lb, "192.168.4.2")},
		},
		"what somebody took away and another has is not given back": {
			before: func(c *rack) { c.set("a", has("192.168.4.2")) },
			web:    []edit{func(s *ipam.Service) { s.Former = addrs("192.168.4.2") }},
			want:   ipam.Decision{Assigned: gives("public", lb, "192.168.4.1")},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			if row.config.LoadBalancerIPBlocks == nil {
				row.config = rackConfig()
			}
			c := newRack(t, row.config)
			if row.before != nil {
				row.before(c)
			}
			c.set("web", row.web...)
			got := c.table.Decide(c.api["web"].Key, c.now)
			if diff := cmp.Diff(row.want, got, sameAddresses, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
			if again := c.table.Decide(c.api["web"].Key, c.now); !cmp.Equal(got, again, sameAddresses) {
				t.Errorf("asked again, it says %+v", again)
			}
		})
	}
}
