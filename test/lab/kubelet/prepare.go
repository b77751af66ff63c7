package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
	"github.com/herald-network/herald/test/lab/kubelet/volume"
)

// prepare makes the pod's network and volumes. It may be called again after an error.
func (w *worker) prepare(ctx context.Context) error {
	if w.addrs == nil {
		addrs, err := w.node.host.attach(w.netns(), w.pod.Spec.HostNetwork)
		if err != nil {
			return fmt.Errorf("make the pod's network: %w", err)
		}
		w.addrs = addrs
		w.warnOfIgnored()
	}
	facts, err := w.facts(ctx)
	if err != nil {
		return err
	}
	if err := w.makeDirectories(); err != nil {
		return err
	}
	if err := w.writeVolumes(ctx, w.pod, facts); err != nil {
		return err
	}
	w.prepared = true
	w.refresh.next = time.Now().Add(refreshPeriod)
	return nil
}

// warnOfIgnored tells once which fields of the pod the lab does not honour.
func (w *worker) warnOfIgnored() {
	fields, err := podplan.Ignored(w.pod)
	if err != nil {
		w.node.log.Error(err, "Reading a pod failed")
		return
	}
	if len(fields) > 0 {
		w.node.events.Eventf(w.pod, corev1.EventTypeWarning, "IgnoredByLab", "The lab ignores %s", strings.Join(fields, ", "))
	}
}

// makeDirectories makes what the volumes without content are backed by.
func (w *worker) makeDirectories() error {
	for i := range w.pod.Spec.Volumes {
		v := &w.pod.Spec.Volumes[i]
		path := w.dirs.Volume(v)
		var err error
		switch {
		case v.EmptyDir != nil:
			err = errors.Join(os.MkdirAll(path, 0o777), os.Chmod(path, 0o777))
		case v.HostPath != nil:
			err = prepareHostPath(path, v.HostPath.Type)
		}
		if err != nil {
			return fmt.Errorf("volume %q: %w", v.Name, err)
		}
	}
	return nil
}

// writeVolumes reads what the pod refers to and writes the volumes that hold it. It may run outside of run's goroutine.
func (w *worker) writeVolumes(ctx context.Context, pod *corev1.Pod, facts podplan.Facts) error {
	known, err := w.objects.read(ctx, pod)
	if err != nil {
		return err
	}
	var errs []error
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		files, has, err := podplan.Content(pod, v, facts, known)
		if err == nil && has {
			err = volume.Write(w.dirs.Volume(v), files)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// refresh is when the volumes are next brought up to date, and whether that is under way.
type refresh struct {
	next    time.Time
	running bool
}

// refreshDue brings the volumes up to date when it is time, without waiting for it.
func (w *worker) refreshDue(ctx context.Context) (due time.Time) {
	switch now := time.Now(); {
	case w.refresh.running:
		return time.Time{}
	case now.Before(w.refresh.next):
		return w.refresh.next
	}
	facts, err := w.facts(ctx)
	if err != nil {
		w.refresh.next = time.Now().Add(refreshPeriod)
		return w.refresh.next
	}
	w.refresh.running = true
	pod := w.pod
	go func() {
		if err := w.writeVolumes(ctx, pod, facts); err != nil {
			w.node.log.V(1).Info("Refreshing the volumes of a pod failed", "pod", pod.Namespace+"/"+pod.Name, "error", err.Error())
		}
		w.mailbox.post(func(context.Context) { w.refresh = refresh{next: time.Now().Add(refreshPeriod)} })
	}()
	return time.Time{}
}

// facts returns what the pod's plan takes from outside.
func (w *worker) facts(ctx context.Context) (podplan.Facts, error) {
	apiServer, err := w.node.apiServer.get(ctx)
	if err != nil {
		return podplan.Facts{}, err
	}
	return podplan.Facts{
		NodeName:  w.node.config.NodeName,
		HostIPs:   w.node.config.Addresses,
		PodIPs:    w.addrs,
		APIServer: apiServer,
	}, nil
}

// netns returns the name of the network namespace that the pod's processes are in.
func (w *worker) netns() string {
	if w.identity.Spec.HostNetwork {
		return w.node.config.NodeName
	}
	return "pod-" + string(w.identity.UID)
}

// remove takes away the pod's network and directories; the logs stay.
func (w *worker) remove() error {
	var errs []error
	if w.addrs != nil {
		errs = append(errs, w.node.host.detach(w.netns(), w.pod.Spec.HostNetwork, w.addrs))
		w.addrs = nil
	}
	return errors.Join(append(errs, os.RemoveAll(w.dirs.Pod))...)
}
