package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// watched is what the API server tells of objects, as a client gets to know it.
type watched struct {
	source watch.Interface

	// mu guards what take writes, and what follows.
	mu sync.Mutex
	// stopped says that what still comes is no news: the end of the connection shows as an error.
	stopped bool
	// changed is closed, and made anew, with every event.
	changed chan struct{}
	// done is closed when the watch has ended, which it does not by itself unless something is wrong.
	done chan struct{}
}

// follow calls take, from one goroutine and with mu held, for each event.
func (w *watched) follow(source watch.Interface, take func(event watch.Event, at time.Time)) {
	w.source, w.changed, w.done = source, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(w.done)
		for event := range source.ResultChan() {
			at := time.Now()
			w.mu.Lock()
			if !w.stopped {
				take(event, at)
			}
			close(w.changed)
			w.changed = make(chan struct{})
			w.mu.Unlock()
		}
	}()
}

// await blocks until the condition holds. It is called with mu held, at once and after every event.
func (w *watched) await(ctx context.Context, what string, holds func() bool) error {
	for {
		w.mu.Lock()
		held, changed := holds(), w.changed
		w.mu.Unlock()
		if held {
			return nil
		}
		select {
		case <-changed:
		case <-w.done:
			return fmt.Errorf("await %s: the watch ended", what)
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w", what, ctx.Err())
		}
	}
}

// stop ends the watch and returns when take will not be called any more.
func (w *watched) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.source.Stop()
	<-w.done
}

// given is the address of a Service, and when it was seen first.
type given struct {
	address netip.Addr
	at      time.Time
}

// addresses are those of Services, by name.
type addresses struct {
	watched
	byName map[string]given
	// wrong is what must not happen, in words: a Service that lost its address.
	wrong []error
}

// watchAddresses watches the Services of a group.
func (r *rack) watchAddresses(ctx context.Context, group string) (*addresses, error) {
	var list corev1.ServiceList
	selected := &client.ListOptions{Namespace: namespace}
	client.MatchingLabels{groupLabel: group}.ApplyToList(selected)
	if err := r.api.List(ctx, &list, selected); err != nil {
		return nil, err
	}
	selected.Raw = &metav1.ListOptions{ResourceVersion: list.ResourceVersion}
	source, err := r.api.Watch(ctx, &corev1.ServiceList{}, selected)
	if err != nil {
		return nil, fmt.Errorf("watch Services: %w", err)
	}
	a := &addresses{byName: map[string]given{}}
	for i := range list.Items {
		a.note(&list.Items[i], time.Time{})
	}
	a.follow(source, a.take)
	return a, nil
}

func (a *addresses) take(event watch.Event, at time.Time) {
	service, ok := event.Object.(*corev1.Service)
	switch {
	case !ok:
		a.wrong = append(a.wrong, fmt.Errorf("watch Services: %v", event.Object))
	case event.Type == watch.Deleted:
		delete(a.byName, service.Name)
	default:
		a.note(service, at)
	}
}

func (a *addresses) note(service *corev1.Service, at time.Time) {
	now := addressIn(service)
	before, had := a.byName[service.Name]
	switch {
	case had && now != before.address:
		a.wrong = append(a.wrong, fmt.Errorf("%s was assigned to Service %s, which now has %s", before.address, service.Name, now))
	case !had && now.IsValid():
		a.byName[service.Name] = given{now, at}
	}
}

// addressIn returns the address that a Service was assigned; the zero Addr where it has none.
func addressIn(service *corev1.Service) netip.Addr {
	texts := service.Spec.ExternalIPs
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		texts = append(texts, ingress.IP)
	}
	if len(texts) == 0 {
		return netip.Addr{}
	}
	address, _ := netip.ParseAddr(texts[0])
	return address
}

// count returns how many Services have an address.
func (a *addresses) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.byName)
}

// of returns the address of one Service once it has it.
func (a *addresses) of(ctx context.Context, name string) (given, error) {
	var found given
	err := a.await(ctx, "the address of "+name, func() (ok bool) {
		found, ok = a.byName[name]
		return ok
	})
	return found, err
}

// all returns the addresses of all Services once there are count, and ends the watch. That one has another's is an error.
func (a *addresses) all(ctx context.Context, count int) (map[string]given, error) {
	var found map[string]given
	err := a.await(ctx, fmt.Sprintf("%d addresses", count), func() bool {
		found = a.byName
		return len(found) >= count
	})
	wrong := a.end()
	if err != nil {
		err = fmt.Errorf("%w (there are %d)", err, len(found))
	}
	return found, errors.Join(err, wrong)
}

// end ends the watch, and returns an error if an address was lost, or is another Service's too.
func (a *addresses) end() error {
	a.stop()
	return errors.Join(append(slices.Clone(a.wrong), doubles(a.byName))...)
}

// doubles returns an error that names an address which two Services have, if there is one.
func doubles(found map[string]given) error {
	names := map[netip.Addr]string{}
	for name, g := range found {
		if other, ok := names[g.address]; ok {
			return fmt.Errorf("%s is assigned to both Services %s and %s", g.address, min(name, other), max(name, other))
		}
		names[g.address] = name
	}
	return nil
}

// last returns when the last of them was seen.
func last(found map[string]given) (at time.Time) {
	for _, g := range found {
		if g.at.After(at) {
			at = g.at
		}
	}
	return at
}

// to returns the host routes to all of them.
func to(found map[string]given, hops []netip.Addr) routes {
	want := make(routes, len(found))
	for _, g := range found {
		want[hostRoute(g.address)] = hops
	}
	return want
}
