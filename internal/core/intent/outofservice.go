package intent

import "strconv"

// The labels that take the node that carries them out of service, unless their value parses as false.
const (
	// ExcludeLabel is Kubernetes' own, which its service controller heeds too.
	ExcludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"
	// MaintenanceLabel is Herald's alone: other load balancers go on.
	MaintenanceLabel = "herald.network/maintenance"
)

// OutOfServiceReason says in words why a node shall advertise nothing and hold no session, as what follows "the node".
type OutOfServiceReason string

// The reasons, "" for a node that is in service. A cordon is none of them: the node still runs its pods.
const (
	Deleting     OutOfServiceReason = "is being deleted"
	ShuttingDown OutOfServiceReason = "is being shut down"
	Excluded     OutOfServiceReason = "carries the label " + ExcludeLabel
	Maintained   OutOfServiceReason = "carries the label " + MaintenanceLabel
)

// OutOfService returns why the node is out of service: the reason that is the hardest to take back, where there are
// several.
func (n Node) OutOfService() OutOfServiceReason {
	switch {
	case n.Deleting:
		return Deleting
	case n.ShuttingDown:
		return ShuttingDown
	case n.isLabelled(ExcludeLabel):
		return Excluded
	case n.isLabelled(MaintenanceLabel):
		return Maintained
	default:
		return ""
	}
}

// IsOutOfService reports whether the node shall advertise nothing and hold no session.
func (n Node) IsOutOfService() bool { return n.OutOfService() != "" }

// isLabelled reads a label as Kubernetes' service controller does: any value counts but one that parses as false.
func (n Node) isLabelled(label string) bool {
	value, labelled := n.Labels[label]
	if !labelled {
		return false
	}
	on, err := strconv.ParseBool(value)
	return on || err != nil
}
