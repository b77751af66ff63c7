package controllers

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/status"
)

const (
	// gatherTime is how long after the first sign of news a look for events waits: nodes that notice one cause together are
	// told of in one event.
	gatherTime = 2 * time.Second
	// peerQuietTime is the least time between two looks at one BGPPeer that make events.
	peerQuietTime = 10 * time.Second
	// routesCost is what part of the time looks at the routes of all nodes may take.
	routesCost = 20
	// eventsInterval is the time between two rounds of events.
	eventsInterval = time.Second
)

// newsWatch looks for news of BGPPeers and of the routes of Services, and has it written in events. What it makes of one
// BGPPeer is bounded: at most one event in 10 s for each reason, and what happens in between is told in the next one. So a
// session that flaps makes 6 Warnings a minute, however often it flaps, and n peers never make more than n/10 a second.
//
// The first look after a start, and the first at a new BGPPeer, says how things are, not that they changed: it makes no event.
type newsWatch struct {
	client client.Client
	view   *view
	events *EventWriter

	mu     sync.Mutex
	peers  map[string]*peerNews
	routes routeNews
}

// peerNews is what events know of one BGPPeer.
type peerNews struct {
	tracker status.PeerTracker
	// due is when to look again; zero where there is no sign of news. It is never before notBefore.
	due, notBefore time.Time
}

// routeNews is what events know of the routes of Services.
type routeNews struct {
	tracker        status.ServiceTracker
	begun, changed bool
	// notBefore is the earliest time for the next look.
	notBefore time.Time
}

func newNewsWatch(c client.Client, v *view, events *EventWriter) *newsWatch {
	return &newsWatch{client: c, view: v, events: events, peers: map[string]*peerNews{}}
}

// note takes a sign of news about an object whose status was looked at.
func (w *newsWatch) note(p *picture, object client.Object, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.routes.begun {
		w.routes.begun = true
		w.routes.tracker.Observe(p.nodes)
	}
	peer, ok := object.(*v1alpha1.BGPPeer)
	if !ok {
		return
	}
	known := w.peers[peer.Name]
	if known == nil {
		known = &peerNews{}
		known.tracker.Observe(peer, p.nodes)
		w.peers[peer.Name] = known
		return
	}
	if known.due.IsZero() {
		known.due = later(now.Add(gatherTime), known.notBefore)
	}
}

// routesChanged takes a sign of news about the routes of Services.
func (w *newsWatch) routesChanged() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.routes.changed {
		w.routes.changed = true
		w.routes.notBefore = later(time.Now().Add(gatherTime), w.routes.notBefore)
	}
}

// forget forgets an object that is gone.
func (w *newsWatch) forget(key statusKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if key.kind == kindPeer {
		delete(w.peers, key.name)
	}
}

// Start writes events until the context ends. It implements manager.Runnable, for the leader.
func (w *newsWatch) Start(ctx context.Context) error {
	ticker := time.NewTicker(eventsInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			w.round(ctx, time.Now())
		}
	}
}

// round writes what is due at a time.
func (w *newsWatch) round(ctx context.Context, now time.Time) {
	routes, peers := w.takeDue(now)
	if !routes && !peers {
		return
	}
	var told []news
	var services []status.ServiceEvent
	err := w.view.look(ctx, func(p *picture) {
		w.mu.Lock()
		defer w.mu.Unlock()
		told = w.lookAtPeers(p, now)
		if routes {
			services = w.lookAtRoutes(p, now)
		}
	})
	if err != nil {
		logf.FromContext(ctx).Error(err, "Looking for events")
		w.putBack(routes)
		return
	}
	for _, e := range services {
		told = append(told, w.onService(ctx, e))
	}
	w.events.write(ctx, told, now)
}

// takeDue reports whether a look at the routes, and at any peer, is due. It takes the sign of news about the routes: what
// comes while the look is under way is news for the next one.
func (w *newsWatch) takeDue(now time.Time) (routes, peers bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if routes = w.routes.isDue(now); routes {
		w.routes.changed = false
	}
	for _, known := range w.peers {
		peers = peers || known.isDue(now)
	}
	return routes, peers
}

// putBack gives back the sign of news that a look took which came to nothing.
func (w *newsWatch) putBack(routes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.routes.changed = w.routes.changed || routes
}

func (n *peerNews) isDue(now time.Time) bool  { return !n.due.IsZero() && !n.due.After(now) }
func (n *routeNews) isDue(now time.Time) bool { return n.begun && n.changed && !n.notBefore.After(now) }

func (w *newsWatch) lookAtPeers(p *picture, now time.Time) []news {
	var told []news
	for i := range p.state.Peers {
		peer := &p.state.Peers[i]
		known := w.peers[peer.Name]
		if known == nil || !known.isDue(now) {
			continue
		}
		known.due = time.Time{}
		events := known.tracker.Observe(peer, p.nodes) // At most one of each reason.
		if len(events) > 0 {
			known.notBefore = now.Add(peerQuietTime)
		}
		for _, e := range events {
			told = append(told, news{regarding: corev1.ObjectReference{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: kindPeer, Name: peer.Name, UID: peer.UID,
			}, Event: e})
		}
	}
	return told
}

func (w *newsWatch) lookAtRoutes(p *picture, now time.Time) []status.ServiceEvent {
	begin := time.Now()
	events := w.routes.tracker.Observe(p.nodes)
	w.routes.notBefore = later(w.routes.notBefore, now.Add(routesCost*time.Since(begin)))
	return events
}

// onService returns an event on a Service. One that is gone has no UID: its events are found by its name.
func (w *newsWatch) onService(ctx context.Context, e status.ServiceEvent) news {
	regarding := corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: e.Service.Namespace, Name: e.Service.Name}
	var service corev1.Service
	key := client.ObjectKey{Namespace: regarding.Namespace, Name: regarding.Name}
	if err := w.client.Get(ctx, key, &service, client.UnsafeDisableDeepCopy); err == nil {
		regarding.UID = service.UID
	}
	return news{regarding: regarding, Event: e.Event}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
