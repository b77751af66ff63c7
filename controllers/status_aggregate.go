package controllers

import (
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/status"
)

// aggregate returns the status that an object has, and the one that it should have.
func (r *StatusReconciler) aggregate(p *picture, object client.Object, now time.Time) (was, is any) {
	switch o := object.(type) {
	case *v1alpha1.BGPPeer:
		return o.Status, status.Peer(o, p.check.Peer(o), p.nodes, now)
	case *v1alpha1.BGPConfiguration:
		return o.Status, status.Configuration(o, p.check.Configuration(o), p.nodes, p.state, now)
	case *v1alpha1.ExternalIPPool:
		return o.Status, status.Pool(o, p.check.Pool(o), r.usageOf(o.Name), now)
	default:
		panic(fmt.Sprintf("no status is kept of a %T", object))
	}
}

// newObject returns an empty object of a kind whose status is kept.
func newObject(kind string) client.Object {
	switch kind {
	case kindPeer:
		return &v1alpha1.BGPPeer{}
	case kindConfiguration:
		return &v1alpha1.BGPConfiguration{}
	case kindPool:
		return &v1alpha1.ExternalIPPool{}
	default:
		panic("no status is kept of a " + kind)
	}
}

// newList returns an empty list of a kind whose status is kept.
func newList(kind string) client.ObjectList {
	switch kind {
	case kindPeer:
		return &v1alpha1.BGPPeerList{}
	case kindConfiguration:
		return &v1alpha1.BGPConfigurationList{}
	case kindPool:
		return &v1alpha1.ExternalIPPoolList{}
	default:
		panic("no status is kept of a " + kind)
	}
}
