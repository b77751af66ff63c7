package controllers

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-network/herald/internal/core/status"
	"github.com/herald-network/herald/internal/core/wording"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/metrics"
)

const (
	// normalPerSecond bounds the Normal events of the process, in bursts of as many.
	normalPerSecond = 5
	// maxNote is the longest note that an event may have, in bytes.
	maxNote = 1024
	// reportingController is whom events name as their author.
	reportingController = "herald.network/manager"
)

// EventWriter writes the events of the process, whoever has news: at most 5 Normal events a second in all, those beyond are
// counted in herald_manager_events_total and dropped. Warnings are never dropped for their number. It may be used by several
// goroutines.
//
// It does not use client-go's recorders. The one of events.k8s.io takes two events of one reason on one object within six
// minutes for the same and keeps the first one's note, so that the second node's cause would be lost; the one of core/v1
// stops after 25 events on an object.
type EventWriter struct {
	client client.Client
	normal *rate.Limiter
	// instance is this replica.
	instance string
	// written counts events by reason and result.
	written *prometheus.CounterVec
}

// news is an event to be written.
type news struct {
	regarding corev1.ObjectReference
	status.Event
}

// NewEventWriter returns a writer of events, of which one process has one. The client's scheme has to know events.k8s.io/v1.
func NewEventWriter(c client.Client, registry prometheus.Registerer) *EventWriter {
	instance, err := os.Hostname()
	if err != nil {
		instance = FieldManager
	}
	return &EventWriter{
		client: c, instance: instance, written: metrics.NewEvents(registry),
		normal: rate.NewLimiter(normalPerSecond, normalPerSecond),
	}
}

// write writes events; one that can't be written is dropped: the status says how things are.
func (w *EventWriter) write(ctx context.Context, told []news, now time.Time) {
	log := logf.FromContext(ctx)
	for i, n := range told {
		result := metrics.ResultWritten
		if !n.Warning && !w.normal.AllowN(now, 1) {
			result = metrics.ResultDropped
		} else if err := w.writeOne(ctx, n, now.Add(time.Duration(i))); err != nil {
			result = metrics.ResultDropped
			log.Error(err, "Writing an event", logkey.Object, n.regarding.Name, logkey.Reason, n.Reason)
		}
		w.written.WithLabelValues(n.Reason, result).Inc()
	}
}

// writeOne writes an event; those of objects that have no namespace belong into default.
func (w *EventWriter) writeOne(ctx context.Context, n news, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	namespace := n.regarding.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	event := &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Name: eventName(n.regarding.Name, now), Namespace: namespace},
		EventTime:           metav1.NewMicroTime(now),
		ReportingController: reportingController,
		ReportingInstance:   w.instance,
		Action:              n.Reason,
		Reason:              n.Reason,
		Regarding:           n.regarding,
		Note:                wording.Cut(n.Message, maxNote),
		Type:                corev1.EventTypeNormal,
	}
	if n.Warning {
		event.Type = corev1.EventTypeWarning
	}
	if err := w.client.Create(ctx, event, client.FieldOwner(FieldManager)); err != nil {
		return fmt.Errorf("create event %s on %s %s: %w", n.Reason, n.regarding.Kind, n.regarding.Name, err)
	}
	return nil
}

// eventName returns a name for an event on an object, which is short enough however long the object's is.
func eventName(object string, now time.Time) string {
	const longest = 253 - len(".0123456789abcdef")
	return fmt.Sprintf("%s.%x", object[:min(len(object), longest)], now.UnixNano())
}
