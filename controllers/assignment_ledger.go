package controllers

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/kubeobject"
)

// ledger is what is known of all Services, and who has which address. Its zero value knows nothing, and nothing changes it
// before it is filled; it may be used by several goroutines.
type ledger struct {
	claims kubeobject.Claims
	// filled says that the ledger has everything. It is written with mu held.
	filled atomic.Bool

	mu       sync.Mutex
	table    *ipam.Table
	accounts map[advertise.ServiceKey]*account
	pools    map[string]*poolAccount
	// listed are addresses that nobody has and that nodes still list, with these nodes.
	listed map[netip.Addr]map[string]bool
	// serve is when Services that wait are to be served next.
	serve time.Time
	// wake are Services to be decided on besides those that the table touches, and gone those that were deleted, since the
	// last change.
	wake []advertise.ServiceKey
	gone []departure
	// counted are pools whose usage came to be known since then.
	counted []string
}

// account is what is known of one Service.
type account struct {
	// object is the newest version that is known: the cache's, or what the API server answered. Nobody changes it.
	object *corev1.Service
	// wants and assigned are what the Service wants of Herald, and has from it, in that version.
	wants    advertise.Kind
	assigned []advertise.Address
	// doubtful says that the version may not be the newest: a write went wrong, or its outcome is not known. It is read again
	// before anything is decided.
	doubtful bool
	// writing says that a write is under way, which may take addresses away.
	writing bool
	refusal refusal
	losses  losses
}

// departure is a Service that was deleted, with the addresses that it had from Herald.
type departure struct {
	key       advertise.ServiceKey
	addresses []advertise.Address
}

// effects are what follows from a change.
type effects struct {
	// services are to be decided on again, those that waited longest first.
	services []advertise.ServiceKey
	// serve is when to serve those that wait; zero where that is known already.
	serve time.Time
	// usage are the pools whose usage changed; idle are those whose finalizer may be taken off, after some time.
	usage []string
	idle  map[string]time.Duration
	gone  []departure
}

// change changes the ledger and returns what follows. Before the ledger is filled it does nothing: filling it reads what the
// change would have told.
func (l *ledger) change(act func(*ledger, time.Time)) effects {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.filled.Load() {
		return effects{}
	}
	now := time.Now()
	act(l, now)
	return l.settle(now)
}

// settle serves those that wait, and returns what follows from the changes since the last time.
func (l *ledger) settle(now time.Time) effects {
	next := l.table.Serve(now)
	e := effects{services: l.table.TakeTouched(), usage: l.table.TakeUsageChanges(), gone: l.gone}
	e.services = append(e.services, l.wake...)
	e.usage = append(e.usage, l.counted...)
	l.wake, l.gone, l.counted = nil, nil, nil
	if !next.Equal(l.serve) {
		l.serve, e.serve = next, next
	}
	e.idle = l.idle(e.usage, now)
	return e
}

// learn takes over a version of a Service, unless it is not newer than the one that is known.
func (l *ledger) learn(object *corev1.Service, now time.Time) (newer bool) {
	key := keyOf(object)
	a := l.accounts[key]
	if a == nil {
		a = &account{}
		l.accounts[key] = a
	} else {
		switch order := compareVersions(object, a.object); {
		case order < 0:
			return false
		case order == 0:
			a.object = object // The cache has this one anyway.
			return false
		}
	}
	service := l.claims.Of(object)
	if a.object != nil && a.object.UID == object.UID {
		a.refusal.seen(a.object, object)
		a.losses.seen(a, &service, now)
	} else {
		a.refusal, a.losses = refusal{}, losses{}
	}
	a.object, a.wants, a.assigned = object, service.Wants, service.Assigned
	l.table.SetService(service, now)
	return true
}

// learnOfChange takes over a version of a Service that somebody made, which is to be decided on.
func (l *ledger) learnOfChange(object *corev1.Service, now time.Time) {
	if l.learn(object, now) && concerns(object, l.accounts[keyOf(object)]) {
		l.wake = append(l.wake, keyOf(object))
	}
}

// learnAnswer takes over what the API server answered about a Service. It may be gone already.
func (l *ledger) learnAnswer(object *corev1.Service, now time.Time) {
	if a := l.accounts[keyOf(object)]; a != nil {
		l.learn(object, now)
		a.doubtful = false
	}
}

// forget forgets a Service that is gone, unless another has its name by now.
func (l *ledger) forget(key advertise.ServiceKey, uid types.UID, now time.Time) {
	a := l.accounts[key]
	if a == nil || a.object.UID != uid {
		return
	}
	delete(l.accounts, key)
	l.table.DeleteService(key, now)
	if len(a.assigned) > 0 {
		l.gone = append(l.gone, departure{key: key, addresses: a.assigned})
	}
}

// doubt has a Service be read again before anything is decided on it.
func (l *ledger) doubt(key advertise.ServiceKey) {
	if a := l.accounts[key]; a != nil {
		a.doubtful = true
	}
}

// unlistAll ends the rest of the addresses that nodes list.
func (l *ledger) unlistAll(now time.Time) {
	for address := range l.listed {
		l.table.SetListed(address, false, now)
	}
	clear(l.listed)
}

// concerns reports whether Herald has any business with a Service: it wants an address, or bears a mark.
func concerns(object *corev1.Service, a *account) bool {
	return a.wants != 0 || len(a.assigned) > 0 || conditionOf(object) != nil ||
		object.Annotations[v1alpha1.AnnotationAssigned] != ""
}

// conditionOf returns the condition AddressAssigned of a Service, nil where it has none.
func conditionOf(object *corev1.Service) *metav1.Condition {
	return meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionAddressAssigned)
}

func keyOf(object metav1.Object) advertise.ServiceKey {
	return advertise.ServiceKey{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// compareVersions returns a positive number where a is newer than b. A version that is no number counts as newer.
func compareVersions(a, b metav1.Object) int {
	order, err := resourceversion.CompareResourceVersion(a.GetResourceVersion(), b.GetResourceVersion())
	if err != nil {
		return 1
	}
	return order
}
