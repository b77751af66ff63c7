package ipam

import (
	"maps"
	"net/netip"
	"time"

	"github.com/tidwall/btree"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
)

const (
	// Rest is how long a released address is not given to another Service while there are others: long enough for its old
	// route to be gone from every router.
	Rest = 10 * time.Second
	// ShortRest is how long it rests where nothing else is free, or where it is asked for by name.
	ShortRest = time.Second
)

// Table is who has which address. Its methods must not be called concurrently.
//
// Times that it is given must not go backwards.
type Table struct {
	supply
	services   map[advertise.ServiceKey]*service
	namespaces map[string]map[string]string
	// entries are the addresses that are in use, at rest or listed.
	entries map[netip.Addr]*entry
	// resting are those at rest, the longest rested first.
	resting *btree.BTreeG[*entry]
	groups  map[group]*members
	queues
	// reused are the pools whose usage or holders changed.
	reused map[string]struct{}
}

// supply is what a Config gives.
type supply struct {
	pools    []*pool
	byName   map[string]*pool
	segments segments
}

// queues are who waits for what, and who is to be decided on.
type queues struct {
	// waited are the stocks that have waiters, named the waiters for addresses by name, and alarms when these have rested.
	waited map[*stock]struct{}
	named  map[netip.Addr]*btree.BTreeG[*service]
	alarms *btree.BTreeG[alarm]
	// due are the Services that may get something, touched those that are to be told.
	due, touched *btree.BTreeG[*service]
	// waiting are the Services that do not have all they could have, reasons the numbers of them.
	waiting map[*service]struct{}
	reasons map[v1alpha1.ConditionReason]int
}

// NewTable returns a table without pools, blocks and Services.
func NewTable() *Table {
	return &Table{
		services:   map[advertise.ServiceKey]*service{},
		namespaces: map[string]map[string]string{},
		entries:    map[netip.Addr]*entry{},
		resting:    newEntryTree(),
		groups:     map[group]*members{},
		queues: queues{
			waited:  map[*stock]struct{}{},
			named:   map[netip.Addr]*btree.BTreeG[*service]{},
			alarms:  newTree(alarm.isBefore),
			due:     newServiceTree(),
			touched: newServiceTree(),
			waiting: map[*service]struct{}{},
			reasons: map[v1alpha1.ConditionReason]int{},
		},
		reused: map[string]struct{}{},
	}
}

// SetNamespace says which labels a namespace has; a namespace that was never set has none. Only Services that wait are touched.
func (t *Table) SetNamespace(name string, labels map[string]string) {
	if maps.Equal(t.namespaces[name], labels) {
		return
	}
	t.namespaces[name] = labels
	if len(labels) == 0 {
		delete(t.namespaces, name)
	}
	for s := range t.waiting {
		if s.Key.Namespace == name {
			t.touch(s)
		}
	}
}

// SetService says what a Service is, as the API server has it. What it had before and has no more comes to rest; an address
// that Decide promised it and that it does not have yet stays promised. Touched are the Service itself where its decision may
// differ from what it has, and the younger Service where two have one address.
func (t *Table) SetService(service Service, now time.Time) {
	s := t.services[service.Key]
	if s != nil && s.UID != service.UID {
		t.DeleteService(service.Key, now)
		s = nil
	}
	if s == nil {
		s = newService(service)
		t.services[service.Key] = s
		t.contend(s, t.reclaim(nil, s.claims(), now))
		if s.Wants != 0 || len(s.Assigned) > 0 || len(s.Former) > 0 {
			t.touch(s)
		}
		return
	}
	before, claims := s.Service, s.claims()
	s.set(service)
	after := s.claims()
	changed := t.reclaim(claims, after, now)
	if !before.sharesLike(&s.Service) {
		t.wakeGroup(s.group())
		for _, c := range after {
			changed = append(changed, c.address)
		}
	}
	t.contend(s, changed)
	if same := before.isLike(&s.Service); !same || !s.isServed() {
		if !same {
			s.told = nil
		}
		t.touch(s)
	}
}

// DeleteService says that a Service is gone. Its addresses come to rest.
func (t *Table) DeleteService(key advertise.ServiceKey, now time.Time) {
	s := t.services[key]
	if s == nil {
		return
	}
	waits := t.forgo(s)
	t.due.Delete(s)
	t.touched.Delete(s)
	t.setReason(s, "", false)
	delete(t.services, key)
	t.contend(s, t.reclaim(s.claims(), nil, now))
	t.pass(s, waits, now)
}

// SetListed says whether some node still lists the host route of an address. One that is listed and that nobody has rests for
// as long as it is listed, however long that is.
func (t *Table) SetListed(address netip.Addr, listed bool, now time.Time) {
	t.mature(now)
	if !listed && t.entries[address] == nil {
		return
	}
	e := t.entry(address)
	e.listed = listed
	t.settle(e)
	t.wakeNamed(address)
	t.mature(now)
}

// Decide returns what a Service is to have, and promises it to the Service. Services that waited longer for what it takes are
// served first, and touched. A Service that is not in the table is to have nothing.
func (t *Table) Decide(key advertise.ServiceKey, now time.Time) Decision {
	s := t.services[key]
	if s == nil {
		return Decision{}
	}
	t.serve(s, now)
	decision := t.decide(s, now)
	s.told, s.owed = &decision, false
	t.touched.Delete(s)
	return decision
}

// Renounce takes back what Decide promised to a Service and what it does not have according to the last SetService: the
// promise can't be kept. Nobody has used these addresses, so they do not rest.
func (t *Table) Renounce(key advertise.ServiceKey) {
	s := t.services[key]
	if s == nil {
		return
	}
	before := s.claims()
	s.promised, s.told, s.last = nil, nil, s.last.without(s.promised)
	t.contend(s, t.reclaim(before, s.claims(), time.Time{}))
}

// Serve promises addresses to Services that wait, the oldest first, where any can be had by now. Those that got one are touched.
// It returns the time of the next rest to end that a Service waits for, the zero Time where there is none.
func (t *Table) Serve(now time.Time) (next time.Time) {
	t.serve(nil, now)
	return t.nextRest(now)
}

// TakeTouched returns the Services to be decided on again since the last call, each once, the oldest first.
func (t *Table) TakeTouched() []advertise.ServiceKey {
	keys := make([]advertise.ServiceKey, 0, t.touched.Len())
	t.touched.Scan(func(s *service) bool {
		keys = append(keys, s.Key)
		return true
	})
	t.touched.Clear()
	return keys
}

// touch lets a Service be decided on again.
func (t *Table) touch(s *service) {
	s.owed = true
	t.touched.Set(s)
	t.due.Set(s)
}

// contend touches the Services whose right to one of some addresses changed, since another's claims on them did.
func (t *Table) contend(by *service, addresses []netip.Addr) {
	for _, a := range addresses {
		t.wakeNamed(a)
		e := t.entries[a]
		if e == nil {
			continue
		}
		losers := e.contest()
		for _, c := range e.claims {
			if c.service == by || c.hold == other {
				continue
			}
			if _, loses := losers[c.service]; loses || c.service.last != nil && !c.service.last.has(a) {
				t.touch(c.service)
			}
		}
	}
}
