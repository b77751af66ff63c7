package certificates

import (
	"bytes"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/herald-network/herald/internal/logkey"
)

// injection keeps the Secret's CA in the bundle of every webhook, on the leader. What others change there is put back.
type injection struct {
	*objects
	checkEvery time.Duration
}

func setupInjection(mgr ctrl.Manager, o *objects, options Options) error {
	controller := ctrl.NewControllerManagedBy(mgr).Named("certificate-injection")
	var all []reconcile.Request
	for _, name := range options.Configurations {
		request := reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
		all = append(all, request)
		controller = controller.WatchesRawSource(o.configurationChanges(name, request))
	}
	return controller.
		WatchesRawSource(o.secretChanges(all...)).
		Complete(&injection{objects: o, checkEvery: options.CheckEvery})
}

// Reconcile writes the bundles of one configuration where they differ. It leaves them alone while the Secret holds no CA of
// Herald's: rotation puts one there, and that brings us back.
func (i *injection) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	secret, err := i.secret(ctx)
	if err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	cas := parse(secret.Data[caCertificateKey])
	if len(cas) == 0 || !isOurs(cas[0]) {
		return reconcile.Result{}, nil
	}
	present, err := i.configuration(ctx, request.Name)
	if err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	// CAs that expire are taken out, which no event tells.
	again := reconcile.Result{RequeueAfter: i.checkEvery}
	want := bundle(cas[0], trustedBy(present), time.Now())
	changed := present.DeepCopy()
	differs := false
	for w := range changed.Webhooks {
		config := &changed.Webhooks[w].ClientConfig
		differs = differs || !bytes.Equal(config.CABundle, want)
		config.CABundle = want
	}
	if !differs {
		return again, nil
	}
	// With the lock nobody's change is undone unseen: neither a webhook that was removed, nor a CA that another leader added.
	patch := client.StrategicMergeFrom(present, client.MergeFromWithOptimisticLock{})
	err = i.writer.Patch(ctx, changed, patch, fieldOwner)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return again, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("write the CA into ValidatingWebhookConfiguration %s: %w", request.Name, err)
	}
	logf.FromContext(ctx).Info("Wrote the CA that API servers are to trust", logkey.WebhookConfiguration, request.Name)
	return again, nil
}
