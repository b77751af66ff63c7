package admission

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/forecast"
	"github.com/herald-network/herald/internal/core/intent"
)

// Peer judges a request that makes one BGPPeer of another: old is nil where it is created, wanted where it is deleted.
// before is the cluster as it is, whether it holds old already or not; what is withdrawn for Services can only be said
// where it has them.
func Peer(old, wanted *v1alpha1.BGPPeer, before cluster.State) Verdict {
	return kind[v1alpha1.BGPPeer]{
		name:    intent.KindBGPPeer,
		meta:    func(p *v1alpha1.BGPPeer) *metav1.ObjectMeta { return &p.ObjectMeta },
		same:    func(a, b *v1alpha1.BGPPeer) bool { return equality.Semantic.DeepEqual(a.Spec, b.Spec) },
		with:    cluster.State.WithPeer,
		without: cluster.State.WithoutPeer,
		check:   (*crosscheck.Check).Peer,
	}.judge(old, wanted, before)
}

// Configuration judges a request that makes one BGPConfiguration of another, as Peer does for BGPPeers.
func Configuration(old, wanted *v1alpha1.BGPConfiguration, before cluster.State) Verdict {
	return kind[v1alpha1.BGPConfiguration]{
		name:    intent.KindBGPConfiguration,
		meta:    func(c *v1alpha1.BGPConfiguration) *metav1.ObjectMeta { return &c.ObjectMeta },
		same:    func(a, b *v1alpha1.BGPConfiguration) bool { return crosscheck.SameConfiguration(&a.Spec, &b.Spec) },
		with:    cluster.State.WithConfiguration,
		without: cluster.State.WithoutConfiguration,
		check:   (*crosscheck.Check).Configuration,
	}.judge(old, wanted, before)
}

// Pool judges a request that makes one ExternalIPPool of another, as Peer does for BGPPeers. Which addresses it takes from
// Services, and who has addresses from a pool that is deleted, can only be said where the cluster has its Services.
func Pool(old, wanted *v1alpha1.ExternalIPPool, before cluster.State) Verdict {
	return kind[v1alpha1.ExternalIPPool]{
		name:    crosscheck.KindExternalIPPool,
		meta:    func(p *v1alpha1.ExternalIPPool) *metav1.ObjectMeta { return &p.ObjectMeta },
		same:    func(a, b *v1alpha1.ExternalIPPool) bool { return equality.Semantic.DeepEqual(a.Spec, b.Spec) },
		with:    cluster.State.WithPool,
		without: cluster.State.WithoutPool,
		check:   (*crosscheck.Check).Pool,
		takes:   takenFromServices,
	}.judge(old, wanted, before)
}

// kind is what has to be known of the objects of a kind to judge a request.
type kind[T any] struct {
	name    string
	meta    func(*T) *metav1.ObjectMeta
	same    func(a, b *T) bool
	with    func(cluster.State, *T) cluster.State
	without func(cluster.State, string) cluster.State
	check   func(*crosscheck.Check, *T) []crosscheck.Finding
	// takes says what the change takes besides what nodes advertise, and leads to the state after it: old is nil where the
	// object is created, wanted where it is deleted. It is nil for kinds that take nothing else.
	takes func(old, wanted *T, after cluster.State) []string
}

func (k kind[T]) judge(old, wanted *T, before cluster.State) Verdict {
	switch {
	case old == nil && wanted == nil,
		wanted != nil && k.meta(wanted).DeletionTimestamp != nil,
		old != nil && wanted != nil && k.same(old, wanted):
		return Verdict{}
	case wanted == nil:
		changed := crosscheck.Object{Kind: k.name, Name: k.meta(old).Name}
		return k.delete(old, changed, k.with(before, old))
	}
	wanted = k.aged(wanted)
	changed := crosscheck.Object{Kind: k.name, Name: k.meta(wanted).Name}
	before = k.without(before, changed.Name)
	if old != nil {
		before = k.with(before, old)
	}
	after := k.with(before, wanted)
	was, will := crosscheck.In(before), crosscheck.In(after)
	var had []crosscheck.Finding
	if old != nil {
		had = k.check(was, old)
	}
	var v Verdict
	v.judge(had, k.check(will, wanted))
	if len(v.Errors) == 0 {
		// What the change does comes first, since only so many warnings are shown.
		v.Warnings = slices.Concat(k.taken(old, wanted, after), forecast.Of(before, after).Warnings(), v.Warnings)
		v.warnOf(crosscheck.BroughtUpon(was, will, changed))
	}
	return v.bounded()
}

// delete judges the deletion of an object, which is never refused.
func (k kind[T]) delete(old *T, gone crosscheck.Object, before cluster.State) Verdict {
	after := k.without(before, gone.Name)
	var v Verdict
	v.warn(k.taken(old, nil, after)...)
	v.warn(forecast.Of(before, after).Warnings()...)
	v.warnOf(crosscheck.BroughtUpon(crosscheck.In(before), crosscheck.In(after), gone))
	return v.bounded()
}

func (k kind[T]) taken(old, wanted *T, after cluster.State) []string {
	if k.takes == nil {
		return nil
	}
	return k.takes(old, wanted, after)
}

// aged returns the object as the API server will store it, newer than all others where it is yet to be created: where two
// objects claim the same, the older one holds.
func (k kind[T]) aged(object *T) *T {
	if !k.meta(object).CreationTimestamp.IsZero() {
		return object
	}
	aged := *object
	k.meta(&aged).CreationTimestamp = metav1.NewTime(time.Unix(1<<40, 0))
	return &aged
}
