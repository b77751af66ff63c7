package leadership

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// rack is an API server with one Lease, whose times pass only as the test lets them.
type rack struct {
	*testing.T
	server *fake.Clientset
	// takes is how long the server takes for a write, and fails what it answers then.
	takes time.Duration
	fails error
}

// inTime runs a test in a time of its own, which begins with a whole second.
func inTime(t *testing.T, test func(*rack)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(&rack{T: t, server: fake.NewClientset()}) })
}

// replica is the client of a replica, for which the server may be away while it is there for others.
type replica struct {
	coordinationv1client.LeaseInterface
	rack *rack
	away atomic.Bool
}

func (r *replica) Leases(string) coordinationv1client.LeaseInterface { return r }

func (r *replica) Create(ctx context.Context, lease *coordinationv1.Lease, o metav1.CreateOptions) (*coordinationv1.Lease, error) {
	if err := r.wait(); err != nil {
		return nil, err
	}
	return r.LeaseInterface.Create(ctx, lease, o)
}

func (r *replica) Update(ctx context.Context, lease *coordinationv1.Lease, o metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	if err := r.wait(); err != nil {
		return nil, err
	}
	return r.LeaseInterface.Update(ctx, lease, o)
}

func (r *replica) wait() error {
	r.rack.pass(r.rack.takes)
	if r.away.Load() {
		return errors.New("the server is away")
	}
	return r.rack.fails
}

func (r *rack) pass(d time.Duration) { <-time.After(d) }

func (r *rack) replica() *replica {
	return &replica{LeaseInterface: r.server.CoordinationV1().Leases("herald-system"), rack: r}
}

func (r *rack) lock(identity string) *Lock {
	return over(r.replica(), "herald-system", "herald-manager", identity)
}

// record is what a leader election writes to hold the Lease for a number of seconds.
func record(identity string, seconds int) resourcelock.LeaderElectionRecord {
	return resourcelock.LeaderElectionRecord{
		HolderIdentity: identity, LeaseDurationSeconds: seconds, RenewTime: metav1.Now(), AcquireTime: metav1.Unix(1, 0),
	}
}

func (r *rack) succeeds(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rack) remains(l *Lock, want time.Duration) {
	r.Helper()
	if got := l.Remaining(); got != want {
		r.Errorf("%v remain, want %v", got, want)
	}
}

func TestALeaseRemainsFromTheStartOfItsLastRenewal(t *testing.T) {
	inTime(t, func(r *rack) {
		l := r.lock("a")
		r.remains(l, 0)

		r.takes = 300 * time.Millisecond
		r.succeeds(l.Create(r.Context(), record("a", 15)))
		r.remains(l, 15*time.Second-r.takes)
		r.pass(2 * time.Second)
		r.remains(l, 13*time.Second-r.takes)

		r.succeeds(l.Update(r.Context(), record("a", 15)))
		r.remains(l, 15*time.Second-r.takes)
		r.pass(15 * time.Second)
		r.remains(l, -r.takes)

		r.succeeds(l.Update(r.Context(), record("a", 15)))
		r.remains(l, 15*time.Second-r.takes)
	})
}

func TestARenewalThatFailsIsNone(t *testing.T) {
	inTime(t, func(r *rack) {
		l := r.lock("a")
		r.fails = errors.New("the server is away")
		if err := l.Create(r.Context(), record("a", 15)); !errors.Is(err, r.fails) {
			r.Errorf("the error is %v", err)
		}
		r.remains(l, 0)

		r.fails = nil
		r.succeeds(l.Create(r.Context(), record("a", 15)))
		r.pass(4 * time.Second)
		r.fails = errors.New("the server is away again")
		if err := l.Update(r.Context(), record("a", 15)); !errors.Is(err, r.fails) {
			r.Errorf("the error is %v", err)
		}
		r.remains(l, 11*time.Second)
	})
}

