package kubelet

import (
	"context"
	"sync"
)

// letter is something to do in the goroutine that takes it, with that goroutine's context.
type letter func(ctx context.Context)

// mailbox keeps what others want a goroutine to do until it takes it. Posting never waits.
type mailbox struct {
	mu      sync.Mutex
	letters []letter
	nudge   chan struct{}
}

func newMailbox() *mailbox { return &mailbox{nudge: make(chan struct{}, 1)} }

func (m *mailbox) post(l letter) {
	m.mu.Lock()
	m.letters = append(m.letters, l)
	m.mu.Unlock()
	select {
	case m.nudge <- struct{}{}:
	default:
	}
}

// take returns what was posted since the last time, in order.
func (m *mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	letters := m.letters
	m.letters = nil
	return letters
}
