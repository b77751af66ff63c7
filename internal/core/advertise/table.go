package advertise

import (
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Table is what one node advertises, kept up to date one event at a time. Events may come in any order, and twice: a
// slice before its Service, a deletion of what never was. Its methods must not be called concurrently.
type Table struct {
	config   Config
	services map[ServiceKey]*service
	slices   map[SliceKey]Slice
	claims   map[netip.Prefix][]claim
	// before holds, for each prefix whose claims were touched since the last TakeChanges, its path at that time.
	before map[netip.Prefix]pathState
}

// service is a Service that exists, has slices, or both.
type service struct {
	key ServiceKey
	// spec is the zero Service, which is not supported, for as long as the Service is not known.
	spec      Service
	exists    bool
	slices    int
	endpoints EndpointsByFamily
	// routed are the addresses whose host routes the service claims.
	routed []Address
}

// claim is one reason for which a prefix is advertised. It holds no service where the configuration claims the prefix.
type claim struct {
	service *service
	kind    Kind
}

// pathState is a path, or that there is none.
type pathState struct {
	path       bgp.Path
	advertised bool
}

// NewTable returns a table that advertises nothing until it is configured.
func NewTable() *Table {
	return &Table{
		services: map[ServiceKey]*service{},
		slices:   map[SliceKey]Slice{},
		claims:   map[netip.Prefix][]claim{},
		before:   map[netip.Prefix]pathState{},
	}
}

// Configure replaces the configuration and decides everything anew, unless it is the same as before.
func (t *Table) Configure(config Config) {
	if t.config.Equal(config) {
		return
	}
	for prefix := range t.claims {
		t.touch(prefix)
	}
	for prefix, kind := range t.config.OwnPrefixes() {
		t.release(prefix, claim{kind: kind})
	}
	t.config = config
	for prefix, kind := range t.config.OwnPrefixes() {
		t.claim(prefix, claim{kind: kind})
	}
	for _, s := range t.services {
		t.decide(s)
	}
}

// SetService tells the table of a Service as it is now.
func (t *Table) SetService(key ServiceKey, spec Service) {
	s := t.service(key)
	s.spec, s.exists = spec, true
	t.decide(s)
}

// DeleteService tells the table that a Service is gone.
func (t *Table) DeleteService(key ServiceKey) {
	if s := t.services[key]; s != nil {
		s.spec, s.exists = Service{}, false
		t.decide(s)
	}
}

// SetSlice tells the table of an EndpointSlice as it is now. One that belonged to another Service before moves.
func (t *Table) SetSlice(key SliceKey, slice Slice) {
	previous, current := t.detach(key), t.attach(key, slice)
	if previous != nil && previous != current {
		t.decide(previous)
	}
	if current != nil {
		t.decide(current)
	}
}

// DeleteSlice tells the table that an EndpointSlice is gone.
func (t *Table) DeleteSlice(key SliceKey) { t.SetSlice(key, Slice{}) }

// Explain returns the decisions for each address of a Service; false where the table knows no such Service.
func (t *Table) Explain(key ServiceKey) ([]Decision, bool) {
	s := t.services[key]
	if s == nil || !s.exists {
		return nil, false
	}
	return Decide(t.config, s.spec, s.endpoints), true
}

// Changes is what brings a speaker from one state of the table to the next: first the paths to advertise, new or with new
// attributes, then the prefixes to withdraw, each ordered by prefix.
type Changes struct {
	Advertise []bgp.Path
	Withdraw  []netip.Prefix
}

// IsEmpty reports whether there is nothing to do.
func (c Changes) IsEmpty() bool { return len(c.Advertise) == 0 && len(c.Withdraw) == 0 }

// TakeChanges returns what changed since it was last called. What came and went between two calls is no change, so a
// prefix that moves from one Service to another is never withdrawn.
func (t *Table) TakeChanges() Changes {
	var changes Changes
	for prefix, before := range t.before {
		now := t.state(prefix)
		switch {
		case now.advertised && now != before:
			changes.Advertise = append(changes.Advertise, now.path)
		case before.advertised && !now.advertised:
			changes.Withdraw = append(changes.Withdraw, prefix)
		}
	}
	t.before = map[netip.Prefix]pathState{}
	slices.SortFunc(changes.Advertise, func(a, b bgp.Path) int { return ComparePrefixes(a.Prefix, b.Prefix) })
	slices.SortFunc(changes.Withdraw, ComparePrefixes)
	return changes
}

func (t *Table) service(key ServiceKey) *service {
	s := t.services[key]
	if s == nil {
		s = &service{key: key}
		t.services[key] = s
	}
	return s
}

// attach counts a slice for its Service, which it returns; nil where the slice counts for none.
func (t *Table) attach(key SliceKey, slice Slice) *service {
	if slice.Service == "" || slice.Family == 0 {
		return nil
	}
	t.slices[key] = slice
	s := t.service(slice.serviceKey(key))
	s.slices++
	s.endpoints.Of(slice.Family).plus(slice.Endpoints)
	return s
}

// detach takes a slice out of the count of its Service, which it returns; nil where the slice is not known.
func (t *Table) detach(key SliceKey) *service {
	slice, known := t.slices[key]
	if !known {
		return nil
	}
	delete(t.slices, key)
	s := t.services[slice.serviceKey(key)]
	s.slices--
	s.endpoints.Of(slice.Family).minus(slice.Endpoints)
	return s
}

// decide brings the service's claims up to date, and forgets the service where nothing is left of it.
func (t *Table) decide(s *service) {
	var routed []Address
	for _, address := range s.spec.Addresses {
		if _, ok := decide(t.config, s.spec, s.endpoints, address).HostRoute(); ok {
			routed = append(routed, address)
		}
	}
	if !slices.Equal(routed, s.routed) {
		for _, address := range s.routed {
			t.release(address.hostPrefix(), claim{service: s, kind: address.Kind})
		}
		for _, address := range routed {
			t.claim(address.hostPrefix(), claim{service: s, kind: address.Kind})
		}
		s.routed = routed
	}
	if !s.exists && s.slices == 0 {
		delete(t.services, s.key)
	}
}

func (t *Table) claim(prefix netip.Prefix, c claim) {
	t.touch(prefix)
	t.claims[prefix] = append(t.claims[prefix], c)
}

func (t *Table) release(prefix netip.Prefix, c claim) {
	t.touch(prefix)
	held := t.claims[prefix]
	i := slices.Index(held, c)
	if held = slices.Delete(held, i, i+1); len(held) > 0 {
		t.claims[prefix] = held
		return
	}
	delete(t.claims, prefix)
}

// touch remembers the path to a prefix as it was when TakeChanges was last called.
func (t *Table) touch(prefix netip.Prefix) {
	if _, touched := t.before[prefix]; !touched {
		t.before[prefix] = t.state(prefix)
	}
}

func (t *Table) state(prefix netip.Prefix) pathState {
	claims := t.claims[prefix]
	if len(claims) == 0 {
		return pathState{}
	}
	return pathState{path: t.config.PathTo(prefix, kindsOf(claims)), advertised: true}
}

// kindsOf returns what a prefix is advertised for.
func kindsOf(claims []claim) bgp.Kinds {
	var kinds bgp.Kinds
	for _, c := range claims {
		kinds |= c.kind.Set()
	}
	return kinds
}
