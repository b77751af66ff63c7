package leadership

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Lock is a Lease to be led by, for a leader election that renews it. It remembers until when nobody else can lead.
type Lock struct {
	resourcelock.Interface

	mu sync.Mutex
	// end is when other replicas may take the Lease; the zero Time where they may already.
	end time.Time
	// since is when the first call began by which they may have seen the Lease as it is, and seen is what they see of it.
	since time.Time
	seen  resourcelock.LeaderElectionRecord
}

// minTimeout is how long an API server may take to answer at least, however short the renew deadline.
const minTimeout = time.Second

// New returns the lock for the Lease of a name. It has connections of its own, so that renewals do not wait behind other
// requests; one that takes longer than half of the renew deadline is given up, so that there is time for another.
func New(config *rest.Config, namespace, name string, renewDeadline time.Duration) (*Lock, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find a name for this replica: %w", err)
	}
	config = rest.AddUserAgent(rest.CopyConfig(config), "leader-election")
	config.Timeout = max(renewDeadline/2, minTimeout)
	client, err := coordinationv1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the Lease %s/%s: %w", namespace, name, err)
	}
	return over(client, namespace, name, hostname+"_"+string(uuid.NewUUID())), nil
}

// over returns the lock over a client.
func over(client coordinationv1client.LeasesGetter, namespace, name, identity string) *Lock {
	return &Lock{Interface: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: name},
		Client:     client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}}
}

// Remaining returns for how long from now no other replica can lead; nothing or less where one may lead already.
func (l *Lock) Remaining() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end.IsZero() {
		return 0
	}
	return time.Until(l.end)
}

// Get reads the Lease.
func (l *Lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if apierrors.IsNotFound(err) || err == nil && record.HolderIdentity != l.Identity() {
		l.lose() // Somebody took it before its time: a person deleted or edited it.
	}
	return record, raw, err
}

// Create makes the Lease.
func (l *Lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Create)
}

// Update renews the Lease, or gives it up.
func (l *Lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Update)
}

func (l *Lock) write(
	ctx context.Context, record resourcelock.LeaderElectionRecord,
	write func(context.Context, resourcelock.LeaderElectionRecord) error,
) error {
	began := time.Now()
	if record.HolderIdentity != l.Identity() {
		l.lose() // Others may lead as soon as the server has it, which is before it answers.
		return write(ctx, record)
	}
	if err := write(ctx, record); err != nil {
		// It may have come about all the same. Then more remains than is known.
		return err
	}
	l.renewed(record, began)
	return nil
}

func (l *Lock) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end, l.since, l.seen = time.Time{}, time.Time{}, resourcelock.LeaderElectionRecord{}
}

// renewed notes a renewal whose call began at a time. Other replicas wait for as long as the Lease says, in whole seconds,
// after they have seen it change; they see its times in whole seconds too, so that a renewal in the second of the one before
// changes nothing for them.
func (l *Lock) renewed(record resourcelock.LeaderElectionRecord, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	record.RenewTime, record.AcquireTime = metav1.Unix(record.RenewTime.Unix(), 0), metav1.Unix(record.AcquireTime.Unix(), 0)
	if l.since.IsZero() || record != l.seen {
		l.since, l.seen = began, record
	}
	l.end = l.since.Add(time.Duration(record.LeaseDurationSeconds) * time.Second)
}
