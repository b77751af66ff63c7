// Package probe runs the startup, readiness and liveness probes of a container.
package probe

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Check asks the container once; nil is a success. It ends when the context does.
type Check func(ctx context.Context) error

// Pace says how often a probe asks.
type Pace uint8

const (
	// Steady asks once in a period.
	Steady Pace = iota
	// EagerAtFirst asks every second until the first success, if the period is longer: nobody who starts a lab wants to
	// wait a period for what is long ready.
	EagerAtFirst
)

// Run runs a probe until the context is over. It calls report whenever the verdict changes, with the error of the
// attempt that changed it, and first when a threshold has been reached for the first time.
func Run(ctx context.Context, p *corev1.Probe, pace Pace, check Check, report func(healthy bool, cause error)) {
	tally := Tally{SuccessThreshold: max(p.SuccessThreshold, 1), FailureThreshold: max(p.FailureThreshold, 1)}
	period := seconds(max(p.PeriodSeconds, 1))
	timer := time.NewTimer(seconds(p.InitialDelaySeconds))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		started := time.Now()
		err := once(ctx, p, check)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			pace = Steady
		}
		if healthy, changed := tally.Add(err == nil); changed {
			report(healthy, err)
		}
		wait := period
		if pace == EagerAtFirst {
			wait = min(period, time.Second)
		}
		timer.Reset(time.Until(started.Add(wait)))
	}
}

func once(ctx context.Context, p *corev1.Probe, check Check) error {
	ctx, cancel := context.WithTimeout(ctx, seconds(max(p.TimeoutSeconds, 1)))
	defer cancel()
	return check(ctx)
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }
