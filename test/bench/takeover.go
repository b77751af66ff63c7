package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// takeovers measures, with many others present, when a Service has its address that came while no manager led.
func takeovers(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	if err := r.holdAssigned(ctx, o.assigned); err != nil {
		return nil, err
	}
	leases, err := r.watchLeader(ctx)
	if err != nil {
		return nil, err
	}
	defer leases.stop()
	var rows []row
	for _, way := range []struct {
		name string
		take func(context.Context, *leadership, string) (takeover, error)
	}{
		{"leader ended in the ordinary way", r.handOver},
		{"leader killed (SIGKILL)", r.crash},
		{"no manager there, then all started", r.coldStart},
	} {
		var leaderless, first, total samples
		for i := range o.rounds {
			took, err := way.take(ctx, leases, fmt.Sprintf("takeover-%d-%d", len(rows), i))
			if err != nil {
				return rows, fmt.Errorf("%s: %w", way.name, err)
			}
			if err := r.expectManagers(ctx); err != nil {
				return rows, err
			}
			leaderless = append(leaderless, took.led.Sub(took.begun))
			first = append(first, took.assigned.Sub(later(took.led, took.created)))
			total = append(total, took.assigned.Sub(took.begun))
		}
		work := fmt.Sprintf("%d Services there, %s, %d times: ", o.assigned, way.name, o.rounds)
		rows = append(rows,
			row{work + "until another leads", leaderless.each(), ""},
			row{work + "from its lease to the address of a Service that came meanwhile", first.finely(), ""},
			row{work + "in all", total.each(), ""})
	}
	return rows, nil
}

// takeover is when what happened.
type takeover struct {
	// begun is when nobody led any more, or where all managers are started when that was begun; created is when the Service was,
	// led when a manager became the leader, and assigned when the Service had its address.
	begun, created, led, assigned time.Time
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// handOver ends the leader in the ordinary way, so that it gives up its lease.
func (r *rack) handOver(ctx context.Context, leases *leadership, name string) (t takeover, err error) {
	leader, err := r.leader(ctx)
	if err != nil {
		return t, err
	}
	waiting, err := r.newcomer(ctx, name)
	if err != nil {
		return t, err
	}
	defer waiting.stop()
	mark, stopped := leases.mark(), make(chan error, 1)
	go func() {
		_, err := r.Run(ctx, "stop", "manager/"+leader.node)
		stopped <- err
	}()
	released, err := leases.await(ctx, mark, func(identity string) bool { return podOf(identity) != leader.pod })
	if err != nil {
		return t, err
	}
	t.begun = released.at
	if err = waiting.create(ctx, &t); err == nil {
		err = waiting.await(ctx, leases, mark, &t)
	}
	err = errors.Join(err, <-stopped)
	_, startErr := r.Run(ctx, "start", "manager/"+leader.node)
	return t, errors.Join(err, startErr)
}

// crash kills the leader, whose lease nobody can have before it is over.
func (r *rack) crash(ctx context.Context, leases *leadership, name string) (t takeover, err error) {
	leader, err := r.leader(ctx)
	if err != nil {
		return t, err
	}
	waiting, err := r.newcomer(ctx, name)
	if err != nil {
		return t, err
	}
	defer waiting.stop()
	mark := leases.mark()
	t.begun = time.Now()
	if _, err := r.Run(ctx, "kill", "manager/"+leader.node); err != nil {
		return t, err
	}
	if err := waiting.create(ctx, &t); err != nil {
		return t, err
	}
	err = waiting.await(ctx, leases, mark, &t)
	return t, err
}

// coldStart ends all managers and starts them again: the new leader has to read everything first.
func (r *rack) coldStart(ctx context.Context, leases *leadership, name string) (t takeover, err error) {
	waiting, err := r.newcomer(ctx, name)
	if err != nil {
		return t, err
	}
	defer waiting.stop()
	if _, err := r.Run(ctx, "stop", "manager"); err != nil {
		return t, err
	}
	if err := waiting.create(ctx, &t); err != nil {
		return t, err
	}
	mark, started := leases.mark(), make(chan error, 1)
	t.begun = time.Now()
	go func() {
		_, err := r.Run(ctx, "start", "manager")
		started <- err
	}()
	err = waiting.await(ctx, leases, mark, &t)
	return t, errors.Join(err, <-started)
}

// newcomer is a Service that comes while no manager leads.
type newcomer struct {
	rack *rack
	name string
	*addresses
}

// newcomer returns one that is still to be created.
func (r *rack) newcomer(ctx context.Context, name string) (newcomer, error) {
	watch, err := r.watchAddresses(ctx, assignedSingleGroup)
	return newcomer{r, name, watch}, err
}

// create creates it and notes when that was.
func (n newcomer) create(ctx context.Context, t *takeover) error {
	t.created = time.Now()
	return n.rack.api.Create(ctx, newAssigned(assignedSingleGroup, n.name))
}

// await notes when a manager came to lead after the mark, and when the Service was seen to have its address.
func (n newcomer) await(ctx context.Context, leases *leadership, mark int, t *takeover) error {
	before := leases.at(mark)
	led, err := leases.await(ctx, mark, func(identity string) bool { return identity != "" && identity != before })
	if err != nil {
		return err
	}
	got, err := n.of(ctx, n.name)
	t.led, t.assigned = led.at, got.at
	return err
}

// leadership is who led, in order.
type leadership struct {
	watched
	all []holding
}

// holding is that somebody, or nobody where the identity is empty, had come to hold the lease.
type holding struct {
	identity string
	at       time.Time
}

// watchLeader watches the managers' Lease.
func (r *rack) watchLeader(ctx context.Context) (*leadership, error) {
	source, err := r.api.Watch(ctx, &coordinationv1.LeaseList{}, client.InNamespace(heraldNamespace),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", managerName)})
	if err != nil {
		return nil, fmt.Errorf("watch the managers' Lease: %w", err)
	}
	l := &leadership{}
	l.follow(source, l.take)
	if err := l.watched.await(ctx, "the managers' Lease", func() bool { return len(l.all) > 0 }); err != nil {
		l.stop()
		return nil, err
	}
	return l, nil
}

func (l *leadership) take(event watch.Event, at time.Time) {
	lease, ok := event.Object.(*coordinationv1.Lease)
	if !ok {
		return
	}
	if n := len(l.all); n == 0 || l.all[n-1].identity != holder(lease) {
		l.all = append(l.all, holding{holder(lease), at})
	}
}

// mark returns the present holding; those after it come later.
func (l *leadership) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all) - 1
}

// at returns who held the lease at the mark.
func (l *leadership) at(mark int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[mark].identity
}

// await returns the first holding after the mark whose identity fits.
func (l *leadership) await(ctx context.Context, mark int, fits func(identity string) bool) (found holding, err error) {
	err = l.watched.await(ctx, "another leader", func() bool {
		i := slices.IndexFunc(l.all[mark+1:], func(h holding) bool { return fits(h.identity) })
		if i >= 0 {
			found = l.all[mark+1+i]
		}
		return i >= 0
	})
	return found, err
}
