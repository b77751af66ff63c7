package main

import (
	"strings"
	"testing"
	"time"
)

func TestTimesOfTheLeaderElection(t *testing.T) {
	const s = time.Second
	for sentence, row := range map[string]struct {
		times election
		// want are words of the error, in order; none for times that are sound.
		want []string
	}{
		"the defaults":                       {election{15 * s, 10 * s, 2 * s}, nil},
		"short ones":                         {election{3 * s, 2 * s, s / 5}, nil},
		"a deadline as long as the lease":    {election{10 * s, 10 * s, 2 * s}, []string{"--leader-elect-lease-duration is 10s", "longer than", "10s"}},
		"a deadline that allows one try":     {election{15 * s, 2400 * time.Millisecond, 2 * s}, []string{"--leader-elect-renew-deadline is 2.4s", "2.4s"}},
		"tries without a pause":              {election{15 * s, 10 * s, 0}, []string{"--leader-elect-retry-period is 0s"}},
		"a lease of part of a second":        {election{2500 * time.Millisecond, 2 * s, s / 5}, []string{"--leader-elect-lease-duration is 2.5s", "whole seconds"}},
		"all of it, and everything is said":  {election{-s / 2, -s, -s}, []string{"retry-period", "lease-duration", "whole seconds"}},
		"a deadline that is none, and it is": {election{15 * s, 0, s}, []string{"renew-deadline is 0s"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := row.times.validate()
			if (err != nil) != (row.want != nil) {
				t.Fatalf("the error is %v, want one with %q", err, row.want)
			}
			if err == nil {
				return
			}
			rest := err.Error()
			for _, word := range row.want {
				_, after, found := strings.Cut(rest, word)
				if !found {
					t.Errorf("the error %q lacks %q after what comes before it", err, word)
				}
				rest = after
			}
		})
	}
}
