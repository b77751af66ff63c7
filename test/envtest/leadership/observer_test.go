package leadership_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// observer watches who has which address. It knows nothing of pools and marks: an address that two Services have is a double.
type observer struct {
	mu      sync.Mutex
	holders map[string]map[string]bool
	has     map[string][]string
	// given counts addresses that a Service came to have, and changed those of them that came after another.
	given, changed int
	open           map[string]*double
	ended          []double
}

// double is an address that several Services had at one time.
type double struct {
	address  string
	services []string
	since    time.Time
	lived    time.Duration
}

func (d double) String() string {
	return fmt.Sprintf("%s of %v for %v", d.address, d.services, d.lived)
}

// observe watches until the test ends.
func observe(t *testing.T, config *rest.Config) *observer {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{holders: map[string]map[string]bool{}, has: map[string][]string{}, open: map[string]*double{}}
	factory := informers.NewSharedInformerFactory(clientset, 0)
	informer := factory.Core().V1().Services().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { o.set(object, addressesOf(object)) },
		UpdateFunc: func(_, object any) { o.set(object, addressesOf(object)) },
		DeleteFunc: func(object any) { o.set(object, nil) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	factory.StartWithContext(ctx)
	t.Cleanup(func() {
		cancel()
		factory.Shutdown()
	})
	if !cache.WaitForCacheSync(t.Context().Done(), informer.HasSynced) {
		t.Fatal("Services can't be watched")
	}
	return o
}

func addressesOf(object any) []string {
	var addresses []string
	if service, ok := object.(*corev1.Service); ok {
		for _, ingress := range service.Status.LoadBalancer.Ingress {
			addresses = append(addresses, ingress.IP)
		}
	}
	return addresses
}

// set notes what a Service has from now on.
func (o *observer) set(object any, addresses []string) {
	key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
	if err != nil {
		return
	}
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.has[key]
	for _, address := range before {
		if !slices.Contains(addresses, address) {
			delete(o.holders[address], key)
			o.judge(address, now)
		}
	}
	for _, address := range addresses {
		if slices.Contains(before, address) {
			continue
		}
		o.given++
		if len(before) > 0 {
			o.changed++
		}
		if o.holders[address] == nil {
			o.holders[address] = map[string]bool{}
		}
		o.holders[address][key] = true
		o.judge(address, now)
	}
	o.has[key] = addresses
	if addresses == nil {
		delete(o.has, key)
	}
}

// judge notes whether an address became a double, or is one no more.
func (o *observer) judge(address string, now time.Time) {
	open := o.open[address]
	switch isDouble := len(o.holders[address]) > 1; {
	case isDouble && open == nil:
		o.open[address] = &double{address: address, services: slices.Sorted(maps.Keys(o.holders[address])), since: now}
	case !isDouble && open != nil:
		open.lived = now.Sub(open.since)
		o.ended = append(o.ended, *open)
		delete(o.open, address)
	}
}

// doubles returns those that ended, and those that are there still.
func (o *observer) doubles() (ended, open []double) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.open {
		open = append(open, *d)
	}
	return slices.Clone(o.ended), open
}

// of returns the addresses of a Service.
func (o *observer) of(key string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.has[key])
}

// counts returns how many addresses were given, and how many of these in place of another.
func (o *observer) counts() (given, changed int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.given, o.changed
}
