package status

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/wording"
)

// maxMessage bounds what a condition or an event says, in bytes: what an event may hold.
const maxMessage = 1024

// judgement is a condition without what ties it to an object and a time.
type judgement struct {
	status  metav1.ConditionStatus
	reason  v1alpha1.ConditionReason
	message string
}

func isTrue(reason v1alpha1.ConditionReason, message string) judgement {
	return judgement{metav1.ConditionTrue, reason, message}
}

func isFalse(reason v1alpha1.ConditionReason, message string) judgement {
	return judgement{metav1.ConditionFalse, reason, message}
}

func isUnknown(reason v1alpha1.ConditionReason, message string) judgement {
	return judgement{metav1.ConditionUnknown, reason, message}
}

// conditions are an object's conditions in the making.
type conditions struct {
	list       []metav1.Condition
	generation int64
	now        metav1.Time
}

// conditionsOf returns the conditions that an object has, those of types that Herald does not know among them.
func conditionsOf(earlier []metav1.Condition, generation int64, now time.Time) conditions {
	return conditions{slices.Clone(earlier), generation, toSecond(now)}
}

// set enters a judgement; the transition time moves where the status does.
func (c *conditions) set(kind v1alpha1.ConditionType, j judgement) {
	meta.SetStatusCondition(&c.list, metav1.Condition{
		Type:               string(kind),
		Status:             j.status,
		ObservedGeneration: c.generation,
		LastTransitionTime: c.now,
		Reason:             string(j.reason),
		Message:            wording.Cut(j.message, maxMessage),
	})
}

// toSecond returns a time as the API keeps it.
func toSecond(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
