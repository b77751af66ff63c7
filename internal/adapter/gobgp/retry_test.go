package gobgp

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestRetry(t *testing.T) {
	const s = time.Second
	failed := outcome{cause: errClosed}
	flapped := outcome{cause: errClosed, lived: s}
	lost := outcome{cause: errClosed, lived: time.Hour}
	flooded := outcome{cause: errors.Join(&prefixLimitError{}), lived: s}
	unreachable := outcome{cause: pathFailure{errClosed}, lived: s}
	for name, test := range map[string]struct {
		ends []outcome
		want []time.Duration
	}{
		"a dead peer is tried at once, then more and more seldom": {
			[]outcome{failed, failed, failed, failed, failed, failed},
			[]time.Duration{0, s, 2 * s, 4 * s, 5 * s, 5 * s},
		},
		"so is a peer that flaps": {
			[]outcome{flapped, flapped, flapped, flapped, flapped},
			[]time.Duration{0, s, 2 * s, 4 * s, 5 * s},
		},
		"a session that was stable is redialled at once, whatever came before": {
			[]outcome{failed, failed, failed, lost, lost, failed, failed},
			[]time.Duration{0, s, 2 * s, 0, 0, s, 2 * s},
		},
		"after a failure of BFD the router gets a second, and more if it fails again soon": {
			[]outcome{unreachable, unreachable, unreachable, failed, {cause: unreachable.cause, lived: time.Hour}},
			[]time.Duration{s, 2 * s, 4 * s, 5 * s, s},
		},
		"a peer that sends too much has minutes to mend its ways": {
			[]outcome{flooded, flooded, flooded, flooded, flooded, flooded, flooded},
			[]time.Duration{60 * s, 120 * s, 240 * s, 480 * s, 960 * s, 1800 * s, 1800 * s},
		},
		"once it has kept the limit, it starts from one minute again": {
			[]outcome{flooded, flooded, {cause: flooded.cause, lived: time.Hour}},
			[]time.Duration{60 * s, 120 * s, 60 * s},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r retry
			var got []time.Duration
			for _, end := range test.ends {
				got = append(got, r.next(end, 5*s))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("waits %v, want %v", got, test.want)
			}
		})
	}
}

func TestRetryNeverWaitsLongerThanTheConnectRetryTime(t *testing.T) {
	var r retry
	for range 5 {
		if wait := r.next(outcome{cause: errClosed}, 500*time.Millisecond); wait > 500*time.Millisecond {
			t.Errorf("waits %s", wait)
		}
	}
}
