package gobgp

import (
	"errors"
	"time"
)

// Times that a peer's configuration does not name.
const (
	// stableAfter is how long a session must have lived for its loss to be redialled at once.
	stableAfter = 10 * time.Second
	// A peer that sent too many prefixes is tried again after prefixLimitWait, then after twice as long each time.
	prefixLimitWait    = time.Minute
	maxPrefixLimitWait = 30 * time.Minute
)

// retry decides when a session is dialled again. Its zero value is a session that has not been tried.
type retry struct {
	wait      time.Duration // what came before the last attempt
	limitWait time.Duration // what followed the last breach of the prefix limit
}

// next returns how long to wait before the next attempt. The first failure, and the loss of a session that was stable,
// are tried again at once: a router keeps the routes of a lost session for a while only. From then on the wait grows from
// a second to the connect retry time, so that a peer that is dead, or flaps, costs little. After a failure of BFD the router has
// dropped the routes anyway, and needs the second: FRR 8.4 has no BFD for a neighbor that is back before it has forgotten it.
func (r *retry) next(end outcome, connectRetry time.Duration) time.Duration {
	if limit := (*prefixLimitError)(nil); errors.As(end.cause, &limit) {
		if end.lived > maxPrefixLimitWait {
			r.limitWait = 0
		}
		r.limitWait = min(max(2*r.limitWait, prefixLimitWait), maxPrefixLimitWait)
		return r.limitWait
	}
	if errors.As(end.cause, &pathFailure{}) {
		if end.lived >= stableAfter {
			r.wait = 0
		}
		wait := min(max(r.wait, time.Second), connectRetry)
		r.wait = min(2*wait, connectRetry)
		return wait
	}
	if end.lived >= stableAfter {
		r.wait = min(time.Second, connectRetry)
		return 0
	}
	wait := r.wait
	r.wait = min(max(2*r.wait, time.Second), connectRetry)
	return wait
}

// outcome is how an attempt to hold a session ended.
type outcome struct {
	cause error
	lived time.Duration // how long the session was established, 0 if it never was
}
