package status

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/wording"
)

// accepted is the condition Accepted: False where a finding refuses the object, with the most important reason. What else
// was found stands in the message of an accepted object too.
func accepted(findings []crosscheck.Finding) judgement {
	ordered := slices.Clone(findings)
	slices.SortStableFunc(ordered, func(a, b crosscheck.Finding) int { return cmp.Compare(rank(a), rank(b)) })
	message := sentences(ordered)
	switch {
	case len(ordered) == 0:
		return isTrue(v1alpha1.ReasonValid, "the spec is sound")
	case rank(ordered[0]) == remark:
		return isTrue(v1alpha1.ReasonValid, "accepted, but "+message)
	default:
		return isFalse(ordered[0].Reason, message)
	}
}

func (j judgement) refuses() bool { return j.status == metav1.ConditionFalse }

// remark is the rank of a finding that refuses nothing.
const remark = 100

// rank returns the place of a finding among an object's: the first one's reason is that of the condition.
func rank(f crosscheck.Finding) int {
	if f.Warning && !mayComeRight(f.Reason) {
		return remark
	}
	switch f.Reason {
	case v1alpha1.ReasonInvalid:
		return 0
	case v1alpha1.ReasonConflict:
		return 1
	case v1alpha1.ReasonOutsideBase:
		return 2
	case v1alpha1.ReasonRouterIDConflict:
		return 3
	case v1alpha1.ReasonSecretNotFound:
		return 4
	default: // Another condition shows it.
		return remark
	}
}

// mayComeRight tells whether admission only warns of what has the reason, since it may come right without the object, and the
// object is not accepted until then all the same.
func mayComeRight(reason v1alpha1.ConditionReason) bool {
	return reason == v1alpha1.ReasonRouterIDConflict || reason == v1alpha1.ReasonSecretNotFound
}

// sentences says what was found, each with the nodes that it is about.
func sentences(findings []crosscheck.Finding) string {
	texts := make([]string, len(findings))
	for i, f := range findings {
		texts[i] = f.Error.Error()
		if f.Warning {
			texts[i] = f.Field + ": " + f.Detail
		}
		if len(f.Nodes) > 0 {
			texts[i] += " (on " + wording.Nodes(slices.Sorted(slices.Values(f.Nodes))) + ")"
		}
	}
	return strings.Join(texts, "; ")
}

// withReason returns the findings of a reason.
func withReason(findings []crosscheck.Finding, reasons ...v1alpha1.ConditionReason) []crosscheck.Finding {
	var found []crosscheck.Finding
	for _, f := range findings {
		if slices.Contains(reasons, f.Reason) {
			found = append(found, f)
		}
	}
	return found
}
