package input

import "sync"

// Queue hands events from those who watch to the one who decides. It never makes a watcher wait, and gives all that has
// come in at once, so that a burst costs its reader one turn.
type Queue struct {
	ready chan struct{}

	mu     sync.Mutex
	events []Event
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{ready: make(chan struct{}, 1)} }

// Push appends events. The ones of one call are taken together, so what they say holds at once or not at all.
func (q *Queue) Push(events ...Event) {
	q.mu.Lock()
	q.events = append(q.events, events...)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// Ready receives a nudge after events came in.
func (q *Queue) Ready() <-chan struct{} { return q.ready }

// Take returns the events that came in since it was last called, in their order.
func (q *Queue) Take() []Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	events := q.events
	q.events = nil
	return events
}
