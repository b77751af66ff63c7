package ipam_test

import (
	"maps"
	"net/netip"
	"slices"
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

// eachFamily runs a test for both families; address returns the nth of the two addresses of the pool public.
func eachFamily(t *testing.T, test func(c *rack, address func(n string) string)) {
	t.Helper()
	for prefix, family := range map[string]bgp.Family{"192.168.4.": bgp.IPv4, "2001:db8:4::": bgp.IPv6} {
		t.Run(family.String(), func(t *testing.T) {
			c := newRack(t, rackConfig())
			c.family = family
			test(c, func(n string) string { return prefix + n })
		})
	}
}

func TestAReleasedAddressRestsAsLongAsThereAreOthers(t *testing.T) {
	eachFamily(t, func(c *rack, address func(string) string) {
		c.create("a")
		c.delete("a")
		c.wantAddresses(c.create("b"), address("2"))
		c.delete("b")
		c.now = c.now.Add(ipam.Rest - 1)
		if d := c.table.Decide(c.api["b"].Key, c.now); len(d.Assigned) > 0 {
			t.Errorf("a Service that is gone is to have %+v", d)
		}
		c.now = c.now.Add(1)
		c.wantAddresses(c.create("c"), address("1"))
	})
}

func TestTheLongestRestedIsTakenWhereNothingElseIsFree(t *testing.T) {
	eachFamily(t, func(c *rack, address func(string) string) {
		c.create("a")
		c.create("b")
		c.delete("b")
		c.now = c.now.Add(time.Second / 2)
		c.delete("a")
		if d := c.create("c"); d.Reason != v1alpha1.ReasonPoolExhausted {
			t.Errorf("got %+v", d)
		}
		next := c.table.Serve(c.now)
		if want := start.Add(ipam.ShortRest); !next.Equal(want) {
			t.Errorf("the next is served at %s, want %s", next, want)
		}
		c.wantTouched()
		c.now = next
		if next = c.table.Serve(c.now); !next.IsZero() {
			t.Errorf("nobody waits, and yet the next is served at %s", next)
		}
		c.wantTouched("c")
		c.wantAddresses(c.decide("c"), address("2"))
		c.now = c.now.Add(time.Second)
		c.wantAddresses(c.create("d"), address("1"))
	})
}

func TestAnAddressThatIsAskedForRestsShortly(t *testing.T) {
	eachFamily(t, func(c *rack, address func(string) string) {
		c.create("a")
		c.delete("a")
		d := c.create("b", named(address("1")))
		if d.Reason != v1alpha1.ReasonAddressInUse || d.Message != address("1")+", which the Service asks for, was released a moment ago: "+
			"it is assigned once its old routes are gone" {
			t.Errorf("got %+v", d)
		}
		next := c.table.Serve(c.now)
		if !next.Equal(c.now.Add(ipam.ShortRest)) {
			t.Errorf("the next is served at %s", next)
		}
		c.now = next
		c.table.Serve(c.now)
		c.wantTouched("b")
		c.wantAddresses(c.decide("b"), address("1"))
	})
}

func TestAnAddressThatIsListedRestsForAsLongAsItIs(t *testing.T) {
	eachFamily(t, func(c *rack, address func(string) string) {
		first := netip.MustParseAddr(address("1"))
		c.table.SetListed(first, true, c.now)
		c.wantAddresses(c.create("a"), address("2"))
		c.now = c.now.Add(time.Hour)
		c.create("b")
		if next := c.table.Serve(c.now); !next.IsZero() {
			t.Errorf("nobody knows when %s is not listed any more, and yet the next is served at %s", first, next)
		}
		c.wantTouched()
		c.table.SetListed(first, false, c.now)
		c.table.Serve(c.now)
		c.wantTouched("b")
		c.wantAddresses(c.decide("b"), address("1"))
	})
}

func TestAnAddressThatIsListedNoMoreRestsSinceItsRelease(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.table.SetListed(netip.MustParseAddr("192.168.4.1"), true, c.now)
	c.delete("a")
	c.now = c.now.Add(ipam.Rest / 2)
	c.table.SetListed(netip.MustParseAddr("192.168.4.1"), false, c.now)
	c.wantAddresses(c.create("b"), "192.168.4.2")
	c.now = c.now.Add(ipam.Rest / 2)
	c.wantAddresses(c.create("c"), "192.168.4.1")
}

func TestAPromiseOutlivesTheOldStateButNotItsService(t *testing.T) {
	eachFamily(t, func(c *rack, address func(string) string) {
		c.set("a")
		c.table.Decide(c.api["a"].Key, c.now)
		c.set("a", func(s *ipam.Service) { s.Labels = map[string]string{"app": "web"} })
		if !c.table.Has(netip.MustParseAddr(address("1"))) {
			t.Error("the promise is lost")
		}
		c.wantAddresses(c.create("b"), address("2"))
		c.set("a", func(s *ipam.Service) { s.UID = "2" })
		if c.table.Has(netip.MustParseAddr(address("1"))) {
			t.Error("the promise was to another Service")
		}
		if d := c.decide("a"); d.Reason != v1alpha1.ReasonPoolExhausted {
			t.Errorf("the address must rest, since it may have been written: %+v", d)
		}
	})
}

func TestAPromiseThatIsRenouncedIsFreeAtOnce(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.set("b")
	c.wantAddresses(c.table.Decide(c.api["b"].Key, c.now), "192.168.4.2")
	c.create("c")
	c.table.TakeTouched()
	c.table.Renounce(c.api["b"].Key)
	c.table.Serve(c.now)
	c.wantTouched("c")
	c.wantAddresses(c.decide("c"), "192.168.4.2")
	c.set("b")
	c.wantTouched()
	if d := c.decide("b"); d.Reason != v1alpha1.ReasonPoolExhausted {
		t.Errorf("got %+v", d)
	}
}

func TestARenouncedAddressThatWasAtRestGoesOnResting(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.delete("a")
	c.now = c.now.Add(ipam.ShortRest)
	c.set("b", named("192.168.4.1"))
	c.wantAddresses(c.table.Decide(c.api["b"].Key, c.now), "192.168.4.1")
	c.table.Renounce(c.api["b"].Key)
	c.wantAddresses(c.create("c"), "192.168.4.2")
	c.wantAddresses(c.create("d"), "192.168.4.1")
}

func TestARenouncedAddressThatASharerHadUntilThenRests(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a", sharing("x"), ports(80))
	c.set("b", sharing("x"), ports(443))
	c.wantAddresses(c.table.Decide(c.api["b"].Key, c.now), "192.168.4.1")
	c.delete("a")
	c.table.Renounce(c.api["b"].Key)
	c.wantAddresses(c.create("c"), "192.168.4.2")
}

// newContestedRack returns a rack in which two Services, first a and then b, have asked by name for 192.168.4.1, which no node
// lists any more.
func newContestedRack(t *testing.T) *rack {
	t.Helper()
	first := netip.MustParseAddr("192.168.4.1")
	c := newRack(t, rackConfig())
	c.table.SetListed(first, true, c.now)
	c.create("a", named("192.168.4.1"))
	c.create("b", named("192.168.4.1"))
	c.table.TakeTouched()
	c.table.SetListed(first, false, c.now)
	return c
}

func TestWhoWaitsForAnAddressByNameIsServedHoweverItIsFreed(t *testing.T) {
	c := newContestedRack(t)
	c.table.Serve(c.now)
	c.wantTouched("a", "b")
	if d := c.decide("b"); d.Reason != v1alpha1.ReasonAddressInUse {
		t.Errorf("got %+v", d)
	}
	c.table.Renounce(c.api["a"].Key)
	c.table.Serve(c.now)
	c.wantTouched("b")
	c.wantAddresses(c.decide("b"), "192.168.4.1")
}

func TestOfThoseWhoWaitForASharedAddressTheOldestThatCanShareIsServed(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a", sharing("x"), ports(80))
	c.create("b", sharing("x"), ports(81))
	c.create("c", sharing("x"), ports(81), named("192.168.4.1"))
	c.create("d", sharing("x"), ports(80), named("192.168.4.1"))
	c.table.TakeTouched()
	c.delete("a")
	c.table.Serve(c.now)
	c.wantTouched("d")
	c.wantAddresses(c.decide("d"), "192.168.4.1")
}

func TestTheLongestRestedOfAllPoolsIsTaken(t *testing.T) {
	config := rackConfig()
	config.Pools = []ipam.Pool{
		{Name: "a", Addresses: ipSet("192.168.4.1"), Priority: 1}, {Name: "b", Addresses: ipSet("192.168.4.2")}, {Name: "c", Addresses: ipSet("192.168.4.3")},
	}
	c := newRack(t, config)
	for _, name := range []string{"a", "b", "c"} {
		c.create(name)
	}
	for _, name := range []string{"b", "a", "c"} {
		c.delete(name)
		c.now = c.now.Add(time.Second)
	}
	c.wantAddresses(c.create("d"), "192.168.4.2")
}

func TestWhoIsToldToMoveStaysWhenItsRivalIsGone(t *testing.T) {
	c := newRack(t, rackConfig())
	c.set("old", has("192.168.4.1"))
	c.set("young", has("192.168.4.1"))
	c.decide("old")
	c.wantAddresses(c.table.Decide(c.api["young"].Key, c.now), "192.168.4.2")
	c.table.TakeTouched()
	c.delete("old")
	c.wantTouched("young")
	d := c.decide("young")
	c.wantAddresses(d, "192.168.4.1")
	if len(d.Moves) > 0 {
		t.Errorf("moves: %+v", d.Moves)
	}
}

func TestWhoIsBeingDeletedKeepsItsAddressFromTheYounger(t *testing.T) {
	c := newRack(t, rackConfig())
	c.set("old", has("192.168.4.1"), func(s *ipam.Service) { s.Deleting, s.Wants = true, 0 })
	c.set("young", has("192.168.4.1"))
	c.wantAddresses(c.decide("young"), "192.168.4.2")
	c.wantAddresses(c.decide("old"), "192.168.4.1")
}

// A Service that waits for both families is told the same as long as it waits, whatever happens to be free.
func TestWhatAServiceIsToldDoesNotChangeWithWhatHappensToBeFree(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a", families(v6...))
	c.create("b", families(v6...))
	want := c.create("c", families(both...))
	c.create("d")
	c.create("e")
	if diff := cmp.Diff(want, c.decide("c"), sameAddresses); diff != "" || want.Reason != v1alpha1.ReasonPoolExhausted {
		t.Errorf("decision (-before +when nothing is free):\n%s", diff)
	}
}

func TestTheOldestIsServedFirst(t *testing.T) {
	eachFamily(t, func(c *rack, address func(string) string) {
		for _, name := range []string{"a", "b", "c", "d"} {
			c.create(name)
		}
		c.table.TakeTouched()
		c.delete("a")
		c.now = c.now.Add(ipam.ShortRest)
		if d := c.create("e"); len(d.Assigned) > 0 {
			t.Errorf("who came later is to have %+v", d)
		}
		c.wantTouched("c")
		c.wantAddresses(c.decide("c"), address("1"))
		c.wantTouched()
		c.delete("d")
		c.delete("b")
		c.now = c.now.Add(ipam.ShortRest)
		c.table.Serve(c.now)
		c.wantTouched("e")
		c.wantAddresses(c.decide("e"), address("2"))
	})
}

func TestWhoWasNotDecidedOnYetIsServedBeforeTheYounger(t *testing.T) {
	c := newRack(t, rackConfig())
	for _, name := range []string{"a", "b", "c"} {
		c.set(name)
	}
	if d := c.table.Decide(c.api["c"].Key, c.now); d.Reason != v1alpha1.ReasonPoolExhausted {
		t.Errorf("the youngest is to have %+v", d)
	}
	c.wantTouched("a", "b")
	c.wantAddresses(c.decide("b"), "192.168.4.2")
	c.wantAddresses(c.decide("a"), "192.168.4.1")
}

func TestOfTwoThatHaveOneAddressTheYoungerMoves(t *testing.T) {
	eachFamily(t, func(c *rack, address func(string) string) {
		c.set("old", has(address("1")))
		c.set("young", has(address("1")))
		c.wantTouched("old", "young")
		c.wantAddresses(c.decide("old"), address("1"))
		d := c.decide("young")
		c.wantAddresses(d, address("2"))
		want := []ipam.Move{{
			From: netip.MustParseAddr(address("1")), To: netip.MustParseAddr(address("2")), Reason: v1alpha1.ReasonAddressConflict,
			Message: address("1") + " is also in use by the Service default/old, which keeps it: both need the same annotation herald.network/shared-address to share it",
		}}
		if diff := cmp.Diff(want, d.Moves, sameAddresses); diff != "" || d.Reason != "" {
			t.Errorf("reason %q, moves (-want +got):\n%s", d.Reason, diff)
		}
		c.set("older", has(address("2")), func(s *ipam.Service) { s.Created = start })
		c.wantTouched("older", "young")
		d = c.decide("young")
		c.wantAddresses(d)
		if d.Reason != v1alpha1.ReasonPoolExhausted || len(d.Moves) != 1 || d.Moves[0].To.IsValid() || d.Moves[0].Reason != v1alpha1.ReasonAddressConflict {
			t.Errorf("got %+v", d)
		}
	})
}

func TestAnAddressWrittenByHandMovesNobody(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.create("b")
	c.table.TakeTouched()
	c.set("b", others("192.168.4.1"))
	c.wantTouched()
	c.wantAddresses(c.decide("a"), "192.168.4.1")
}

func TestAPromiseYieldsToAnAddressWrittenByHand(t *testing.T) {
	c := newRack(t, rackConfig())
	c.set("a")
	c.wantAddresses(c.table.Decide(c.api["a"].Key, c.now), "192.168.4.1")
	c.create("b", external, others("192.168.4.1"))
	c.wantTouched("a")
	c.wantAddresses(c.decide("a"), "192.168.4.2")
}

func TestWhoSharesMovesWhenItsPortsClash(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a", sharing("x"), ports(80))
	c.create("b", sharing("x"), ports(443))
	c.table.TakeTouched()
	c.set("a", ports(80, 443))
	c.wantTouched("a", "b")
	c.wantAddresses(c.decide("a"), "192.168.4.1")
	d := c.decide("b")
	c.wantAddresses(d, "192.168.4.2")
	if d.Moves[0].Message != "192.168.4.1 is also in use by the Service default/a, which keeps it: both have the port 443/TCP" {
		t.Errorf("moves: %+v", d.Moves)
	}
}

func TestWhoWaitsForItsGroupJoinsWhenItCan(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a", sharing("x"), ports(80))
	c.create("b")
	c.create("c", sharing("x"), ports(80, 81))
	c.table.TakeTouched()
	c.set("a", ports(90))
	c.table.Serve(c.now)
	c.wantTouched("a", "c")
	c.wantAddresses(c.decide("c"), "192.168.4.1")
}

// reconfigure replaces the pools and blocks.
func (c *rack) reconfigure(change func(*ipam.Config)) {
	config := rackConfig()
	change(&config)
	c.table.Configure(config, c.now)
}

func TestAPoolThatShrinksMovesThoseOutsideIt(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.create("b")
	c.table.TakeTouched()
	c.reconfigure(func(config *ipam.Config) { config.Pools[0].Addresses = ipSet("192.168.4.2-192.168.4.3") })
	c.wantTouched("a")
	d := c.decide("a")
	want := ipam.Decision{
		Assigned: gives("public", advertise.LoadBalancerIP, "192.168.4.3"),
		Moves: []ipam.Move{{
			From: netip.MustParseAddr("192.168.4.1"), To: netip.MustParseAddr("192.168.4.3"),
			Reason: v1alpha1.ReasonAddressNotInPool, Message: "no ExternalIPPool holds 192.168.4.1 any more",
		}},
	}
	if diff := cmp.Diff(want, d, sameAddresses); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
	c.reconfigure(func(config *ipam.Config) { config.Pools = nil })
	c.wantTouched("a", "b")
	c.set("b", problem("unreadable"))
	c.wantAddresses(c.decide("b"), "192.168.4.2")
	if d := c.decide("a"); d.Reason != v1alpha1.ReasonNoMatchingPool || len(d.Moves) != 1 || d.Moves[0].To.IsValid() {
		t.Errorf("got %+v", d)
	}
}

func TestAPoolThatIsDeletedHoldsWhatItGave(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.set("b")
	c.table.Decide(c.api["b"].Key, c.now)
	c.reconfigure(func(config *ipam.Config) { config.Pools[0].Closed = "it is being deleted" })
	c.wantAddresses(c.decide("a"), "192.168.4.1")
	if d := c.decide("b"); len(d.Assigned) > 0 || c.table.HolderCount("public") != 1 {
		t.Errorf("what is only promised is not given any more: %+v, and %d Services hold", d, c.table.HolderCount("public"))
	}
	c.create("c", others("2001:db8:4::1"))
	if got := c.table.Usage("public", bgp.IPv6); got.Assigned != 1 || got.Available.Sign() != 0 || got.Total.String() != "2" {
		t.Errorf("usage: %+v", got)
	}
}

func TestAnAddressThatLeavesTheBlocksStays(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.table.TakeTouched()
	c.reconfigure(func(config *ipam.Config) { config.LoadBalancerIPBlocks = config.LoadBalancerIPBlocks[1:] })
	c.wantTouched("a")
	want := ipam.Decision{
		Assigned: gives("public", advertise.LoadBalancerIP, "192.168.4.1"), Reason: v1alpha1.ReasonAddressNotAllowlisted,
		Message: "no block of serviceLoadBalancerIPs in the BGPConfiguration named default holds 192.168.4.1, so it is not advertised: " +
			"add a block, or ask for another address",
	}
	if diff := cmp.Diff(want, c.decide("a"), sameAddresses); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
	c.wantTouched()
	c.reconfigure(func(*ipam.Config) {})
	c.wantTouched("a")
	if d := c.decide("a"); d.Reason != "" || d.Message != "" {
		t.Errorf("got %+v", d)
	}
}

func TestARequestMovesAServiceOnceItCanBeFollowed(t *testing.T) {
	eachFamily(t, func(c *rack, address func(string) string) {
		c.create("a")
		c.create("b")
		c.table.TakeTouched()
		c.set("b", named(address("1")))
		c.wantTouched("b")
		d := c.decide("b")
		c.wantAddresses(d, address("2"))
		if d.Reason != v1alpha1.ReasonAddressInUse || len(d.Moves) > 0 {
			t.Errorf("got %+v", d)
		}
		c.delete("a")
		c.now = c.table.Serve(c.now)
		c.table.Serve(c.now)
		c.wantTouched("b")
		want := []ipam.Move{{From: netip.MustParseAddr(address("2")), To: netip.MustParseAddr(address("1")), Message: "the Service asks for " + address("1")}}
		d = c.table.Decide(c.api["b"].Key, c.now)
		if diff := cmp.Diff(want, d.Moves, sameAddresses); diff != "" || d.Reason != "" {
			t.Errorf("%q, moves (-want +got):\n%s", d.Reason, diff)
		}
		c.wantAddresses(c.decide("b"), address("1"))
		if c.table.Has(netip.MustParseAddr(address("2"))) {
			t.Error("the old address is not given back")
		}
	})
}

func TestARequestForAnotherPoolMovesAService(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.reconfigure(func(config *ipam.Config) {
		config.Pools[1] = ipam.Pool{Name: "next", Addresses: ipSet("192.168.4.8"), Priority: 9}
	})
	c.wantAddresses(c.decide("a"), "192.168.4.1")
	c.set("a", inPool("next"))
	d := c.decide("a")
	c.wantAddresses(d, "192.168.4.8")
	if d.Moves[0].Message != `the Service asks for the ExternalIPPool "next"` {
		t.Errorf("moves: %+v", d.Moves)
	}
	c.set("a", inPool("public"), problem("unreadable"))
	d = c.decide("a")
	c.wantAddresses(d, "192.168.4.8")
	if d.Reason != v1alpha1.ReasonInvalidRequest {
		t.Errorf("a request that can't be read takes nothing away: %+v", d)
	}
}

func TestWhatAServiceAsksForNoMoreIsTakenAway(t *testing.T) {
	rows := map[string]struct {
		change  edit
		have    []string
		message string
	}{
		"another kind":   {external, []string{"192.168.3.1"}, "the Service asks for an external IP instead of a load balancer IP"},
		"nothing":        {func(s *ipam.Service) { s.Wants = 0 }, nil, "the Service asks for no load balancer IP from Herald any more"},
		"other families": {families(bgp.IPv6), []string{"2001:db8:4::1"}, "the Service has no IPv4 any more"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			c := newRack(t, rackConfig())
			c.create("a")
			c.table.TakeTouched()
			c.set("a", row.change)
			c.wantTouched("a")
			d := c.decide("a")
			c.wantAddresses(d, row.have...)
			if len(d.Moves) != 1 || d.Moves[0].Message != row.message || d.Moves[0].Reason != "" {
				t.Errorf("moves: %+v", d.Moves)
			}
			if c.table.Has(netip.MustParseAddr("192.168.4.1")) {
				t.Error("the address is not given back")
			}
		})
	}
}

