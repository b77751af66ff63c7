package main

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

func serviceWith(name, address string) *corev1.Service {
	service := newAssigned(assignedGroup, name)
	if address != "" {
		service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
	}
	return service
}

func followed(t *testing.T) (*addresses, *watch.FakeWatcher) {
	t.Helper()
	a, source := &addresses{byName: map[string]given{}}, watch.NewFake()
	a.follow(source, a.take)
	return a, source
}

func TestAddressesAreAwaited(t *testing.T) {
	a, source := followed(t)
	go func() {
		source.Add(serviceWith("one", ""))
		source.Add(serviceWith("two", "10.102.0.2"))
		source.Modify(serviceWith("one", "10.102.0.1"))
		external := newExternal(assignedGroup, "three")
		external.Spec.ExternalIPs = []string{"10.103.0.1"}
		source.Add(external)
	}()
	start := time.Now()
	got, err := a.of(t.Context(), "one")
	if err != nil || got.address.String() != "10.102.0.1" || got.at.Before(start) {
		t.Errorf("got %v, %v", got, err)
	}
	found, err := a.all(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if got := found["three"].address.String(); got != "10.103.0.1" {
		t.Errorf("got %s", got)
	}
	if at := last(found); at != found["three"].at {
		t.Errorf("the last came at %s", at)
	}
	hops := []netip.Addr{netip.MustParseAddr("192.168.1.11")}
	if want := to(found, hops); len(want) != 3 || want[netip.MustParsePrefix("10.102.0.2/32")][0] != hops[0] {
		t.Errorf("routes %v", want)
	}
}

func TestAddressesKnowWhatMustNotHappen(t *testing.T) {
	for name, row := range map[string]struct {
		happens func(*watch.FakeWatcher)
		want    string
	}{
		"one address for two": {func(source *watch.FakeWatcher) {
			source.Add(serviceWith("two", "10.102.0.1"))
		}, "10.102.0.1 is assigned to both Services one and two"},
		"another address": {func(source *watch.FakeWatcher) {
			source.Modify(serviceWith("one", "10.102.0.9"))
			source.Add(serviceWith("two", "10.102.0.2"))
		}, "10.102.0.1 was assigned to Service one, which now has 10.102.0.9"},
		"the watch fails": {func(source *watch.FakeWatcher) {
			source.Error(&metav1.Status{Message: "too old resource version"})
			source.Add(serviceWith("two", "10.102.0.2"))
		}, "too old resource version"},
		"it was deleted, and the address given again": {func(source *watch.FakeWatcher) {
			source.Delete(serviceWith("one", "10.102.0.1"))
			source.Add(serviceWith("two", "10.102.0.1"))
			source.Add(serviceWith("three", "10.102.0.3"))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, source := followed(t)
			go func() {
				source.Add(serviceWith("one", "10.102.0.1"))
				row.happens(source)
			}()
			_, err := a.all(t.Context(), 2)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestAddressesAreNotAwaitedForEver(t *testing.T) {
	a, source := followed(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.of(ctx, "one"); err == nil || !strings.Contains(err.Error(), "the address of one") {
		t.Errorf("after the context: %v", err)
	}
	source.Stop()
	if _, err := a.of(t.Context(), "one"); err == nil || !strings.Contains(err.Error(), "the watch ended") {
		t.Errorf("after the watch: %v", err)
	}
	if _, err := a.all(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "there are 0") {
		t.Errorf("all of them: %v", err)
	}
}

// failing is a watch that says so when it is stopped, as one over HTTP may.
type failing struct{ *watch.FakeWatcher }

func (f failing) Stop() {
	f.Error(&metav1.Status{Message: "response body closed"})
	f.FakeWatcher.Stop()
}

func TestTheEndOfAWatchIsNoNews(t *testing.T) {
	a := &addresses{byName: map[string]given{}}
	a.follow(failing{watch.NewFake()}, a.take)
	if err := a.end(); err != nil {
		t.Error(err)
	}
}

func TestLeadershipIsFollowed(t *testing.T) {
	l, source := &leadership{}, watch.NewFake()
	l.follow(source, l.take)
	defer l.stop()
	hold := func(identity string) {
		source.Modify(&coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: &identity}})
	}
	hold("manager-a_1")
	hold("manager-a_1") // Renewed.
	if err := l.watched.await(t.Context(), "the first", func() bool { return len(l.all) == 1 }); err != nil {
		t.Fatal(err)
	}
	mark := l.mark()
	go func() {
		hold("")
		hold("manager-b_2")
	}()
	released, err := l.await(t.Context(), mark, func(identity string) bool { return podOf(identity) != "manager-a" })
	if err != nil || released.identity != "" {
		t.Errorf("released: %v, %v", released, err)
	}
	before := l.at(mark)
	led, err := l.await(t.Context(), mark, func(identity string) bool { return identity != "" && identity != before })
	if err != nil || podOf(led.identity) != "manager-b" || led.at.Before(released.at) {
		t.Errorf("led: %v, %v", led, err)
	}
}
