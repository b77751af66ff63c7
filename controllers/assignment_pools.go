package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/metrics"
)

const (
	// releaseAfter is how long a pool has to have no holder before its finalizer is taken off, so that it does not go on and off.
	releaseAfter = 5 * time.Second
	// finalizerTurns is how often a finalizer is tried in one go: others write pools too.
	finalizerTurns = 5
)

// errPoolGoing says that a pool is gone or being deleted, so that no address can be assigned from it.
var errPoolGoing = errors.New("the ExternalIPPool is being deleted")

// poolAccount is what is known of one pool.
type poolAccount struct {
	// object is the newest version that is known.
	object *v1alpha1.ExternalIPPool
	// held says that it has the finalizer, for sure: not while that is being taken off.
	held      bool
	releasing bool
	// counted says that the table has the pool, so that its usage is known.
	counted bool
	// idle is since when nobody has an address from it; zero where somebody has.
	idle time.Time
}

// learnPool takes over a version of a pool, unless it is not newer than the one that is known.
func (l *ledger) learnPool(pool *v1alpha1.ExternalIPPool, now time.Time) {
	p := l.pools[pool.Name]
	switch {
	case p == nil:
		p = &poolAccount{}
		l.pools[pool.Name] = p
	case compareVersions(pool, p.object) < 0:
		return
	}
	p.object = pool
	has := controllerutil.ContainsFinalizer(pool, v1alpha1.PoolFinalizer)
	p.releasing = p.releasing && has
	p.held = has && !p.releasing
	l.noteHolders(pool.Name, now)
}

// configure takes over pools and blocks.
func (l *ledger) configure(config ipam.Config, now time.Time) {
	l.table.Configure(config, now)
	for i := range config.Pools {
		name := config.Pools[i].Name
		if p := l.pools[name]; p != nil && !p.counted {
			p.counted = true
			l.counted = append(l.counted, name)
		}
	}
}

// forgetPool forgets a pool that is gone, unless another has its name by now.
func (l *ledger) forgetPool(pool *v1alpha1.ExternalIPPool) {
	if p := l.pools[pool.Name]; p != nil && p.object.UID == pool.UID {
		delete(l.pools, pool.Name)
	}
}

func (l *ledger) isHeld(pool string) bool { return l.pools[pool] != nil && l.pools[pool].held }

// noteHolders notes since when a pool has no holders.
func (l *ledger) noteHolders(pool string, now time.Time) {
	p := l.pools[pool]
	switch {
	case p == nil:
	case l.table.HolderCount(pool) > 0:
		p.idle = time.Time{}
	case p.idle.IsZero():
		p.idle = now
	}
}

// idle returns those of some pools whose finalizer may be taken off, with the time after which it may.
func (l *ledger) idle(pools []string, now time.Time) map[string]time.Duration {
	var idle map[string]time.Duration
	for _, pool := range pools {
		l.noteHolders(pool, now)
		p := l.pools[pool]
		if p == nil || p.idle.IsZero() || !p.held && !p.releasing {
			continue
		}
		if idle == nil {
			idle = map[string]time.Duration{}
		}
		idle[pool] = p.rest(now)
	}
	return idle
}

// rest returns how long a pool without holders keeps its finalizer.
func (p *poolAccount) rest(now time.Time) time.Duration {
	if p.object.DeletionTimestamp != nil {
		return 0
	}
	return max(0, p.idle.Add(releaseAfter).Sub(now))
}

// reconcilePool puts the finalizer on a pool that has holders, and takes it off one that has none.
func (r *AssignmentReconciler) reconcilePool(ctx context.Context, name string) (reconcile.Result, error) {
	var hold, release bool
	var rest time.Duration
	leaving := r.leaving.Load()
	r.change(ctx, func(l *ledger, now time.Time) {
		p := l.pools[name]
		if p == nil {
			return
		}
		l.noteHolders(name, now)
		isIdle := !p.idle.IsZero()
		hold = !isIdle && !leaving && !p.held && p.object.DeletionTimestamp == nil
		release = (isIdle || leaving) && (p.held || p.releasing)
		if !leaving {
			rest = p.rest(now)
		}
	})
	var err error
	switch {
	case hold:
		err = r.hold(ctx, name)
	case release && rest > 0:
		return reconcile.Result{RequeueAfter: rest}, nil
	case release:
		err = r.release(ctx, name)
	}
	switch {
	case errors.Is(err, errFenced):
		return reconcile.Result{RequeueAfter: fencedAfter}, nil
	case errors.Is(err, errPoolGoing):
		return reconcile.Result{}, nil
	default:
		return reconcile.Result{}, err
	}
}

