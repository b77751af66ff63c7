package kubelet

import "time"

// The lab's back-off: a hundredth of what a kubelet takes, so that a test sees it.
const (
	backoffBase  = time.Second
	backoffMax   = 20 * time.Second
	backoffReset = 10 * time.Second
)

// backoff says how long to wait before a container is started again: not at all the first time, then backoffBase, doubled
// each time. A run of backoffReset or more makes it begin anew.
type backoff struct {
	following time.Duration
}

// after returns the wait after a run of the given length.
func (b *backoff) after(ran time.Duration) time.Duration {
	if ran >= backoffReset {
		b.following = 0
	}
	wait := b.following
	b.following = min(max(2*wait, backoffBase), backoffMax)
	return wait
}
