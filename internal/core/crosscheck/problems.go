package crosscheck

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
)

// subject is the object whose problems are looked for.
type subject struct {
	kind, name string
	// claim is the value in the field of a conflict.
	claim any
}

// problems adds what the agents of some classes of nodes would report of an object, and the conflicts in which the object
// holds against another. What the object's own validation says is left to it.
func (c *Check) problems(r *report, of subject, classes []*class) {
	var found []located
	for _, class := range classes {
		for _, problem := range c.problemsOf(class) {
			if problem.Object.Kind == of.kind && (problem.Object.Name == of.name || problem.Rival == of.name) {
				found = locate(found, problem, class)
			}
		}
	}
	for _, l := range found {
		if f, isOwn := l.finding(of); isOwn {
			f.Nodes = c.names(l.nodes)
			r.add(f)
		}
	}
}

// located is a problem with all nodes that have it.
type located struct {
	intent.Problem
	nodes []int
}

// locate adds the nodes of a class to those that have the problem already. A prepending that is ignored is one problem,
// whatever session it names.
func locate(found []located, problem intent.Problem, class *class) []located {
	i := slices.IndexFunc(found, func(l located) bool {
		same := l.Field == problem.Field && l.Reason == problem.Reason && l.Object == problem.Object && l.Rival == problem.Rival
		return same && (l.Message == problem.Message || problem.Reason == v1alpha1.ReasonPrependIgnored)
	})
	if i < 0 {
		return append(found, located{problem, slices.Clone(class.nodes)})
	}
	found[i].nodes = append(found[i].nodes, class.nodes...)
	return found
}

// finding makes a finding of a problem; false where the object's own validation has it.
func (l located) finding(of subject) (Finding, bool) {
	err := &field.Error{Type: field.ErrorTypeInvalid, Field: l.Field, BadValue: of.claim, Detail: l.Message}
	f := Finding{Error: err, Reason: l.Reason, Warning: true}
	if l.Reason != v1alpha1.ReasonConflict {
		err.BadValue = field.OmitValueType{}
		return f, l.Condition != v1alpha1.ConditionAccepted
	}
	if f.Rival = l.Rival; f.Rival == of.name {
		f.Rival = l.Object.Name
		return f, true
	}
	f.Warning = false
	return f, true
}
