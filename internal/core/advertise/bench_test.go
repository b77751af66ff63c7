package advertise_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// The size that an agent is held to: each Service has two addresses, an external one with a host route and a cluster IP
// under an aggregate, and ten endpoints.
const (
	benchServices            = 10_000
	benchEndpointsPerService = 10
)

// benchEvent is what the API server tells of one Service.
type benchEvent struct {
	key      advertise.ServiceKey
	service  advertise.Service
	sliceKey advertise.SliceKey
	slice    advertise.Slice
}

func benchConfig() advertise.Config {
	config := advertise.Config{Blocks: []advertise.Block{
		{Kind: advertise.ClusterIP, CIDR: netip.MustParsePrefix("10.49.0.0/16"), Aggregated: true},
		{Kind: advertise.ExternalIP, CIDR: netip.MustParsePrefix("192.168.0.0/16")},
	}}
	for i := range 16 {
		config.Attributes = append(config.Attributes, advertise.PrefixAttributes{
			CIDR:       netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(i), 0}), 24),
			Attributes: bgp.PathAttributes{MED: bgp.Some(uint32(i))},
		})
	}
	return config
}

// newBenchEvents makes every string anew, as a watch does, so that memory is counted whole.
func newBenchEvents() []benchEvent {
	events := make([]benchEvent, benchServices)
	for i := range events {
		high, low := byte(i>>8), byte(i)
		name := fmt.Sprintf("service-%05d", i)
		events[i] = benchEvent{
			key: advertise.ServiceKey{Namespace: fmt.Sprintf("namespace-%03d", i%100), Name: name},
			service: advertise.Service{
				Type:                  advertise.TypeLoadBalancer,
				ExternalTrafficPolicy: advertise.Policy(i % 2),
				Addresses: []advertise.Address{
					{Addr: netip.AddrFrom4([4]byte{10, 49, high, low}), Kind: advertise.ClusterIP},
					{Addr: netip.AddrFrom4([4]byte{192, 168, high, low}), Kind: advertise.ExternalIP},
				},
			},
			slice: advertise.Slice{Service: name, Family: bgp.IPv4},
		}
		events[i].sliceKey = advertise.SliceKey{Namespace: events[i].key.Namespace, Name: name + "-x7x2p"}
		for j := range benchEndpointsPerService {
			events[i].slice.Endpoints.Add(advertise.Conditions{}, j == 0)
		}
	}
	return events
}

func fill(events []benchEvent) *advertise.Table {
	table := advertise.NewTable()
	table.Configure(benchConfig())
	for _, e := range events {
		table.SetService(e.key, e.service)
		table.SetSlice(e.sliceKey, e.slice)
	}
	return table
}

func fullTable(b *testing.B) (*advertise.Table, []benchEvent) {
	b.Helper()
	events := newBenchEvents()
	table := fill(events)
	if changes := table.TakeChanges(); len(changes.Advertise) < benchServices {
		b.Fatalf("%d paths are advertised, want at least %d", len(changes.Advertise), benchServices)
	}
	b.ReportAllocs()
	return table, events
}

// BenchmarkCountEndpoints counts every endpoint of every slice, as an agent does when it starts.
func BenchmarkCountEndpoints(b *testing.B) {
	yes, no := true, false
	conditions := advertise.Conditions{Ready: &yes, Serving: &yes, Terminating: &no}
	b.ReportAllocs()
	for b.Loop() {
		var endpoints advertise.Endpoints
		for i := range benchServices * benchEndpointsPerService {
			endpoints.Add(conditions, i%3 == 0)
		}
	}
}

// BenchmarkFill tells an empty table of every Service and slice, and takes the changes: the start of an agent.
func BenchmarkFill(b *testing.B) {
	events := newBenchEvents()
	b.ReportAllocs()
	for b.Loop() {
		table := fill(events)
		table.TakeChanges()
	}
}

// BenchmarkConfigure decides every Service anew, and changes every route.
func BenchmarkConfigure(b *testing.B) {
	table, _ := fullTable(b)
	one, other := benchConfig(), benchConfig()
	other.Blocks[1].Aggregated = true
	for i := 0; b.Loop(); i++ {
		table.Configure([]advertise.Config{other, one}[i%2])
		table.TakeChanges()
	}
}

// BenchmarkSlice is one event: the only endpoint here goes, or comes back, and the route with it.
func BenchmarkSlice(b *testing.B) {
	table, events := fullTable(b)
	for i := 0; b.Loop(); i++ {
		e := events[(i/2*2+1)%benchServices]
		e.slice.Endpoints.ReadyHere = uint32(i % 2)
		table.SetSlice(e.sliceKey, e.slice)
		table.TakeChanges()
	}
}

// BenchmarkSliceWithoutEffect is one event that changes no route: an endpoint on another node comes or goes.
func BenchmarkSliceWithoutEffect(b *testing.B) {
	table, events := fullTable(b)
	for i := 0; b.Loop(); i++ {
		e := events[i%benchServices]
		e.slice.Endpoints.Ready += uint32(i % 2)
		table.SetSlice(e.sliceKey, e.slice)
		table.TakeChanges()
	}
}

// BenchmarkRoutes is the list for a status, which is written at most once a second.
func BenchmarkRoutes(b *testing.B) {
	table, _ := fullTable(b)
	for b.Loop() {
		table.Routes(200, func(netip.Prefix) bool { return true })
	}
}

// BenchmarkMemory reports what one Service with its slice and its route retains, its strings included.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		before := heapInUse()
		table := fill(newBenchEvents())
		table.TakeChanges()
		b.ReportMetric(float64(heapInUse()-before)/benchServices, "retained-B/Service")
		runtime.KeepAlive(table)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
