package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/ipam"
)

const (
	// fillPage is how many Services one request to the API server reads.
	fillPage = 500
	// fillTimeout bounds one such request.
	fillTimeout = 30 * time.Second
	// listedAfter is how long an address that nobody has rests at most since some node lists it: an agent that is gone lists
	// for ever what it listed last.
	listedAfter = 5 * time.Minute
)

// fill reads everything into the ledger, once, and has every Service be looked at. Changes that come meanwhile wait: the
// ledger is locked, and those that it has already are passed over.
func (r *AssignmentReconciler) fill(ctx context.Context) error {
	if r.ledger.filled.Load() {
		return nil
	}
	began := time.Now()
	e, err := r.fillLedger(ctx)
	if err != nil {
		return fmt.Errorf("read who has which address: %w", err)
	}
	r.spread(ctx, e)
	r.wakePools(ctx)
	r.queue.AddAfter(assignmentKey{task: taskUnlist}, listedAfter)
	logf.FromContext(ctx).Info("Read who has which address", "services", len(e.services), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

func (r *AssignmentReconciler) fillLedger(ctx context.Context) (effects, error) {
	l := &r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	state, err := r.source.State(ctx)
	if err != nil {
		return effects{}, err
	}
	l.begin()
	if err := r.fillConfig(ctx, state); err != nil {
		return effects{}, err
	}
	if err := r.fillServices(ctx); err != nil {
		return effects{}, err
	}
	if err := r.fillListed(ctx); err != nil {
		return effects{}, err
	}
	now := time.Now()
	for name := range l.pools {
		l.noteHolders(name, now)
	}
	for key, a := range l.accounts {
		if concerns(a.object, a) {
			l.wake = append(l.wake, key)
		}
	}
	l.filled.Store(true)
	return l.settle(now), nil
}

// begin empties the ledger.
func (l *ledger) begin() {
	l.table = ipam.NewTable()
	l.accounts = map[advertise.ServiceKey]*account{}
	l.pools = map[string]*poolAccount{}
	l.listed = map[netip.Addr]map[string]bool{}
	l.wake, l.gone, l.counted = nil, nil, nil
}

// fillConfig reads pools, blocks and namespaces.
func (r *AssignmentReconciler) fillConfig(ctx context.Context, state cluster.State) error {
	var namespaces corev1.NamespaceList
	if err := r.client.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("read Namespaces from the cache: %w", err)
	}
	now := time.Now()
	for i := range state.Pools {
		r.ledger.learnPool(&state.Pools[i], now)
	}
	r.ledger.configure(ipam.ConfigOf(state), now)
	for i := range namespaces.Items {
		r.ledger.table.SetNamespace(namespaces.Items[i].Name, namespaces.Items[i].Labels)
	}
	return nil
}

// fillServices reads all Services from the API server, and then those of the cache that are newer.
func (r *AssignmentReconciler) fillServices(ctx context.Context) error {
	for next := ""; ; {
		var page corev1.ServiceList
		if err := r.readPage(ctx, &page, next); err != nil {
			return err
		}
		for i := range page.Items {
			r.ledger.learn(stripped(&page.Items[i]), time.Now())
		}
		if next = page.Continue; next == "" {
			break
		}
	}
	var cached corev1.ServiceList
	if err := r.client.List(ctx, &cached, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("read Services from the cache: %w", err)
	}
	for i := range cached.Items {
		r.ledger.learn(&cached.Items[i], time.Now())
	}
	return nil
}

func (r *AssignmentReconciler) readPage(ctx context.Context, page *corev1.ServiceList, next string) error {
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	if err := r.live.List(ctx, page, client.Limit(fillPage), client.Continue(next)); err != nil {
		return fmt.Errorf("read Services: %w", err)
	}
	return nil
}

// fillListed reads which addresses nodes list that nobody has.
func (r *AssignmentReconciler) fillListed(ctx context.Context) error {
	l := &r.ledger
	var nodes v1alpha1.BGPNodeList
	if err := r.client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("read BGPNodes from the cache: %w", err)
	}
	for i := range nodes.Items {
		for address := range listedBy(&nodes.Items[i]) {
			if l.table.Has(address) {
				continue
			}
			if l.listed[address] == nil {
				l.listed[address] = map[string]bool{}
				l.table.SetListed(address, true, time.Now())
			}
			l.listed[address][nodes.Items[i].Name] = true
		}
	}
	return nil
}
