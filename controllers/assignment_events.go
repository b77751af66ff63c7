package controllers

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/core/status"
	"github.com/herald-network/herald/internal/logkey"
)

// tell logs, counts and writes events of what a write changed for a Service.
func (r *AssignmentReconciler) tell(ctx context.Context, key advertise.ServiceKey, s *step) {
	log := logf.FromContext(ctx).WithValues(logkey.Service, klog.KRef(key.Namespace, key.Name))
	for _, a := range s.write.gained {
		log.Info("Assigned", logkey.Address, a.Address, logkey.Pool, a.Pool)
	}
	r.metrics.Assigned.Add(float64(len(s.write.gained)))
	r.released(ctx, key, s.write.lost, "moved or not asked for any more")
	told := s.news()
	for _, n := range told {
		if n.Warning {
			reason, message, _ := strings.Cut(n.Message, ": ")
			log.Info("Not assigned", logkey.Reason, reason, logkey.Message, message)
			r.metrics.Failures.WithLabelValues(reason).Inc()
		}
	}
	if len(told) > 0 {
		r.events.write(ctx, told, time.Now())
	}
}

// released logs and counts addresses that a Service has no more.
func (r *AssignmentReconciler) released(ctx context.Context, key advertise.ServiceKey, addresses []advertise.Address, why string) {
	for _, a := range addresses {
		logf.FromContext(ctx).Info("Released", logkey.Service, klog.KRef(key.Namespace, key.Name), logkey.Address, a.Addr, logkey.Reason, why)
	}
	r.metrics.Released.Add(float64(len(addresses)))
}

// news returns the events of a step that was taken.
func (s *step) news() []news {
	regarding := corev1.ObjectReference{
		APIVersion: "v1", Kind: "Service", Namespace: s.object.Namespace, Name: s.object.Name, UID: s.object.UID,
	}
	var told []news
	tell := func(e status.Event) { told = append(told, news{regarding: regarding, Event: e}) }
	if len(s.write.gained) > 0 {
		tell(status.Event{Reason: status.EventAssigned, Message: s.gain()})
	}
	fail := func(reason v1alpha1.ConditionReason, message string) {
		tell(status.Event{Warning: true, Reason: status.EventAssignmentFailed, Message: string(reason) + ": " + message})
	}
	if s.write.failure != nil {
		fail(s.write.failure.reason, s.write.failure.message)
	}
	for _, m := range s.moves() {
		if m.Reason == v1alpha1.ReasonAddressConflict && (s.write.failure == nil || s.write.failure.reason != m.Reason) {
			fail(m.Reason, m.Message)
		}
	}
	return told
}

// gain says what the Service got, and what it gave up for it.
func (s *step) gain() string {
	var b strings.Builder
	b.WriteString(ipam.MarkMessage(s.write.gained, ""))
	for _, m := range s.moves() {
		b.WriteString("; " + m.From.String() + " is given up")
		if m.Message != "" {
			b.WriteString(": " + m.Message)
		}
	}
	return b.String()
}

// moves returns the moves of the addresses that the write takes away.
func (s *step) moves() []ipam.Move {
	var moves []ipam.Move
	for _, m := range s.decision.Moves {
		for _, lost := range s.write.lost {
			if lost.Addr == m.From {
				moves = append(moves, m)
			}
		}
	}
	return moves
}
