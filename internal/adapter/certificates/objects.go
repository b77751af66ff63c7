package certificates

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Names in the Secret's data, and those of mounted files.
const (
	certificateKey   = "tls.crt"
	privateKeyKey    = "tls.key"
	caCertificateKey = "ca.crt"
	caPrivateKeyKey  = "ca.key"
)

// objects are the Secret and the configurations. Each has a cache of its own, narrowed to its name: with that the manager
// needs no right to read others of their kinds, and the Secret's values, which the manager's own cache drops, are here.
type objects struct {
	key            types.NamespacedName
	secrets        cache.Cache
	configurations map[string]cache.Cache
	writer         client.Writer
}

func follow(mgr ctrl.Manager, o Options) (*objects, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, admissionv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register types: %w", err)
		}
	}
	writer, err := client.New(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: scheme, Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("make a client for certificates: %w", err)
	}
	all := &objects{
		key:            types.NamespacedName{Namespace: o.Namespace, Name: o.Secret},
		configurations: map[string]cache.Cache{},
		writer:         writer,
	}
	secret := cache.Options{DefaultNamespaces: map[string]cache.Config{o.Namespace: {}}}
	if all.secrets, err = addCache(mgr, scheme, secret, o.Secret); err != nil {
		return nil, err
	}
	for _, name := range o.Configurations {
		if all.configurations[name], err = addCache(mgr, scheme, cache.Options{}, name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func addCache(mgr ctrl.Manager, scheme *runtime.Scheme, o cache.Options, name string) (cache.Cache, error) {
	o.HTTPClient, o.Scheme, o.Mapper = mgr.GetHTTPClient(), scheme, mgr.GetRESTMapper()
	o.DefaultFieldSelector = fields.OneTermEqualSelector("metadata.name", name)
	o.DefaultTransform = cache.TransformStripManagedFields()
	made, err := cache.New(mgr.GetConfig(), o)
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", name, err)
	}
	return made, mgr.Add(everyReplica{made})
}

// everyReplica has a manager start a cache whether it leads or not. Without that it is a matter of the cache's options.
type everyReplica struct{ cache.Cache }

// NeedLeaderElection is false: every replica serves.
func (everyReplica) NeedLeaderElection() bool { return false }

// secret returns the Secret, which is not to be changed. The error is a NotFound where it does not exist.
func (o *objects) secret(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	if err := o.secrets.Get(ctx, o.key, secret, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("read Secret %s: %w", o.key, err)
	}
	return secret, nil
}

// configuration returns a configuration, which is not to be changed. The error is a NotFound where it does not exist.
func (o *objects) configuration(ctx context.Context, name string) (*admissionv1.ValidatingWebhookConfiguration, error) {
	configuration := &admissionv1.ValidatingWebhookConfiguration{}
	key := types.NamespacedName{Name: name}
	if err := o.configurations[name].Get(ctx, key, configuration, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("read ValidatingWebhookConfiguration %s: %w", name, err)
	}
	return configuration, nil
}

// secretChanges makes the requests at every change of the Secret.
func (o *objects) secretChanges(requests ...reconcile.Request) source.Source {
	return source.Kind(o.secrets, &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(
		func(context.Context, *corev1.Secret) []reconcile.Request { return requests }))
}

// configurationChanges makes the request at every change of the named configuration.
func (o *objects) configurationChanges(name string, request reconcile.Request) source.Source {
	return source.Kind(o.configurations[name], &admissionv1.ValidatingWebhookConfiguration{}, handler.TypedEnqueueRequestsFromMapFunc(
		func(context.Context, *admissionv1.ValidatingWebhookConfiguration) []reconcile.Request {
			return []reconcile.Request{request}
		}))
}
