package ipam_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
)

func TestWhoWaitsNextIsServedWhenTheOldestIsGone(t *testing.T) {
	c := newContestedRack(t)
	c.delete("a")
	c.table.Serve(c.now)
	c.wantTouched("b")
}

func TestTheNextRestIsThatOfTheLastRelease(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.create("b")
	c.delete("a")
	c.create("c", named("192.168.4.1"))
	c.set("b", others("192.168.4.1"))
	c.now = c.now.Add(ipam.ShortRest / 2)
	c.set("b", others())
	if next := c.table.Serve(c.now); !next.Equal(c.now.Add(ipam.ShortRest)) {
		t.Errorf("the next is served at %s, want %s", next, c.now.Add(ipam.ShortRest))
	}
}

func TestOfTwoAddressesOfAFamilyOneIsGivenBack(t *testing.T) {
	c := newRack(t, rackConfig())
	c.set("a", has("192.168.4.1", "192.168.4.2"))
	want := ipam.Decision{
		Assigned: gives("public", advertise.LoadBalancerIP, "192.168.4.1"),
		Moves:    []ipam.Move{{From: netip.MustParseAddr("192.168.4.2"), Message: "the Service has another IPv4 address from Herald"}},
	}
	if diff := cmp.Diff(want, c.table.Decide(c.api["a"].Key, c.now), sameAddresses); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
	c.set("a", named("192.168.4.2"))
	d := c.decide("a")
	c.wantAddresses(d, "192.168.4.2")
	if d.Moves[0].Message != "the Service asks for 192.168.4.2" || d.Moves[0].To.IsValid() {
		t.Errorf("moves: %+v", d.Moves)
	}
}

func TestAPoolOfAnotherNameIsTold(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.table.TakeTouched()
	c.reconfigure(func(config *ipam.Config) { config.Pools[0].Name = "renamed" })
	c.wantTouched("a")
	if d := c.decide("a"); d.Assigned[0].Pool != "renamed" || len(d.Moves) > 0 {
		t.Errorf("got %+v", d)
	}
}

func TestAFamilyThatIsMerelyPreferredIsGivenOnceThereIsAPool(t *testing.T) {
	config := rackConfig()
	config.Pools[0].Addresses = ipSet("192.168.4.1")
	c := newRack(t, config)
	c.create("a", families(both...), prefer)
	c.table.TakeTouched()
	c.reconfigure(func(*ipam.Config) {})
	c.wantTouched("a")
	c.wantAddresses(c.decide("a"), "192.168.4.1", "2001:db8:4::1")
}

func TestTheOldestOfThoseWhoShareIsNamed(t *testing.T) {
	for _, order := range [][]string{{"old", "young"}, {"young", "old"}} {
		c := newRack(t, rackConfig())
		c.set("old", sharing("x"), ports(80))
		c.set("young", sharing("x"), ports(81))
		for _, name := range order {
			c.set(name, has("192.168.4.1"))
		}
		d := c.create("web", named("192.168.4.1"), ports(82))
		if want := "192.168.4.1, which the Service asks for, is in use by the Service default/old: " +
			"both need the same annotation herald.network/shared-address to share it"; d.Message != want {
			t.Errorf("got %q, want %q", d.Message, want)
		}
	}
}

// What only another configuration helps is told rather than what may be had at any time.
func TestWhatOnlyAConfigurationHelpsIsToldFirst(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a", families(v6...))
	c.create("b", families(v6...))
	c.create("c", families(both...), inPool("public"))
	c.reconfigure(func(config *ipam.Config) { config.Pools[0].Addresses = ipSet("2001:db8:4::1-2001:db8:4::2") })
	d := c.decide("c")
	if want := "the ExternalIPPool public holds no IPv4 addresses: add some to a pool that is for this Service; " +
		"the Service requires both families, so it gets no new address of either"; d.Message != want {
		t.Errorf("got %q, want %q", d.Message, want)
	}
}

func TestTheAgeOfAServiceIsThatOfItsCreation(t *testing.T) {
	c := newRack(t, rackConfig())
	for _, name := range []string{"a", "b", "c", "d"} {
		c.create(name)
	}
	c.set("c", func(s *ipam.Service) { s.Created = s.Created.Add(time.Hour) })
	c.delete("a")
	c.now = c.table.Serve(c.now)
	c.table.TakeTouched()
	c.table.Serve(c.now)
	c.wantTouched("c")
	c.wantNothingLeftAfter("b", "c", "d")
}
