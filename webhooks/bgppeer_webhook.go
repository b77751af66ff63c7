package webhooks

import (
	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/core/admission"
)

// +kubebuilder:webhook:path=/validate-herald-network-v1alpha1-bgppeer,mutating=false,failurePolicy=fail,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,groups=herald.network,resources=bgppeers,verbs=create;update,versions=v1alpha1,name=bgppeers.herald.network,admissionReviewVersions=v1,serviceName=herald-webhook,serviceNamespace=herald-system
// +kubebuilder:webhook:path=/validate-herald-network-v1alpha1-bgppeer,mutating=false,failurePolicy=ignore,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,groups=herald.network,resources=bgppeers,verbs=delete,versions=v1alpha1,name=delete.bgppeers.herald.network,admissionReviewVersions=v1,serviceName=herald-webhook,serviceNamespace=herald-system

// peers judges BGPPeers. The Services are read for the warnings that say what a change withdraws.
func peers(source clustercache.Source) judge[*v1alpha1.BGPPeer] {
	return judge[*v1alpha1.BGPPeer]{
		kind:    heraldKind("BGPPeer"),
		guards:  true,
		spec:    func(object *v1alpha1.BGPPeer) any { return &object.Spec },
		verdict: in(source.StateWithServices, admission.Peer),
	}
}
