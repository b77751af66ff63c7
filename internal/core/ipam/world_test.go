package ipam_test

import (
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
)

// world drives a table and the oracle alike. What Decide says is written to the API server at once, later or never.
type world struct {
	table  *ipam.Table
	oracle *oracle
	// api are the Services as the API server has them.
	api  map[advertise.ServiceKey]ipam.Service
	uids int
}

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func newWorld() *world {
	w := &world{table: ipam.NewTable(), oracle: newOracle(), api: map[advertise.ServiceKey]ipam.Service{}}
	w.oracle.now = start
	return w
}

func (w *world) now() time.Time { return w.oracle.now }

func (w *world) configure(config ipam.Config) {
	w.oracle.config = config
	w.table.Configure(config, w.now())
}

func (w *world) set(s ipam.Service) {
	w.api[s.Key] = s
	w.oracle.set(s)
	w.table.SetService(s, w.now())
}

func (w *world) delete(key advertise.ServiceKey) {
	delete(w.api, key)
	w.oracle.change(true, func() { delete(w.oracle.services, key) })
	w.table.DeleteService(key, w.now())
}

// decide holds what the table answers to what the oracle does.
func (w *world) decide(t *rapid.T, key advertise.ServiceKey) ipam.Decision {
	got := w.table.Decide(key, w.now())
	s := w.oracle.services[key]
	if s == nil {
		if len(got.Assigned) > 0 || got.Reason != "" {
			t.Fatalf("a Service that is not there is to have %+v", got)
		}
		return got
	}
	w.oracle.serve(s)
	assigned, reason := w.oracle.decide(s)
	var addresses []netip.Addr
	for _, a := range got.Assigned {
		addresses = append(addresses, a.Address)
	}
	if !slices.Equal(addresses, assigned) || got.Reason != reason {
		t.Fatalf("%s is to have %v (%s: %s), want %v (%s); it is %+v", key, addresses, got.Reason, got.Message, assigned, reason, s.Service)
	}
	w.checkMoves(t, got, s)
	return got
}

// checkMoves holds the moves to the difference between what the Service has and what it is to have.
func (w *world) checkMoves(t *rapid.T, d ipam.Decision, s *oracleService) {
	var lost, moved []advertise.Address
	if !s.Deleting {
		for _, a := range s.Assigned {
			if !slices.ContainsFunc(d.Assigned, func(b ipam.Assignment) bool { return b.Address == a.Addr && b.Kind == a.Kind }) {
				lost = append(lost, advertise.Address{Addr: a.Addr})
			}
		}
	}
	for _, m := range d.Moves {
		moved = append(moved, advertise.Address{Addr: m.From})
		if m.Message == "" {
			t.Fatalf("%s loses %s without a word", s.Key, m.From)
		}
		if m.To.IsValid() && !slices.ContainsFunc(d.Assigned, func(b ipam.Assignment) bool { return b.Address == m.To }) {
			t.Fatalf("%s moves to %s, which it does not get", s.Key, m.To)
		}
	}
	if !slices.Equal(lost, moved) {
		t.Fatalf("%s loses %v, but moves %v", s.Key, lost, moved)
	}
}

// write does what a Decision says in the API server, and tells the table of it.
func (w *world) write(key advertise.ServiceKey, d ipam.Decision) {
	s, ok := w.api[key]
	if !ok {
		return
	}
	s.Assigned, s.Former = nil, nil
	for _, a := range d.Assigned {
		s.Assigned = append(s.Assigned, advertise.Address{Addr: a.Address, Kind: a.Kind})
	}
	w.set(s)
}

