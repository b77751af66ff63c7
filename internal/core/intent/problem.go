package intent

import (
	"k8s.io/apimachinery/pkg/types"

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

// Problem is something that an object asks for in vain on this node. It belongs into a condition of the object.
type Problem struct {
	Object Object
	// Field is the path of the field at fault, such as spec.password.
	Field string
	// Condition is the type of the condition, and Reason its reason, that the problem stands for. Accepted and Established
	// are False with it, Advertised is still True.
	Condition v1alpha1.ConditionType
	Reason    v1alpha1.ConditionReason
	// Message says what is wrong and what would be right.
	Message string
}

// String returns the problem in one line.
func (p Problem) String() string {
	return p.Object.Kind + " " + p.Object.Name + ": " + p.Field + ": " + p.Message
}
