package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/metrics"
)

const (
	// maxTurns is how many writes one look at a Service makes: what it gets, what it had of the other kind, a condition, and
	// some conflicts.
	maxTurns = 6
	// fenceMargin is how long before another replica may lead the last write has to be answered.
	fenceMargin = time.Second
	// fencedAfter is how long after a write that was not made the next is tried: the lease may be renewed by then.
	fencedAfter = 500 * time.Millisecond
	// closedAfter is how long after a pool turned out to be going the Service is looked at again: the ledger knows by then.
	closedAfter = 50 * time.Millisecond
)

// errFenced says that a write was not made, since another replica might lead by the time that it arrives.
var errFenced = errors.New("the lease is about to end")

// step is the next thing to do about a Service. Its zero value is nothing.
type step struct {
	matter
	write *write
	// pools are those that need the finalizer before the write.
	pools []string
	// wait is how long the Service has to wait, or how long after this it is to be looked at again.
	wait time.Duration
}

// assign decides on a Service and makes the writes that follow.
func (r *AssignmentReconciler) assign(ctx context.Context, key advertise.ServiceKey) (reconcile.Result, error) {
	for range maxTurns {
		if err := r.resolve(ctx, key); err != nil {
			return reconcile.Result{}, err
		}
		s, err := r.decide(ctx, key)
		if err != nil {
			return reconcile.Result{}, err
		}
		if s.write == nil {
			return reconcile.Result{RequeueAfter: s.wait}, nil
		}
		wait, err := r.carryOut(ctx, key, &s)
		if wait > 0 || err != nil {
			return reconcile.Result{RequeueAfter: wait}, err
		}
	}
	return reconcile.Result{}, fmt.Errorf("assign addresses to Service %s: it changes faster than it can be written", key)
}

// resolve reads a Service from the API server where it is not sure that its newest version is known.
func (r *AssignmentReconciler) resolve(ctx context.Context, key advertise.ServiceKey) error {
	var doubtful bool
	var uid types.UID
	r.change(ctx, func(l *ledger, _ time.Time) {
		if a := l.accounts[key]; a != nil {
			doubtful, uid = a.doubtful, a.object.UID
		}
	})
	if !doubtful {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	object := &corev1.Service{}
	err := r.live.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: key.Name}, object)
	switch {
	case apierrors.IsNotFound(err):
		r.change(ctx, func(l *ledger, now time.Time) { l.forget(key, uid, now) })
	case err != nil:
		return fmt.Errorf("read Service %s: %w", key, err)
	default:
		r.change(ctx, func(l *ledger, now time.Time) { l.learnAnswer(stripped(object), now) })
	}
	return nil
}

// decide returns the next step about a Service. What it decides is promised to the Service.
func (r *AssignmentReconciler) decide(ctx context.Context, key advertise.ServiceKey) (step, error) {
	var s step
	var err error
	r.change(ctx, func(l *ledger, now time.Time) { s, err = l.step(key, now) })
	return s, err
}

func (l *ledger) step(key advertise.ServiceKey, now time.Time) (step, error) {
	a := l.accounts[key]
	if a == nil || a.object.DeletionTimestamp != nil || l.claims.LeaveAlone(a.object) {
		return step{}, nil
	}
	if wait := a.losses.wait(now); wait > 0 {
		return step{wait: wait}, nil
	}
	s := step{matter: matter{
		object: a.object, service: l.claims.Of(a.object), decision: l.table.Decide(key, now), refused: a.refusal.standing(now),
	}}
	var err error
	s.write, err = s.next(now)
	if s.refused != "" {
		s.wait = a.refusal.until.Sub(now)
	}
	if s.write == nil || err != nil {
		return s, err
	}
	a.writing = true
	for _, gained := range s.write.gained {
		if !l.isHeld(gained.Pool) {
			s.pools = append(s.pools, gained.Pool)
		}
	}
	return s, nil
}

