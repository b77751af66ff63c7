package webhooks

import (
	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/core/admission"
)

// +kubebuilder:webhook:path=/validate-herald-network-v1alpha1-externalippool,mutating=false,failurePolicy=fail,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,groups=herald.network,resources=externalippools,verbs=create;update,versions=v1alpha1,name=externalippools.herald.network,admissionReviewVersions=v1,serviceName=herald-webhook,serviceNamespace=herald-system
// +kubebuilder:webhook:path=/validate-herald-network-v1alpha1-externalippool,mutating=false,failurePolicy=ignore,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,groups=herald.network,resources=externalippools,verbs=delete,versions=v1alpha1,name=delete.externalippools.herald.network,admissionReviewVersions=v1,serviceName=herald-webhook,serviceNamespace=herald-system

// pools judges ExternalIPPools. The Services are read for the warnings that say whose addresses a change is about.
func pools(source clustercache.Source) judge[*v1alpha1.ExternalIPPool] {
	return judge[*v1alpha1.ExternalIPPool]{
		kind:    heraldKind("ExternalIPPool"),
		guards:  true,
		spec:    func(object *v1alpha1.ExternalIPPool) any { return &object.Spec },
		verdict: in(source.StateWithServices, admission.Pool),
	}
}
