package intent

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
)

// The kinds of objects that an intent is made of.
const (
	KindBGPConfiguration = "BGPConfiguration"
	KindBGPPeer          = "BGPPeer"
)

// Object identifies an API object in the state that an intent was made from.
type Object struct {
	Kind, Name string
	UID        types.UID
	Generation int64
}

func objectOf(kind string, meta metav1.ObjectMeta) Object {
	return Object{Kind: kind, Name: meta.Name, UID: meta.UID, Generation: meta.Generation}
}

// Problem is something that an object asks for in vain on this node. It belongs in a condition of the object.
type Problem struct {
	Object Object
	// Field is the path of the field at fault, such as spec.password.
	Field string
	// Condition is the type of the condition that the problem stands for, and Reason its reason.
	Condition v1alpha1.ConditionType
	Reason    v1alpha1.ConditionReason
	// Message says what is wrong and what would be right; it names the field where the reader needs it, but not the node:
	// the same problem reads the same on every node, so that a cluster's can be told once.
	Message string
	// Rival is the object of the same kind that holds instead, by name; "" unless the reason is Conflict.
	Rival string
}

// String returns the problem in one line.
func (p Problem) String() string {
	return fmt.Sprintf("%s %s: %s: %s", p.Object.Kind, p.Object.Name, p.Field, p.Message)
}

// problems gathers what comes up while objects are resolved.
type problems []Problem

func (ps *problems) report(p Problem) { *ps = append(*ps, p) }

// refuse reports errors for which an object, or a part of it, is not accepted.
func (ps *problems) refuse(object Object, reason v1alpha1.ConditionReason, errs field.ErrorList) {
	for _, err := range errs {
		ps.report(Problem{
			Object:    object,
			Field:     err.Field,
			Condition: v1alpha1.ConditionAccepted,
			Reason:    reason,
			Message:   err.ErrorBody(),
		})
	}
}

// faults are what is wrong with one object: what they name is left out, and the rest of the object holds.
type faults field.ErrorList

// under reports whether the field at the path, or one inside it, is at fault.
func (f faults) under(path *field.Path) bool {
	whole := path.String()
	for _, err := range f {
		inside, found := strings.CutPrefix(err.Field, whole)
		if found && (inside == "" || inside[0] == '.' || inside[0] == '[') {
			return true
		}
	}
	return false
}

// blank empties a field that is at fault. An entry of a list keeps its place, and so the others keep their index.
func blank[T any](f faults, path *field.Path, value *T) {
	if f.under(path) {
		var empty T
		*value = empty
	}
}