func (w *world) check(t *rapid.T) {
	claimed := w.oracle.claimed()
	for key, s := range w.oracle.services {
		if got := w.table.Promised(key); !slices.Equal(got, s.promised) {
			t.Fatalf("%s is promised %v, want %v; it is %+v; the Services are:\n%s", key, got, s.promised, s.Service, w.oracle)
		}
	}
	for _, p := range w.oracle.config.Pools {
		holders := map[advertise.ServiceKey]bool{}
		for _, family := range []bgp.Family{bgp.IPv4, bgp.IPv6} {
			w.checkUsage(t, p, family, claimed)
			w.checkFree(t, p, family, claimed)
		}
		for key, s := range w.oracle.services {
			for _, a := range s.Assigned {
				if owner := w.oracle.owner(a.Addr); owner != nil && owner.Name == p.Name {
					holders[key] = true
				}
			}
			for _, a := range s.promised {
				if owner := w.oracle.owner(a); owner != nil && owner.Name == p.Name {
					holders[key] = true
				}
			}
		}
		got := map[advertise.ServiceKey]bool{}
		for key := range w.table.Holders(p.Name) {
			got[key] = true
		}
		if diff := cmp.Diff(holders, got); diff != "" || len(got) != w.table.HolderCount(p.Name) {
			t.Fatalf("holders of %s, of which %d are counted (-want +got):\n%s", p.Name, w.table.HolderCount(p.Name), diff)
		}
	}
	for _, a := range everyAddress(ipSet("10.0.0.0/29", "2001:db8::/126")) {
		if w.table.Has(a) != claimed[a] {
			t.Fatalf("Has(%s) = %v", a, w.table.Has(a))
		}
	}
}

func (w *world) checkUsage(t *rapid.T, p ipam.Pool, family bgp.Family, claimed map[netip.Addr]bool) {
	var total, taken, available int64
	for _, a := range everyAddress(p.Addresses) {
		if bgp.FamilyOf(a) != family {
			continue
		}
		total++
		switch {
		case claimed[a]:
			taken++
		case p.Closed == "" && (w.oracle.inBlock(a, advertise.ExternalIP) || w.oracle.inBlock(a, advertise.LoadBalancerIP)):
			available++
		}
	}
	u := w.table.Usage(p.Name, family)
	if u.Total.Cmp(big.NewInt(total)) != 0 || int64(u.Assigned) != taken || u.Available.Cmp(big.NewInt(available)) != 0 {
		t.Fatalf("%s of pool %s: total %s, assigned %d, available %s; want %d, %d, %d; held by %v; the Services are:\n%s", family, p.Name,
			u.Total, u.Assigned, u.Available, total, taken, available, slices.Collect(w.table.Holders(p.Name)), w.oracle)
	}
}

func (w *world) checkFree(t *rapid.T, p ipam.Pool, family bgp.Family, claimed map[netip.Addr]bool) {
	want := map[netip.Addr]bool{}
	for _, a := range everyAddress(p.Addresses) {
		_, released := w.oracle.released[a]
		if bgp.FamilyOf(a) == family && w.oracle.owner(a).Name == p.Name && !claimed[a] && !w.oracle.listed[a] && !released {
			want[a] = true
		}
	}
	got := w.table.FreeAddresses(p.Name, family)
	for a := range want {
		if !got[a] {
			t.Fatalf("%s of pool %s is free, but not for the table, which has %v", a, p.Name, got)
		}
	}
	for a := range got {
		if claimed[a] || w.oracle.listed[a] || !p.Addresses.Contains(a) {
			t.Fatalf("%s of pool %s is not free", a, p.Name)
		}
	}
}

// newSpec draws a Service, which keeps what it is and has where it is there already.
func (w *world) newSpec(t *rapid.T) ipam.Service {
	s := someSpecs.Draw(t, "spec")
	s.Key = someKeys.Draw(t, "key")
	old, ok := w.api[s.Key]
	if !ok || rapid.IntRange(0, 9).Draw(t, "anew") == 9 {
		w.uids++
		s.UID = types.UID(fmt.Sprint(w.uids))
		s.Created = start.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "age")) * time.Second)
		if rapid.IntRange(0, 4).Draw(t, "comes with an address") == 4 {
			s.Assigned = []advertise.Address{{Addr: someAddresses.Draw(t, "has"), Kind: advertise.LoadBalancerIP}}
		}
		return s
	}
	s.UID, s.Created, s.Assigned, s.Former, s.Others = old.UID, old.Created, old.Assigned, old.Former, old.Others
	return s
}