func TestAFamilyThatIsGainedIsServedBesidesTheOther(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a", families(v6...))
	c.create("b", families(v6...))
	c.create("c")
	c.table.TakeTouched()
	c.set("c", families(both...))
	d := c.decide("c")
	c.wantAddresses(d, "192.168.4.1")
	if d.Reason != v1alpha1.ReasonPoolExhausted {
		t.Errorf("got %+v", d)
	}
	c.delete("a")
	c.now = c.table.Serve(c.now)
	c.table.Serve(c.now)
	c.wantAddresses(c.decide("c"), "192.168.4.1", "2001:db8:4::1")
}

func TestANamespaceThatIsLabelledServesWhoWaitsThere(t *testing.T) {
	config := rackConfig()
	config.Pools[0].Namespaces = labels.SelectorFromSet(labels.Set{"tier": "gold"})
	c := newRack(t, config)
	c.create("a")
	c.create("elsewhere", func(s *ipam.Service) { s.Key.Namespace = "shop" })
	c.table.TakeTouched()
	c.table.SetNamespace("default", map[string]string{"tier": "gold"})
	c.wantTouched("a")
	c.wantAddresses(c.decide("a"), "192.168.4.1")
	c.table.SetNamespace("default", nil)
	c.wantTouched()
	c.wantAddresses(c.decide("a"), "192.168.4.1")
}

