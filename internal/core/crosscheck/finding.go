// Package crosscheck says what is wrong with an object in the cluster that it lives in: beside its siblings, the nodes,
// and what else can be told only by looking further than the object itself.
//
// Admission refuses what a request makes worse, and an object's condition says what is wrong with it now: both ask here,
// so that they cannot differ. What agents leave out is what intent says; the rules that only this package has never take
// out what is in use, since a Node, a Secret or a peer that came later may have broken them.
package crosscheck

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
)

// Finding is one thing to be said about an object.
type Finding struct {
	// Error says what is wrong: its field, the value there, and in the detail what would be right.
	*field.Error
	// Reason is that of the condition that shows the finding.
	Reason v1alpha1.ConditionReason
	// Warning says that the finding refuses nothing: the object is accepted all the same.
	Warning bool
	// Nodes are those that the finding is about, by name; none where it is about the object itself.
	Nodes []string
}
