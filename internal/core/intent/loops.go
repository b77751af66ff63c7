package intent

import (
	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/loopguard"
)

// loopPrevention returns what the node does with packets that would loop; Drop where nothing is said.
func (c configuration) loopPrevention() loopguard.Mode {
	switch c.spec.ServiceLoopPrevention {
	case v1alpha1.LoopPreventionReject:
		return loopguard.Reject
	case v1alpha1.LoopPreventionDisabled:
		return loopguard.Disabled
	default:
		return loopguard.Drop
	}
}
