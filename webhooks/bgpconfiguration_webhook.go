package webhooks

import (
	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/core/admission"
)

// +kubebuilder:webhook:path=/validate-herald-network-v1alpha1-bgpconfiguration,mutating=false,failurePolicy=fail,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,groups=herald.network,resources=bgpconfigurations,verbs=create;update,versions=v1alpha1,name=bgpconfigurations.herald.network,admissionReviewVersions=v1,serviceName=herald-webhook,serviceNamespace=herald-system
// +kubebuilder:webhook:path=/validate-herald-network-v1alpha1-bgpconfiguration,mutating=false,failurePolicy=ignore,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,groups=herald.network,resources=bgpconfigurations,verbs=delete,versions=v1alpha1,name=delete.bgpconfigurations.herald.network,admissionReviewVersions=v1,serviceName=herald-webhook,serviceNamespace=herald-system

// configurations judges BGPConfigurations. The Services are read for the warnings that say what a change withdraws.
func configurations(source clustercache.Source) judge[*v1alpha1.BGPConfiguration] {
	return judge[*v1alpha1.BGPConfiguration]{
		kind:    heraldKind("BGPConfiguration"),
		guards:  true,
		spec:    func(object *v1alpha1.BGPConfiguration) any { return &object.Spec },
		verdict: in(source.StateWithServices, admission.Configuration),
	}
}
