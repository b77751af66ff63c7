package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/metrics"
)

const (
	// writeInterval is the least time between two writes of a status, lookInterval between two looks at it.
	writeInterval = time.Second
	lookInterval  = 100 * time.Millisecond
	// writeTimeout bounds one write, so that a server that is away costs no more than that once it is back.
	writeTimeout = 5 * time.Second
)

// NodeStatus is where the status of this node is written.
type NodeStatus interface {
	Status(ctx context.Context) (v1alpha1.BGPNodeStatus, error)
	SetStatus(ctx context.Context, status v1alpha1.BGPNodeStatus) error
}

// Reporter writes what the agent does into BGPNode's status: the first change at once, then at most one write a second, and
// none where nothing changed.
type Reporter struct {
	Agent   *Agent
	Node    NodeStatus
	Metrics *metrics.Loop
	Log     logr.Logger
}

// Run reports until the context ends.
func (r *Reporter) Run(ctx context.Context) {
	var written *v1alpha1.BGPNodeStatus
	failing := false
	for next := r.Agent.StatusChanged(); ; {
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
		status, err := r.report(ctx, written)
		rest := writeInterval
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && status == written:
			rest = lookInterval
			failing = false
		case err == nil:
			written, failing = status, false
		case !failing && !errors.Is(err, errNotReady):
			failing = true
			r.Log.Error(err, "Reporting the status, trying again every second")
		}
		if !pause(ctx, rest) {
			return
		}
		next = r.Agent.StatusChanged()
		if failing {
			next = always()
		}
	}
}

// report writes the status unless it was written before, and returns what stands in the API: written itself, where nothing
// changed.
func (r *Reporter) report(ctx context.Context, written *v1alpha1.BGPNodeStatus) (*v1alpha1.BGPNodeStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if written == nil {
		earlier, err := r.Node.Status(ctx)
		if err != nil {
			return nil, err
		}
		written = &earlier
	}
	status, err := r.Agent.Status(ctx)
	if err != nil {
		return nil, err
	}
	status = withTransitions(status, *written)
	if equality.Semantic.DeepEqual(status, *written) {
		return written, nil
	}
	if err := r.Node.SetStatus(ctx, status); err != nil {
		r.Metrics.StatusWrites.WithLabelValues(metrics.ResultError).Inc()
		return nil, err
	}
	r.Metrics.StatusWrites.WithLabelValues(metrics.ResultSuccess).Inc()
	return &status, nil
}

// withTransitions returns the status with conditions that remember when they last changed.
func withTransitions(status, earlier v1alpha1.BGPNodeStatus) v1alpha1.BGPNodeStatus {
	conditions := slices.Clone(earlier.Conditions)
	for _, c := range status.Conditions {
		meta.SetStatusCondition(&conditions, c)
	}
	status.Conditions = conditions
	return status
}

// always returns a channel that is ready.
func always() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// pause waits, and reports false where the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
