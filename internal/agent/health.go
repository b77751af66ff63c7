package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// probeTimeout bounds how long the loop may be busy before it counts as stuck. A full set of 10,000 routes is its longest
// work, about a second.
const probeTimeout = 4 * time.Second

// Alive returns an error where the loop does not answer before the context ends.
func (a *Agent) Alive(ctx context.Context) error {
	_, err := ask(ctx, a, func() struct{} { return struct{}{} })
	return err
}

// Ready returns an error, which says what is missing, before the speaker has had the first full set of routes.
func (a *Agent) Ready(ctx context.Context) error {
	missing, err := ask(ctx, a, a.missing)
	return errors.Join(err, missing)
}

// missing says what the loop waits for before it speaks.
func (a *Agent) missing() error {
	switch unknown := a.objects.unknown; {
	case len(unknown) > 0 && a.saved != nil:
		// Not ready, lest a rollout goes on to the next node although this one can't read what it needs.
		return fmt.Errorf("speaking from saved state, not read yet: %v", unknown)
	case len(unknown) > 0:
		return fmt.Errorf("not read yet: %v", unknown)
	case a.proxy != nil:
		return errWaitingForProxy
	case !a.hasSpoken:
		return errNotReady
	}
	return nil
}

// NewHandler returns what an agent serves over HTTP to anybody: /healthz and /readyz.
func NewHandler(a *Agent) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", probe(a.Alive))
	mux.Handle("GET /readyz", probe(a.Ready))
	return mux
}

func probe(check func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
		defer cancel()
		if err := check(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok") // A prober that has gone needs no answer.
	}
}