func TestWhoIsServedIsNotTouchedAgain(t *testing.T) {
	c := newRack(t, rackConfig())
	c.create("a")
	c.create("b", families(v6...))
	c.table.TakeTouched()
	c.set("a")
	c.create("c", families(both...))
	c.delete("c")
	c.table.Serve(c.now)
	c.reconfigure(func(config *ipam.Config) { config.Pools[0].Priority = 3 })
	c.wantTouched()
	c.set("a", has())
	c.wantTouched("a")
}

func TestUsageOfAPoolThatNobodyCanCount(t *testing.T) {
	config := ipam.Config{
		Pools:                []ipam.Pool{{Name: "public", Addresses: ipSet("2001:db8:4::1-2001:db8:4::ffff:ffff:ffff:ffff", "192.168.3.0/30")}},
		LoadBalancerIPBlocks: []netip.Prefix{netip.MustParsePrefix("2001:db8:4::/64")},
	}
	c := newRack(t, config)
	if got := c.table.TakeUsageChanges(); !slices.Equal(got, []string{"public"}) {
		t.Errorf("changed: %v", got)
	}
	c.wantAddresses(c.create("a", families(v6...)), "2001:db8:4::1")
	c.create("b", others("192.168.3.1", "2001:db8:4::1:1"))
	for family, want := range map[bgp.Family][3]string{
		bgp.IPv6: {"18446744073709551615", "2", "18446744073709551613"},
		bgp.IPv4: {"4", "1", "0"},
		0:        {"0", "0", "0"},
	} {
		got := c.table.Usage("public", family)
		if got.Total.String() != want[0] || got.Available.String() != want[2] || string(rune('0'+got.Assigned)) != want[1] {
			t.Errorf("%s: %s, %d, %s, want %v", family, got.Total, got.Assigned, got.Available, want)
		}
	}
	if got := c.table.Usage("nowhere", bgp.IPv4); got.Total.Sign() != 0 || got.Available.Sign() != 0 || c.table.HolderCount("nowhere") != 0 {
		t.Errorf("a pool that is not there has %+v", got)
	}
	if got := c.table.TakeUsageChanges(); !slices.Equal(got, []string{"public"}) {
		t.Errorf("changed: %v", got)
	}
	c.decide("a")
	if got := c.table.TakeUsageChanges(); len(got) > 0 {
		t.Errorf("nothing happened, and yet there changed %v", got)
	}
	if got := slices.Collect(c.table.Holders("public")); len(got) != 1 || got[0].Name != "a" || c.table.HolderCount("public") != 1 {
		t.Errorf("the holders are %v", got)
	}
	c.delete("a")
	if got := c.table.TakeUsageChanges(); !slices.Equal(got, []string{"public"}) || c.table.HolderCount("public") != 0 {
		t.Errorf("changed: %v", got)
	}
}

func TestWaitingCountsByReason(t *testing.T) {
	c := newRack(t, rackConfig())
	for _, name := range []string{"a", "b", "c", "d"} {
		c.create(name)
	}
	c.create("e", inPool("nowhere"))
	c.create("f", families(both...), prefer)
	c.create("g", families(both...), prefer, external)
	want := map[string]int{"PoolExhausted": 2, "NoMatchingPool": 1}
	if diff := cmp.Diff(want, maps.Collect(c.table.Waiting())); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
	c.delete("d")
	c.set("e", inPool(""), external)
	c.decide("e")
	if diff := cmp.Diff(map[string]int{"PoolExhausted": 1}, maps.Collect(c.table.Waiting())); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
}

func TestNothingIsKeptOfWhatIsGone(t *testing.T) {
	c := newRack(t, rackConfig())
	for _, name := range []string{"a", "b", "c"} {
		c.create(name, families(both...), sharing(name))
	}
	c.create("d", named("192.168.4.1"))
	c.create("e", named("192.168.9.9"), sharing("a"), others("10.0.0.1"))
	c.wantNothingLeftAfter("a", "b", "c", "d", "e")
	if diff := cmp.Diff(map[string]int{}, maps.Collect(c.table.Waiting()), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
}
