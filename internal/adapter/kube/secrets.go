package kube

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/password"
	"github.com/herald-network/herald/internal/logkey"
)

const (
	// firstRefusal and lastRefusal are how long a Secret that the API server refuses is left alone. The manager lets agents
	// read one that is named anew within milliseconds; one that does not exist is refused to the agents of all nodes.
	firstRefusal = 100 * time.Millisecond
	lastRefusal  = 10 * time.Second
)

// Secrets follows the Secrets of peers' passwords, each key on its own: agents may read those Secrets only by name.
type Secrets struct {
	clients   *Clients
	namespace string
	push      func(...input.Event)
	// changed receives a nudge when wanted changed.
	changed chan struct{}

	mu     sync.Mutex
	wanted map[v1alpha1.SecretKeyRef]string
	// left are keys that were not wanted for a while since they were last looked at: what they hold was forgotten.
	left map[v1alpha1.SecretKeyRef]struct{}
}

// Secrets returns what follows Secrets of a namespace, none at first.
func (c *Clients) Secrets(namespace string, push func(...input.Event)) *Secrets {
	return &Secrets{clients: c, namespace: namespace, push: push, changed: make(chan struct{}, 1), left: map[v1alpha1.SecretKeyRef]struct{}{}}
}

// Follow makes keys the only ones that are followed. Where the text of a key changes, and it can't be read, that is tried again
// at once.
func (s *Secrets) Follow(keys map[v1alpha1.SecretKeyRef]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if maps.Equal(s.wanted, keys) {
		return
	}
	for key := range s.wanted {
		if _, still := keys[key]; !still {
			s.left[key] = struct{}{}
		}
	}
	s.wanted = keys
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run follows what Follow says until the context ends.
func (s *Secrets) Run(ctx context.Context) {
	log := logr.FromContextOrDiscard(ctx)
	ctx = klog.NewContext(ctx, logr.Discard()) // As in kube.Follow.
	followed := map[v1alpha1.SecretKeyRef]*secret{}
	defer func() {
		for _, f := range followed {
			f.stop()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		}
		s.mu.Lock()
		wanted, left := s.wanted, s.left
		s.left = map[v1alpha1.SecretKeyRef]struct{}{}
		s.mu.Unlock()
		for key, f := range followed {
			if _, forgotten := left[key]; forgotten {
				f.stop()
				delete(followed, key)
			}
		}
		for key, occasion := range wanted {
			f := followed[key]
			if f == nil {
				f = s.secret(key, log)
				followed[key] = f
				f.start(ctx)
			} else if f.occasion != occasion && f.isRefused.Load() {
				f.stop()
				f.start(ctx)
			}
			f.occasion = occasion
		}
	}
}

// secret is one key that is followed.
type secret struct {
	follower

	key      v1alpha1.SecretKeyRef
	store    *store[*corev1.Secret]
	push     func(...input.Event)
	occasion string
	// stop ends following, and returns when it has ended.
	stop func()

	// isRefused says that the API server refuses to show the Secret, and patience for how many nanoseconds it is left alone
	// then. A reflector may leave a request behind when it ends, so that they are not the present one's alone.
	isRefused atomic.Bool
	patience  atomic.Int64
}

func (s *Secrets) secret(key v1alpha1.SecretKeyRef, log logr.Logger) *secret {
	kind := secretKind(key)
	f := &secret{
		follower: follower{
			client: s.clients.core, resource: "secrets", namespace: s.namespace, narrow: named(key.Name),
			log: log.WithValues(logkey.Input, kind.name, logkey.Secret, key.Name),
		},
		key: key, store: newStore(kind, s.push), push: s.push,
	}
	// A first list without the Secret says as much as its deletion.
	f.store.known[cache.ObjectName{Namespace: s.namespace, Name: key.Name}] = struct{}{}
	return f
}

func secretKind(key v1alpha1.SecretKeyRef) kind[*corev1.Secret] {
	return kind[*corev1.Secret]{
		name:    input.KindSecret,
		example: &corev1.Secret{},
		set: func(s *corev1.Secret) input.Event {
			return input.Password{Key: key, Found: password.In(&password.Secret{Type: string(s.Type), Data: s.Data}, key)}
		},
		gone: func(cache.ObjectName) input.Event { return input.Password{Key: key, Found: password.In(nil, key)} },
	}
}

// start follows the key until stop is called, or the context ends.
func (f *secret) start(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	f.patience.Store(0)
	source := &cache.ListWatch{ListWithContextFunc: f.list, WatchFuncWithContext: f.watch}
	options := cache.ReflectorOptions{Name: string(input.KindSecret), Backoff: retry()}
	reflector := cache.NewReflectorWithOptions(source, f.store.kind.example, f.store, options)
	var running sync.WaitGroup
	running.Go(func() { reflector.RunWithContext(ctx) })
	f.stop = func() { cancel(); running.Wait() }
}

func (f *secret) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	f.wait(ctx)
	list, err := f.request(options).Do(ctx).Get()
	f.note(ctx, err)
	return list, err
}

func (f *secret) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	f.wait(ctx)
	options.Watch = true
	w, err := f.request(options).Watch(ctx)
	f.note(ctx, err)
	return w, err
}

// wait leaves a Secret alone that was refused.
func (f *secret) wait(ctx context.Context) {
	patience := time.Duration(f.patience.Load())
	if patience == 0 {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// note passes on that the Secret is refused, which a Secret that does not exist always is. That is no fault of reading, and
// whoever waits for it sees it in the status of its peers; so it is logged once, until it is read.
func (f *secret) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if apierrors.IsForbidden(err) {
		f.patience.Store(int64(min(max(2*time.Duration(f.patience.Load()), firstRefusal), lastRefusal)))
		if !f.isRefused.Swap(true) {
			f.log.Info("A Secret can't be read, its peers wait for it", logkey.Reason, err.Error())
			f.push(input.Password{Key: f.key, Found: password.Found{Verdict: password.Unreadable}})
		}
		return
	}
	f.follower.note(ctx, err)
	if err == nil {
		f.patience.Store(0)
		if f.isRefused.Swap(false) {
			f.log.Info("Reading a Secret")
		}
	}
}
