package status

// The reasons of the events on BGPPeers and Services.
const (
	// EventSessionUp: sessions of a peer are established that were not.
	EventSessionUp = "SessionUp"
	// EventSessionDown: sessions of a peer were lost; the message says why.
	EventSessionDown = "SessionDown"
	// EventAdvertised: a prefix of a Service that no node advertised is advertised now.
	EventAdvertised = "Advertised"
	// EventWithdrawn: a prefix of a Service that was advertised is advertised by no node any more.
	EventWithdrawn = "Withdrawn"
	// EventAssigned: a Service got addresses; the message says from which ExternalIPPools, and what it gave up for them.
	EventAssigned = "Assigned"
	// EventAssignmentFailed: a Service does not have what it asks for; the message says why.
	EventAssignmentFailed = "AssignmentFailed"
)

// Event is something that happened and that its object's readers are to be told.
type Event struct {
	// Warning says that it is bad news.
	Warning bool
	// Reason is one of those above.
	Reason  string
	Message string
}
