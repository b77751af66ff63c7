package controllers

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// change is what happened to an object: old is nil where it was created, and new where it was deleted.
type change[T client.Object] struct {
	old, new T
	created  bool
	deleted  bool
}

// object returns the object as it is, or was last.
func (c change[T]) object() T {
	if c.deleted {
		return c.old
	}
	return c.new
}

// updated reports whether the object was there before and is there still.
func (c change[T]) updated() bool { return !c.created && !c.deleted }

// changes calls a function for each change of an object of a kind.
func changes[T client.Object, K comparable](
	on func(context.Context, change[T], workqueue.TypedRateLimitingInterface[K]),
) handler.TypedEventHandler[client.Object, K] {
	type queue = workqueue.TypedRateLimitingInterface[K]
	call := func(ctx context.Context, c change[client.Object], q queue) {
		typed := change[T]{created: c.created, deleted: c.deleted}
		if !c.created {
			typed.old, _ = c.old.(T)
		}
		if !c.deleted {
			typed.new, _ = c.new.(T)
		}
		on(ctx, typed, q)
	}
	return handler.TypedFuncs[client.Object, K]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[client.Object], q queue) {
			call(ctx, change[client.Object]{new: e.Object, created: true}, q)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[client.Object], q queue) {
			call(ctx, change[client.Object]{old: e.ObjectOld, new: e.ObjectNew}, q)
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[client.Object], q queue) {
			call(ctx, change[client.Object]{old: e.Object, deleted: true}, q)
		},
	}
}