// carryOut takes a step. It returns how long to wait before the next look, 0 for none.
func (r *AssignmentReconciler) carryOut(ctx context.Context, key advertise.ServiceKey, s *step) (time.Duration, error) {
	defer r.change(ctx, func(l *ledger, _ time.Time) {
		if a := l.accounts[key]; a != nil {
			a.writing = false
		}
	})
	for _, pool := range s.pools {
		err := r.hold(ctx, pool)
		switch {
		case errors.Is(err, errFenced):
			return fencedAfter, nil
		case errors.Is(err, errPoolGoing):
			r.change(ctx, func(l *ledger, _ time.Time) { l.table.Renounce(key) })
			return closedAfter, nil
		case err != nil:
			return 0, err
		}
	}
	answer := &corev1.Service{}
	answer.Namespace, answer.Name = key.Namespace, key.Name
	patch := client.RawPatch(types.MergePatchType, s.write.patch)
	err := r.fenced(ctx, s.write.kind, func(ctx context.Context) error {
		if s.write.ofStatus {
			return r.client.Status().Patch(ctx, answer, patch, client.FieldOwner(FieldManager))
		}
		return r.client.Patch(ctx, answer, patch, client.FieldOwner(FieldManager))
	})
	if err != nil {
		return r.failed(ctx, key, s, err)
	}
	r.change(ctx, func(l *ledger, now time.Time) { l.learnAnswer(stripped(answer), now) })
	r.tell(ctx, key, s)
	return 0, nil
}

// failed acts on a write that was not made, or of which that is not known.
func (r *AssignmentReconciler) failed(ctx context.Context, key advertise.ServiceKey, s *step, err error) (time.Duration, error) {
	doubt := func() { r.change(ctx, func(l *ledger, _ time.Time) { l.doubt(key) }) }
	switch {
	case errors.Is(err, errFenced):
		return fencedAfter, nil
	case apierrors.IsNotFound(err):
		r.change(ctx, func(l *ledger, now time.Time) { l.forget(key, s.object.UID, now) })
		return 0, nil
	case apierrors.IsConflict(err):
		doubt()
		return 0, nil // Decided anew at once.
	case s.write.kind == metrics.KindExternalIP && len(s.write.gained) > 0 && (apierrors.IsInvalid(err) || apierrors.IsForbidden(err)):
		r.change(ctx, func(l *ledger, now time.Time) {
			if a := l.accounts[key]; a != nil {
				a.refusal = refusal{message: err.Error(), until: now.Add(refusedAfter)}
			}
		})
		return 0, nil // The condition says so.
	default:
		doubt()
		return 0, fmt.Errorf("write %s of Service %s: %w", s.write.kind, key, err)
	}
}

// fenced makes a write, which ends before another replica can lead, whatever becomes of this process meanwhile. Where there is
// no time for that it is not made.
func (r *AssignmentReconciler) fenced(ctx context.Context, kind string, write func(context.Context) error) error {
	limit := writeTimeout
	if r.Lease != nil {
		limit = min(limit, r.Lease.Remaining()-fenceMargin)
	}
	if limit <= 0 {
		r.metrics.Writes.WithLabelValues(kind, metrics.ResultFenced).Inc()
		logf.FromContext(ctx).Info("Not writing, another manager may lead", logkey.Object, kind)
		return errFenced
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := write(ctx)
	result := metrics.ResultSuccess
	switch {
	case apierrors.IsConflict(err):
		result = metrics.ResultConflict
	case err != nil:
		result = metrics.ResultError
	}
	r.metrics.Writes.WithLabelValues(kind, result).Inc()
	return err
}

// stripped takes out of a Service what the cache does not keep and nobody needs here.
func stripped(object *corev1.Service) *corev1.Service {
	object.SetManagedFields(nil)
	delete(object.Annotations, corev1.LastAppliedConfigAnnotation)
	return object
}
