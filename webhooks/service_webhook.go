package webhooks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/utils/net"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/internal/adapter/clustercache"
	"github.com/herald-network/herald/internal/core/admission"
	"github.com/herald-network/herald/internal/core/advertise"
)

// Which requests come here at all, config/webhook/conditions.yaml says: those that may add an externalIP. Services must
// stay editable when the manager is away, so this webhook never is in their way.
//
// +kubebuilder:webhook:path=/validate-v1-service,mutating=false,failurePolicy=ignore,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,groups="",resources=services,verbs=create;update,versions=v1,name=services.herald.network,admissionReviewVersions=v1,serviceName=herald-webhook,serviceNamespace=herald-system

// services judges the externalIPs of Services.
func services(source clustercache.Source) judge[*corev1.Service] {
	return judge[*corev1.Service]{
		kind: schema.GroupKind{Kind: "Service"},
		// One that only waits for a finalizer still takes traffic.
		untilGone: true,
		spec:      func(service *corev1.Service) any { return &service.Spec.ExternalIPs },
		verdict: func(ctx context.Context, old, object *corev1.Service) (admission.Verdict, error) {
			return externalIPs(ctx, source, old, object)
		},
	}
}

func externalIPs(ctx context.Context, source clustercache.Source, old, object *corev1.Service) (admission.Verdict, error) {
	if object == nil {
		return admission.Verdict{}, nil // Deleted: nothing is added.
	}
	state, err := source.State(ctx)
	if err != nil {
		return admission.Verdict{}, err
	}
	request := admission.ExternalIPRequest{
		Service: advertise.ServiceKey{Namespace: object.Namespace, Name: object.Name},
		New:     object.Spec.ExternalIPs,
		// By the ValidatingAdmissionPolicy that the manager applies.
		BlocksWarned: true,
	}
	if old != nil {
		request.Old = old.Spec.ExternalIPs
	}
	var unread []error
	request.Owners = func(address netip.Addr) []advertise.ServiceKey {
		owners, err := ownersOf(ctx, source.Reader, address)
		unread = append(unread, err)
		return owners
	}
	verdict := admission.ExternalIPs(request, state)
	return verdict, errors.Join(unread...)
}

// addressIndex is the name of the cache's index of Services by their addresses.
const addressIndex = "herald.network/addresses"

// ownersOf returns the Services that have an address, out of the index.
func ownersOf(ctx context.Context, reader client.Reader, address netip.Addr) ([]advertise.ServiceKey, error) {
	var found corev1.ServiceList
	err := reader.List(ctx, &found, client.MatchingFields{addressIndex: address.String()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("look for the Services that have %s: %w", address, err)
	}
	owners := make([]advertise.ServiceKey, len(found.Items))
	for i := range found.Items {
		owners[i] = advertise.ServiceKey{Namespace: found.Items[i].Namespace, Name: found.Items[i].Name}
	}
	return owners, nil
}

// addressesOf returns the addresses of a Service, in canonical text. All of its ingresses count, whatever their ipMode: an
// address behind a load balancer is taken too.
func addressesOf(object client.Object) []string {
	service, ok := object.(*corev1.Service)
	if !ok {
		return nil
	}
	var addresses []string
	add := func(text string) {
		// Old API servers took addresses with leading zeros, and kube-proxy still reads those as decimal.
		if address, ok := netip.AddrFromSlice(utilnet.ParseIPSloppy(text)); ok {
			addresses = append(addresses, address.Unmap().String())
		}
	}
	for _, text := range service.Spec.ClusterIPs {
		add(text)
	}
	for _, text := range service.Spec.ExternalIPs {
		add(text)
	}
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		add(ingress.IP)
	}
	return addresses
}
