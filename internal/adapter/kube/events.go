package kube

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/logkey"
)

// WriteEvents writes an event for each warning of a node's agent, until the context ends. One that can't be written
// is dropped: the log and the status say the same.
func (c *Clients) WriteEvents(ctx context.Context, node string, warnings <-chan agent.Warning) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-warnings:
			if err := c.writeEvent(ctx, node, w); err != nil && ctx.Err() == nil {
				logr.FromContextOrDiscard(ctx).Error(err, "Writing an event", logkey.Object, w.Object.Name)
			}
		}
	}
}

// writeEvent writes to the namespace default, where the events of objects that have no namespace belong.
func (c *Clients) writeEvent(ctx context.Context, node string, w agent.Warning) error {
	now, version := metav1.Now(), v1alpha1.GroupVersion
	if w.Object.Kind == string(input.KindNode) {
		version = corev1.SchemeGroupVersion
	}
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Name:      fmt.Sprintf("%s.%x", w.Object.Name, now.UnixNano()),
			Namespace: metav1.NamespaceDefault,
		},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: version.String(), Kind: w.Object.Kind, Name: w.Object.Name, UID: w.Object.UID,
		},
		Type: cmp.Or(w.Type, corev1.EventTypeWarning), Reason: w.Reason, Message: fmt.Sprintf("node %s: %s", node, w.Message),
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source: corev1.EventSource{Component: "herald-agent", Host: node},
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return c.core.Post().Namespace(metav1.NamespaceDefault).Resource("events").Body(event).Do(ctx).Error()
}
