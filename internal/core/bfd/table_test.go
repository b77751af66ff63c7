package bfd_test

import (
	"net/netip"
	"testing"

	"github.com/herald-network/herald/internal/core/bfd"
)

func TestPacketsFindTheirSession(t *testing.T) {
	addr := netip.MustParseAddr
	ends := map[string]bfd.Ends{
		"tor":          {Local: addr("192.168.1.11"), Remote: addr("192.168.1.1")},
		"tor multihop": {Local: addr("192.168.1.11"), Remote: addr("192.168.1.1"), Multihop: true},
		"tor eth0":     {Local: addr("fe80::2%eth0"), Remote: addr("fe80::1%eth0")},
		"tor eth1":     {Local: addr("fe80::2%eth1"), Remote: addr("fe80::1%eth1")},
	}
	discriminators := map[string]uint32{"tor": 1, "tor multihop": 2, "tor eth0": 3, "tor eth1": 4}
	var table bfd.Table[string]
	for name, e := range ends {
		if !table.Add(discriminators[name], e, name) {
			t.Fatalf("%s was not added", name)
		}
	}
	for name, e := range ends {
		first := bfd.Packet{MyDiscriminator: 7}
		if got, found := table.Find(first, e); !found || got != name {
			t.Errorf("a first packet for %q found %q, %v", name, got, found)
		}
		for other, discriminator := range discriminators {
			got, found := table.Find(bfd.Packet{MyDiscriminator: 7, YourDiscriminator: discriminator}, e)
			if want := other == name; found != want || found && got != name {
				t.Errorf("between the ends of %q, the discriminator of %q found %q, %v", name, other, got, found)
			}
		}
	}
	if got, found := table.Find(bfd.Packet{YourDiscriminator: 99}, ends["tor"]); found {
		t.Errorf("an unknown discriminator found %q", got)
	}
	if got, found := table.At(bfd.Ends{Local: addr("192.168.1.11"), Remote: addr("192.168.1.2")}); found {
		t.Errorf("unknown ends found %q", got)
	}

	table.Remove(1)
	if got, found := table.Find(bfd.Packet{YourDiscriminator: 1}, ends["tor"]); found {
		t.Errorf("found %q after it was removed", got)
	}
	if got, found := table.At(ends["tor"]); found {
		t.Errorf("found %q after it was removed", got)
	}
	if !table.Add(5, ends["tor"], "again") {
		t.Error("not added again")
	}
}

func TestATableHoldsNoTwoOfAKind(t *testing.T) {
	ends := bfd.Ends{Local: netip.MustParseAddr("192.168.1.11"), Remote: netip.MustParseAddr("192.168.1.1")}
	other := bfd.Ends{Local: ends.Local, Remote: netip.MustParseAddr("192.168.1.2")}
	var table bfd.Table[int]
	table.Add(1, ends, 1)
	for name, added := range map[string]bool{
		"the discriminator 0":   table.Add(0, other, 2),
		"a discriminator twice": table.Add(1, other, 2),
		"ends twice":            table.Add(2, ends, 2),
	} {
		if added {
			t.Errorf("added %s", name)
		}
	}
	if got, found := table.At(ends); !found || got != 1 {
		t.Errorf("found %d, %v", got, found)
	}
}
