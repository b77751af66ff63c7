package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/internal/metrics"
)

// latest returns the newest version of an object that is known: the cache's, or what the API server answered to the last
// write, which the cache may not have seen yet. Nobody changes it. It is nil where there is no such object.
func (r *StatusReconciler) latest(ctx context.Context, key statusKey) (client.Object, error) {
	object := newObject(key.kind)
	err := r.client.Get(ctx, client.ObjectKey{Name: key.name}, object, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // There is none, which is no error.
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s from the cache: %w", key.kind, key.name, err)
	}
	return r.book.newest(key, object), nil
}

// write replaces the status as a whole, without reading first: the leader alone writes it, and only on the object that it was
// computed for, not on another of the same name.
func (r *StatusReconciler) write(ctx context.Context, key statusKey, object client.Object, status any) error {
	patch, err := json.Marshal([]any{
		map[string]any{"op": "test", "path": "/metadata/uid", "value": object.GetUID()},
		map[string]any{"op": "add", "path": "/status", "value": status},
	})
	if err != nil {
		return fmt.Errorf("write status of %s %s: %w", key.kind, key.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	answer := newObject(key.kind)
	answer.SetName(key.name)
	r.book.writing(key, time.Now())
	err = r.client.Status().Patch(ctx, answer, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(FieldManager))
	switch {
	case apierrors.IsNotFound(err):
		return nil // It was deleted meanwhile.
	case err != nil:
		r.metrics.StatusWrites.WithLabelValues(key.kind, metrics.ResultError).Inc()
		return fmt.Errorf("write status of %s %s: %w", key.kind, key.name, err)
	}
	r.metrics.StatusWrites.WithLabelValues(key.kind, metrics.ResultSuccess).Inc()
	answer.SetManagedFields(nil)
	r.book.wrote(key, answer)
	return nil
}

// book remembers what was done to each object. Its zero value remembers nothing; it may be used by several goroutines.
type book struct {
	mu      sync.Mutex
	entries map[statusKey]*entry
}

type entry struct {
	// due is the earliest time for the next look.
	due time.Time
	// version is the resource version that the last write made.
	version string
	// answer is what the API server answered to the last write; nil once the cache has seen it.
	answer client.Object
}

// change changes the entry of an object.
func (b *book) change(key statusKey, change func(*entry)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[key]
	if e == nil {
		if b.entries == nil {
			b.entries = map[statusKey]*entry{}
		}
		e = &entry{}
		b.entries[key] = e
	}
	change(e)
}

// rest returns how long an object has to wait for its next look.
func (b *book) rest(key statusKey, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[key]; e != nil {
		return e.due.Sub(now)
	}
	return 0
}

// looked notes a look that ended at a time.
func (b *book) looked(key statusKey, now time.Time) {
	b.change(key, func(e *entry) { e.due = now.Add(lookInterval) })
}

// writing notes that a write begins: one that fails counts too.
func (b *book) writing(key statusKey, now time.Time) {
	b.change(key, func(e *entry) { e.due = now.Add(writeInterval) })
}

// wrote notes what a write made of an object.
func (b *book) wrote(key statusKey, answer client.Object) {
	b.change(key, func(e *entry) { e.version, e.answer = answer.GetResourceVersion(), answer })
}

// newest returns the newer of the cache's version of an object and the answer to the last write.
func (b *book) newest(key statusKey, cached client.Object) client.Object {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[key]
	if e == nil || e.answer == nil {
		return cached
	}
	order, err := resourceversion.CompareResourceVersion(e.answer.GetResourceVersion(), cached.GetResourceVersion())
	if err == nil && order > 0 && e.answer.GetUID() == cached.GetUID() {
		return e.answer
	}
	e.answer = nil
	return cached
}

// isOwn reports whether the last write made this version of an object.
func (b *book) isOwn(key statusKey, object client.Object) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[key]
	return e != nil && e.version == object.GetResourceVersion()
}

// forget forgets an object that is gone.
func (b *book) forget(key statusKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, key)
}