// A release is none from the moment that it is sent, since others lead as soon as the server has it.
func TestAReleasedLeaseIsNone(t *testing.T) {
	inTime(t, func(r *rack) {
		l := r.lock("a")
		r.succeeds(l.Create(r.Context(), record("a", 15)))

		r.takes, r.fails = time.Second, errors.New("the answer got lost")
		answered := make(chan error)
		go func() { answered <- l.Update(r.Context(), record("", 1)) }()
		synctest.Wait()
		r.remains(l, 0)
		if err := <-answered; !errors.Is(err, r.fails) {
			r.Errorf("the error is %v", err)
		}
		r.remains(l, 0)

		r.takes, r.fails = 0, nil
		r.succeeds(l.Update(r.Context(), record("a", 15)))
		r.remains(l, 15*time.Second)
	})
}

func TestALeaseThatAPersonTookAwayIsNone(t *testing.T) {
	for name, take := range map[string]func(*rack) error{
		"deleted": func(r *rack) error {
			return r.server.CoordinationV1().Leases("herald-system").Delete(r.Context(), "herald-manager", metav1.DeleteOptions{})
		},
		"given to another": func(r *rack) error {
			leases := r.server.CoordinationV1().Leases("herald-system")
			_, err := leases.Update(r.Context(), &coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Name: "herald-manager"},
				Spec:       coordinationv1.LeaseSpec{HolderIdentity: new("b")},
			}, metav1.UpdateOptions{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rack) {
				l := r.lock("a")
				r.succeeds(l.Create(r.Context(), record("a", 15)))
				if _, _, err := l.Get(r.Context()); err != nil {
					r.Fatal(err)
				}
				r.remains(l, 15*time.Second)
				r.succeeds(take(r))
				_, _, _ = l.Get(r.Context())
				r.remains(l, 0)
			})
		})
	}
}

// Two leader elections of client-go: however the first comes to an end, what remains to it is over before the second leads, and
// hardly sooner.
func TestNothingRemainsWhenAnotherLeads(t *testing.T) {
	const lease, renew, retry = 2 * time.Second, 1200 * time.Millisecond, 200 * time.Millisecond
	// It is stopped at any time in a second: leader elections see times in whole seconds.
	for after := 5 * time.Second; after < 6*time.Second; after += 77 * time.Millisecond {
		t.Run(after.String(), func(t *testing.T) {
			inTime(t, func(r *rack) {
				r.takes = 10 * time.Millisecond
				client := r.replica()
				first, second := over(client, "herald-system", "herald-manager", "a"), r.lock("b")
				ctx, cancel := context.WithCancel(r.Context())
				var elections sync.WaitGroup
				elect := func(l *Lock, leads func(context.Context)) {
					elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
						Lock: l, LeaseDuration: lease, RenewDeadline: renew, RetryPeriod: retry,
						Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: leads, OnStoppedLeading: func() {}},
					})
					r.succeeds(err)
					elections.Go(func() { elector.Run(ctx) })
				}
				leads := make(chan struct{})
				elect(first, func(context.Context) { close(leads) })
				<-leads
				led := make(chan time.Time, 1)
				elect(second, func(context.Context) { led <- time.Now() })

				r.pass(after)
				if remains := first.Remaining(); remains < lease-time.Second-retry-r.takes {
					r.Errorf("%v remain to a leader that renews in time", remains)
				}
				client.away.Store(true)
				end := time.Now().Add(first.Remaining())
				if when := <-led; when.Before(end) || when.After(end.Add(time.Second)) {
					r.Errorf("the second leads %v after what remained to the first was over", when.Sub(end))
				}
				cancel()
				elections.Wait()
			})
		})
	}
}

func TestReplicasHaveNamesOfTheirOwn(t *testing.T) {
	a, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, "herald-system", "herald-manager", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, "herald-system", "herald-manager", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if a.Identity() == b.Identity() || a.Describe() != "herald-system/herald-manager" {
		t.Errorf("locks of %s are %s and %s", a.Describe(), a.Identity(), b.Identity())
	}
}