// steps are what can happen in a world.
func (w *world) steps() map[string]func(*rapid.T) {
	pending := map[advertise.ServiceKey]ipam.Decision{}
	return map[string]func(*rapid.T){
		"create or edit": func(t *rapid.T) { w.set(w.newSpec(t)) },
		"create":         func(t *rapid.T) { w.set(w.newSpec(t)) },
		"edit the request": func(t *rapid.T) {
			key := someKeys.Draw(t, "key")
			if s, ok := w.api[key]; ok {
				s.Request = someRequests.Draw(t, "request")
				w.set(s)
			}
		},
		"delete": func(t *rapid.T) { w.delete(someKeys.Draw(t, "key")) },
		"decide and write": func(t *rapid.T) {
			key := someKeys.Draw(t, "key")
			w.write(key, w.decide(t, key))
		},
		"decide what is touched": func(t *rapid.T) {
			for _, key := range w.table.TakeTouched() {
				w.write(key, w.decide(t, key))
			}
		},
		"decide": func(t *rapid.T) {
			key := someKeys.Draw(t, "key")
			pending[key] = w.decide(t, key)
		},
		"write late": func(t *rapid.T) {
			key := someKeys.Draw(t, "key")
			if d, ok := pending[key]; ok {
				delete(pending, key)
				w.write(key, d)
			}
		},
		"see the old state": func(t *rapid.T) {
			if s, ok := w.api[someKeys.Draw(t, "key")]; ok {
				w.set(s)
			}
		},
		"renounce": func(t *rapid.T) {
			key := someKeys.Draw(t, "key")
			w.table.Renounce(key)
			if s := w.oracle.services[key]; s != nil {
				w.oracle.change(false, func() { s.promised = nil })
			}
			w.decide(t, key)
		},
		"take an address away": func(t *rapid.T) {
			key := someKeys.Draw(t, "key")
			if s, ok := w.api[key]; ok && len(s.Assigned) > 0 {
				s.Former = []netip.Addr{s.Assigned[0].Addr}
				s.Assigned = s.Assigned[1:]
				w.set(s)
			}
		},
		"write an address by hand": func(t *rapid.T) {
			key := someKeys.Draw(t, "key")
			if s, ok := w.api[key]; ok {
				s.Others = rapid.SliceOfNDistinct(someAddresses, 0, 2, rapid.ID[netip.Addr]).Draw(t, "others")
				w.set(s)
			}
		},
		"list": func(t *rapid.T) {
			a, listed := someAddresses.Draw(t, "address"), rapid.Bool().Draw(t, "listed")
			w.oracle.listed[a] = listed
			w.table.SetListed(a, listed, w.now())
		},
		"label a namespace": func(t *rapid.T) {
			name, set := rapid.SampledFrom([]string{"default", "shop"}).Draw(t, "namespace"), someLabels.Draw(t, "labels")
			w.oracle.namespaces[name] = set
			w.table.SetNamespace(name, set)
		},
		"configure": func(t *rapid.T) { w.configure(someConfigs.Draw(t, "config")) },
		"wait":      func(t *rapid.T) { w.oracle.now = w.now().Add(somePauses.Draw(t, "pause")) },
		"serve": func(t *rapid.T) {
			w.serve(t)
		},
	}
}

// serve holds who is served, and when the next can be, to what the oracle does.
func (w *world) serve(t *rapid.T) (next time.Time) {
	next = w.table.Serve(w.now())
	w.oracle.serve(nil)
	w.check(t)
	if !next.IsZero() && !next.After(w.now()) {
		t.Fatalf("the next to serve is at %s, but it is %s already", next, w.now())
	}
	now := w.now()
	if w.oracle.now = now.Add(time.Hour); !next.IsZero() {
		w.oracle.now = next.Add(-1)
	}
	w.oracle.serve(nil)
	for _, s := range w.oracle.services {
		if !slices.Equal(s.promised, w.table.Promised(s.Key)) {
			t.Fatalf("%s can be served at %s, which is before %s", s.Key, w.now(), next)
		}
	}
	w.oracle.now = now
	return next
}
