package certificates

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-network/herald/internal/logkey"
)

// fieldOwner owns what the manager writes here. It is another than that of what the manager installs, so that a manifest
// which is applied again without its bundle does not take the bundle away.
const fieldOwner = client.FieldOwner("herald-certificates")

// rotation keeps a CA and a certificate in the Secret, on the leader: both are replaced before they expire, and when
// somebody has removed or broken them.
type rotation struct {
	*objects
	issuer     issuer
	checkEvery time.Duration
}

func setupRotation(mgr ctrl.Manager, o *objects, options Options) error {
	r := &rotation{objects: o, issuer: newIssuer(options), checkEvery: options.CheckEvery}
	request := reconcile.Request{NamespacedName: o.key}
	return ctrl.NewControllerManagedBy(mgr).
		Named("certificate-rotation").
		WatchesRawSource(o.secretChanges(request)).
		WatchesRawSource(once(request)).
		Complete(r)
}

// once makes the request when a controller starts: a Secret that does not exist changes never.
func once(request reconcile.Request) source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(request)
		return nil
	})
}

// Reconcile writes the Secret where it is absent, or what it holds is not good for long enough.
func (r *rotation) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	again := reconcile.Result{RequeueAfter: r.checkEvery}
	secret, err := r.secret(ctx)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	var held map[string][]byte
	if secret != nil {
		held = secret.Data
	}
	made, why, err := r.issuer.renew(held, time.Now())
	if err != nil {
		return reconcile.Result{}, err
	}
	if made == nil {
		return again, nil
	}
	err = r.write(ctx, secret, made)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		// Somebody was faster. What they did is on its way to the cache, and brings us back.
		return again, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	logf.FromContext(ctx).Info("Replaced certificates", logkey.Secret, klog.KRef(r.key.Namespace, r.key.Name), logkey.Reason, why)
	return again, nil
}

func (r *rotation) write(ctx context.Context, secret *corev1.Secret, made map[string][]byte) error {
	if secret == nil {
		secret = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: r.key.Namespace, Name: r.key.Name,
				Labels: map[string]string{"app.kubernetes.io/name": "herald", "app.kubernetes.io/component": "manager"},
			},
			Data: made,
		}
		if err := r.writer.Create(ctx, secret, fieldOwner); err != nil {
			return fmt.Errorf("create Secret %s: %w", r.key, err)
		}
		return nil
	}
	secret = secret.DeepCopy()
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	maps.Copy(secret.Data, made)
	if err := r.writer.Update(ctx, secret, fieldOwner); err != nil {
		return fmt.Errorf("update Secret %s: %w", r.key, err)
	}
	return nil
}