// hold puts the finalizer on a pool, so that it stays as long as Services have addresses from it.
func (r *AssignmentReconciler) hold(ctx context.Context, name string) error {
	r.finalizers.Lock()
	defer r.finalizers.Unlock()
	var isHeld bool
	r.change(ctx, func(l *ledger, _ time.Time) {
		if p := l.pools[name]; p != nil {
			isHeld, p.releasing = p.held, false
		}
	})
	if isHeld || r.leaving.Load() {
		return nil
	}
	return r.editFinalizers(ctx, name, func(pool *v1alpha1.ExternalIPPool) (bool, error) {
		if pool.DeletionTimestamp != nil {
			return false, errPoolGoing
		}
		return controllerutil.AddFinalizer(pool, v1alpha1.PoolFinalizer), nil
	})
}

// release takes the finalizer off a pool that has no holders. Whoever is promised an address from it meanwhile finds it not
// held, waits, and puts it on again.
func (r *AssignmentReconciler) release(ctx context.Context, name string) error {
	r.finalizers.Lock()
	defer r.finalizers.Unlock()
	var may bool
	r.change(ctx, func(l *ledger, _ time.Time) {
		p := l.pools[name]
		if may = p != nil && (l.table.HolderCount(name) == 0 || r.leaving.Load()); may {
			p.held, p.releasing = false, true
		}
	})
	if !may {
		return nil
	}
	return r.editFinalizers(ctx, name, func(pool *v1alpha1.ExternalIPPool) (bool, error) {
		return controllerutil.RemoveFinalizer(pool, v1alpha1.PoolFinalizer), nil
	})
}

// editFinalizers changes the finalizers of a pool as it is now, on the API server.
func (r *AssignmentReconciler) editFinalizers(ctx context.Context, name string, edit func(*v1alpha1.ExternalIPPool) (bool, error)) error {
	for range finalizerTurns {
		pool := &v1alpha1.ExternalIPPool{}
		if err := r.live.Get(ctx, client.ObjectKey{Name: name}, pool); apierrors.IsNotFound(err) {
			return errPoolGoing
		} else if err != nil {
			return fmt.Errorf("read ExternalIPPool %s: %w", name, err)
		}
		changed, err := edit(pool)
		if err != nil {
			return err
		}
		if !changed {
			r.change(ctx, func(l *ledger, now time.Time) { l.learnPool(pool, now) })
			return nil
		}
		err = r.writeFinalizers(ctx, pool)
		switch {
		case err == nil, apierrors.IsConflict(err):
		case apierrors.IsNotFound(err):
			return errPoolGoing
		case errors.Is(err, errFenced):
			return err
		default:
			return fmt.Errorf("write the finalizers of ExternalIPPool %s: %w", name, err)
		}
		if err == nil {
			logf.FromContext(ctx).Info("Wrote the finalizers of a pool", logkey.Pool, name, "finalizers", pool.Finalizers)
			return nil
		}
	}
	return fmt.Errorf("write the finalizers of ExternalIPPool %s: it changes faster than it can be written", name)
}

func (r *AssignmentReconciler) writeFinalizers(ctx context.Context, pool *v1alpha1.ExternalIPPool) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": pool.ResourceVersion, "finalizers": pool.Finalizers,
	}})
	if err != nil {
		return err
	}
	answer := &v1alpha1.ExternalIPPool{}
	answer.Name = pool.Name
	err = r.fenced(ctx, metrics.KindFinalizer, func(ctx context.Context) error {
		return r.client.Patch(ctx, answer, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager))
	})
	if err == nil {
		r.change(ctx, func(l *ledger, now time.Time) {
			if l.pools[answer.Name] != nil {
				l.learnPool(answer, now)
			}
		})
	}
	return err
}

// reconcileRemoval lets all pools go once Herald's own Deployment is on its way out: nobody is left to do that later.
func (r *AssignmentReconciler) reconcileRemoval(ctx context.Context) error {
	deployment, err := staying(ctx, r.client, types.NamespacedName{Namespace: r.Namespace, Name: r.Deployment})
	if err != nil {
		return fmt.Errorf("read the Deployment: %w", err)
	}
	if r.leaving.Swap(deployment == nil) != (deployment == nil) {
		r.wakePools(ctx)
	}
	return nil
}

// wakePools has every pool be looked at.
func (r *AssignmentReconciler) wakePools(ctx context.Context) {
	r.change(ctx, func(l *ledger, _ time.Time) {
		for name := range l.pools {
			r.queue.Add(assignmentKey{task: taskPool, name: name})
		}
	})
}
