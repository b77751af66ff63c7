package webhooks

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	cradmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/herald-network/herald/internal/adapter/clustercache"
)

// Where the webhooks are served. The markers in this package say the same.
const (
	peerPath          = "/validate-herald-network-v1alpha1-bgppeer"
	configurationPath = "/validate-herald-network-v1alpha1-bgpconfiguration"
	poolPath          = "/validate-herald-network-v1alpha1-externalippool"
	servicePath       = "/validate-v1-service"
)

// Setup makes a manager serve the webhooks and index the addresses of the Services in its cache. The source reads from
// that cache, whose scheme has to know what clustercache.Objects lists.
func Setup(ctx context.Context, mgr ctrl.Manager, source clustercache.Source) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Service{}, addressIndex, addressesOf)
	if err != nil {
		return fmt.Errorf("index the addresses of Services: %w", err)
	}
	requests, err := newRequests(metrics.Registry)
	if err != nil {
		return err
	}
	for path, hook := range hooks(mgr.GetScheme(), source, requests) {
		mgr.GetWebhookServer().Register(path, hook)
	}
	return nil
}

// hooks returns the webhooks by the paths that they are served at.
func hooks(scheme *runtime.Scheme, source clustercache.Source, requests requests) map[string]*cradmission.Webhook {
	turns := newTurns() // Of Herald's own kinds: Services never wait for what is computed there.
	return map[string]*cradmission.Webhook{
		peerPath:          hook(scheme, requests, turns, peers(source)),
		configurationPath: hook(scheme, requests, turns, configurations(source)),
		poolPath:          hook(scheme, requests, turns, pools(source)),
		servicePath:       hook(scheme, requests, newTurns(), services(source)),
	}
}

func hook[T client.Object](scheme *runtime.Scheme, requests requests, turns turns, judge judge[T]) *cradmission.Webhook {
	return cradmission.WithValidator(scheme, &validator[T]{judge: judge, requests: requests, turns: turns})
}
