package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/herald-network/herald/internal/agent/input"
)

// kind is one kind of object that is followed; T is the type of its objects.
type kind[T runtime.Object] struct {
	name    input.Kind
	example T
	// set and gone turn an object, and its absence, into an event.
	set  func(object T) input.Event
	gone func(name cache.ObjectName) input.Event
}

// item is what is left of an object once it has been read: all of it that anybody needs.
type item struct {
	name  cache.ObjectName
	event input.Event
}

// store is where a reflector puts objects. It keeps none: it passes on what changed as events, and remembers names only,
// to tell which objects were deleted while nobody was watching. A reflector calls it from one goroutine.
type store[T runtime.Object] struct {
	kind  kind[T]
	push  func(...input.Event)
	known map[cache.ObjectName]struct{}
}

var _ cache.TransformingStore = (*store[runtime.Object])(nil)

func newStore[T runtime.Object](k kind[T], push func(...input.Event)) *store[T] {
	return &store[T]{kind: k, push: push, known: map[cache.ObjectName]struct{}{}}
}

// Transformer makes the reflector keep items instead of objects while it collects a first list, which is what an agent's
// memory peaks at.
func (s *store[T]) Transformer() cache.TransformFunc {
	return func(object any) (any, error) { return s.item(object) }
}

// item reads an object, unless that has been done.
func (s *store[T]) item(object any) (item, error) {
	if done, ok := object.(item); ok {
		return done, nil
	}
	o, ok := object.(T)
	if !ok {
		return item{}, fmt.Errorf("following %s: want %T, got %T", s.kind.name, s.kind.example, object)
	}
	name, err := cache.ObjectToName(o)
	if err != nil {
		return item{}, fmt.Errorf("following %s: %w", s.kind.name, err)
	}
	return item{name: name, event: s.kind.set(o)}, nil
}

// Add passes on an object that is new.
func (s *store[T]) Add(object any) error { return s.Update(object) }

// Update passes on an object that changed.
func (s *store[T]) Update(object any) error {
	i, err := s.item(object)
	if err != nil {
		return err
	}
	s.known[i.name] = struct{}{}
	s.push(i.event)
	return nil
}

// Delete passes on that an object is gone.
func (s *store[T]) Delete(object any) error {
	i, err := s.item(object)
	if err != nil {
		return err
	}
	delete(s.known, i.name)
	s.push(s.kind.gone(i.name))
	return nil
}

// Replace passes on a complete list at once: the objects, that those which it lacks are gone, and that the kind is now
// known.
func (s *store[T]) Replace(objects []any, _ string) error {
	events := make([]input.Event, 0, len(objects)+1)
	listed := make(map[cache.ObjectName]struct{}, len(objects))
	for _, object := range objects {
		i, err := s.item(object)
		if err != nil {
			return err
		}
		listed[i.name] = struct{}{}
		events = append(events, i.event)
	}
	for name := range s.known {
		if _, still := listed[name]; !still {
			events = append(events, s.kind.gone(name))
		}
	}
	s.known = listed
	s.push(append(events, input.Synced{Kind: s.kind.name})...)
	return nil
}

// Resync has nothing to do: what was passed on holds.
func (s *store[T]) Resync() error { return nil }
