package ipam_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
)

// benchServices is the size that the manager is held to: so many Services with an address each.
const benchServices = 100_000

func benchConfig(addresses ...string) ipam.Config {
	return ipam.Config{
		Pools:                []ipam.Pool{{Name: "public", Addresses: ipSet(addresses...)}},
		LoadBalancerIPBlocks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
		ExternalIPBlocks:     []netip.Prefix{netip.MustParsePrefix("10.0.0.0/9")},
	}
}

func benchService(i int, families ...bgp.Family) ipam.Service {
	return ipam.Service{
		Key:      advertise.ServiceKey{Namespace: fmt.Sprintf("namespace-%03d", i%100), Name: fmt.Sprintf("service-%06d", i)},
		UID:      "1",
		Created:  start.Add(time.Duration(i) * time.Millisecond),
		Wants:    advertise.LoadBalancerIP,
		Families: families,
		Ports:    []ipam.Port{{Protocol: "TCP", Number: 80}},
	}
}

// having returns the Service with what it was assigned.
func having(s ipam.Service, d ipam.Decision) ipam.Service {
	for _, a := range d.Assigned {
		s.Assigned = append(s.Assigned, advertise.Address{Addr: a.Address, Kind: a.Kind})
	}
	return s
}

// benchTable returns a table in which so many Services have an address each.
func benchTable(b *testing.B, config ipam.Config, services int, families ...bgp.Family) *ipam.Table {
	b.Helper()
	table := ipam.NewTable()
	table.Configure(config, start)
	for i := range services {
		s := benchService(i, families...)
		table.SetService(s, start)
		d := table.Decide(s.Key, start)
		if len(d.Assigned) != len(families) {
			b.Fatalf("Service %d is to have %+v", i, d)
		}
		table.SetService(having(s, d), start)
	}
	table.TakeTouched()
	table.TakeUsageChanges()
	b.ReportAllocs()
	return table
}

// BenchmarkServiceComesAndGoes is the whole life of one more Service: created, assigned, seen with its address, deleted.
func BenchmarkServiceComesAndGoes(b *testing.B) {
	rows := map[string]struct {
		addresses []string
		families  []bgp.Family
	}{
		"IPv4":       {[]string{"10.0.0.0/8"}, []bgp.Family{bgp.IPv4}},
		"a /64":      {[]string{"2001:db8::/64"}, []bgp.Family{bgp.IPv6}},
		"dual stack": {[]string{"10.0.0.0/8", "2001:db8::/64"}, []bgp.Family{bgp.IPv4, bgp.IPv6}},
	}
	for name, row := range rows {
		b.Run(name, func(b *testing.B) {
			table := benchTable(b, benchConfig(row.addresses...), benchServices, row.families...)
			now := start
			for i := benchServices; b.Loop(); i++ {
				now = now.Add(time.Millisecond)
				s := benchService(i, row.families...)
				table.SetService(s, now)
				table.TakeTouched()
				d := table.Decide(s.Key, now)
				table.SetService(having(s, d), now)
				table.DeleteService(s.Key, now)
				table.Serve(now)
			}
		})
	}
}

// BenchmarkDecide asks again about a Service that has what it asks for.
func BenchmarkDecide(b *testing.B) {
	table := benchTable(b, benchConfig("10.0.0.0/8"), benchServices, bgp.IPv4)
	for i := 0; b.Loop(); i++ {
		table.Decide(benchService(i%benchServices, bgp.IPv4).Key, start)
	}
}

// BenchmarkConfigure replaces the pools, and takes addresses out of the blocks of every Service, and puts them back.
func BenchmarkConfigure(b *testing.B) {
	one, other := benchConfig("10.0.0.0/8"), benchConfig("10.0.0.0/8")
	other.LoadBalancerIPBlocks = nil
	table := benchTable(b, one, benchServices, bgp.IPv4)
	for i := 0; b.Loop(); i++ {
		table.Configure([]ipam.Config{other, one}[i%2], start)
		table.TakeTouched()
	}
}

// BenchmarkFill builds a table of all Services as a new leader does, and decides on all that are touched.
func BenchmarkFill(b *testing.B) {
	services := make([]ipam.Service, benchServices)
	for i := range services {
		services[i] = benchService(i, bgp.IPv4)
		services[i].Assigned = []advertise.Address{{Addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Kind: advertise.LoadBalancerIP}}
	}
	b.ReportAllocs()
	for b.Loop() {
		table := ipam.NewTable()
		table.Configure(benchConfig("10.0.0.0/8"), start)
		for _, s := range services {
			table.SetService(s, start)
		}
		for _, key := range table.TakeTouched() {
			if d := table.Decide(key, start); d.Reason != "" || len(d.Moves) > 0 {
				b.Fatalf("%s is to have %+v", key, d)
			}
		}
	}
}

// BenchmarkExhausted has 5,000 Services wait: one goes that has an address, and when it has rested the oldest gets it.
func BenchmarkExhausted(b *testing.B) {
	const waiters = 5_000
	table := benchTable(b, benchConfig("10.0.0.0-10.0.3.255"), 1024, bgp.IPv4)
	for i := range waiters {
		s := benchService(1024+i, bgp.IPv4)
		table.SetService(s, start)
		if d := table.Decide(s.Key, start); d.Reason == "" {
			b.Fatalf("%+v", d)
		}
	}
	table.TakeTouched()
	now := start
	for i := 0; b.Loop(); i++ {
		table.DeleteService(benchService(i, bgp.IPv4).Key, now)
		now = table.Serve(now)
		table.Serve(now)
		served := table.TakeTouched()
		if len(served) != 1 {
			b.Fatalf("%v are served", served)
		}
		s := benchService(1024+i, bgp.IPv4)
		table.SetService(having(s, table.Decide(s.Key, now)), now)
		next := benchService(1024+waiters+i, bgp.IPv4)
		table.SetService(next, now)
		table.Decide(next.Key, now)
		table.TakeTouched()
	}
}

// BenchmarkSharing adds one more Service to an address that a hundred others share, and takes it away.
func BenchmarkSharing(b *testing.B) {
	table := ipam.NewTable()
	table.Configure(benchConfig("10.0.0.0/8"), start)
	sharing := func(i int) ipam.Service {
		s := benchService(i*100, bgp.IPv4)
		s.Request.SharingKey = "one"
		s.Ports[0].Number = uint16(i)
		return s
	}
	for i := range 100 {
		table.SetService(sharing(i), start)
		table.SetService(having(sharing(i), table.Decide(sharing(i).Key, start)), start)
	}
	b.ReportAllocs()
	for i := 100; b.Loop(); i++ {
		s := sharing(100 + i%1000)
		table.SetService(s, start)
		if d := table.Decide(s.Key, start); d.Assigned[0].Address != netip.MustParseAddr("10.0.0.0") {
			b.Fatalf("%+v", d)
		}
		table.DeleteService(s.Key, start)
	}
}
