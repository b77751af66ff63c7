package kubelet

import "context"

// Processes returns the ids of the running processes of the selected pods' containers, in the containers' order.
func (k *Kubelet) Processes(ctx context.Context, s Selector) ([]int, error) {
	var pids []int
	for _, w := range k.selected(s) {
		running := make(chan []int, 1)
		w.mailbox.post(func(context.Context) {
			var list []int
			for _, c := range w.containers {
				if c.process != nil {
					list = append(list, c.process.Pid())
				}
			}
			running <- list
		})
		select {
		case list := <-running:
			pids = append(pids, list...)
		case <-w.done: // Nothing of the pod is left.
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return pids, nil
}
