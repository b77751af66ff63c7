package kubelet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/herald-network/herald/test/lab/kubelet/podstatus"
)

// reporter brings one pod's status to the API server, always the latest, and at the end deletes the pod there. It keeps
// trying while the API server is away; a pod that is gone ends it.
type reporter struct {
	client kubernetes.Interface
	log    logr.Logger
	pod    *corev1.Pod // for its name and UID
	nudge  chan struct{}

	mu     sync.Mutex
	wanted corev1.PodStatus
	then   then
}

// then is what follows once the status has been reported.
type then uint8

const (
	thenWait then = iota
	thenDelete
	thenLeave
)

func newReporter(client kubernetes.Interface, log logr.Logger, pod *corev1.Pod) *reporter {
	return &reporter{client: client, log: log, pod: pod, nudge: make(chan struct{}, 1), wanted: pod.Status}
}

// report replaces the status that is to be reported.
func (r *reporter) report(status corev1.PodStatus) { r.set(status, thenWait) }

// finish reports the last status and then deletes the pod.
func (r *reporter) finish(status corev1.PodStatus) { r.set(status, thenDelete) }

// leave ends the reporting where it stands.
func (r *reporter) leave() { r.set(corev1.PodStatus{}, thenLeave) }

func (r *reporter) set(status corev1.PodStatus, next then) {
	r.mu.Lock()
	r.wanted, r.then = status, next
	r.mu.Unlock()
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// run reports until the context is over or the pod is gone from the API server.
func (r *reporter) run(ctx context.Context) {
	reported := r.pod.Status
	for {
		retry := make(<-chan time.Time)
		gone, err := r.bring(ctx, &reported)
		if gone || ctx.Err() != nil {
			return
		}
		if err != nil {
			r.log.V(1).Info("Reporting a pod's status failed", "error", err.Error())
			retry = time.After(retryPeriod)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.nudge:
		case <-retry:
		}
	}
}

// bring makes the API server have what is wanted; gone says that there is nothing to report about any more.
func (r *reporter) bring(ctx context.Context, reported *corev1.PodStatus) (gone bool, err error) {
	r.mu.Lock()
	wanted, next := r.wanted, r.then
	r.mu.Unlock()
	if next == thenLeave {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err = r.patch(ctx, reported, wanted)
	if err == nil && next == thenDelete {
		err = r.remove(ctx)
		gone = err == nil
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // A conflict is one of the UID: another pod of that name.
		return true, nil
	}
	return gone, err
}

func (r *reporter) patch(ctx context.Context, reported *corev1.PodStatus, wanted corev1.PodStatus) error {
	patch, changed, err := podstatus.Patch(r.pod.UID, *reported, wanted)
	if err != nil || !changed {
		return err
	}
	_, err = r.client.CoreV1().Pods(r.pod.Namespace).
		Patch(ctx, r.pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("patch the status: %w", err)
	}
	*reported = wanted
	return nil
}

func (r *reporter) remove(ctx context.Context) error {
	now := int64(0)
	err := r.client.CoreV1().Pods(r.pod.Namespace).Delete(ctx, r.pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now,
		Preconditions:      &metav1.Preconditions{UID: &r.pod.UID},
	})
	if err != nil {
		return fmt.Errorf("delete the pod: %w", err)
	}
	return nil
}
