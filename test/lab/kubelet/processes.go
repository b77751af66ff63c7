package kubelet

import (
	"context"
	"fmt"
)

// Process returns the id of a process of the target: that of the first container that runs.
func (t Target) Process(ctx context.Context) (pid int, err error) {
	for _, k := range t.kubelets {
		for _, w := range k.selected(t.selector) {
			if pid, err := w.process(ctx); pid > 0 || err != nil {
				return pid, err
			}
		}
	}
	return 0, fmt.Errorf("no process of %s runs", t.name)
}

// process returns the id of the process of the first container that runs; 0 if none does.
func (w *worker) process(ctx context.Context) (pid int, err error) {
	answer := make(chan int, 1)
	w.mailbox.post(func(context.Context) {
		for _, c := range w.containers {
			if c.process != nil {
				answer <- c.process.Pid()
				return
			}
		}
		answer <- 0
	})
	select {
	case pid := <-answer:
		return pid, nil
	case <-w.done: // Nothing of the pod is left.
		return 0, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}
