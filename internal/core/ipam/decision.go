package ipam

import (
	"net/netip"
	"slices"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
)

// Decision is what a Service is to have.
type Decision struct {
	// Assigned are the addresses that the Service is to have from Herald, in the order of its families; those that its marks
	// name and that are not among them are to be taken away.
	Assigned []Assignment
	// Reason says why it does not have all that it asks for; "" where it has, where it asks for nothing, and where it lacks
	// only a family that it merely prefers.
	Reason v1alpha1.ConditionReason
	// Message explains the Reason, with what to do. Without a Reason it explains what else is to be known, if anything:
	// which preferred family is missing, and why. It names no number that changes with other Services.
	Message string
	// Moves are the addresses that it loses to get others, or to get none, each with its cause.
	Moves []Move
}

func (d *Decision) equal(other Decision) bool {
	return d.Reason == other.Reason && d.Message == other.Message && slices.Equal(d.Assigned, other.Assigned) &&
		slices.Equal(d.Moves, other.Moves)
}

// has reports whether an address is among those assigned.
func (d *Decision) has(a netip.Addr) bool {
	return slices.ContainsFunc(d.Assigned, func(assigned Assignment) bool { return assigned.Address == a })
}

// without returns a Decision on the addresses of another but for some; nil for nil.
func (d *Decision) without(addresses []netip.Addr) *Decision {
	if d == nil {
		return nil
	}
	rest := slices.DeleteFunc(slices.Clone(d.Assigned), func(a Assignment) bool { return slices.Contains(addresses, a.Address) })
	return &Decision{Assigned: rest}
}

// Assignment is one address of a Service.
type Assignment struct {
	Address netip.Addr
	Kind    advertise.Kind
	// Pool is the ExternalIPPool that holds the address.
	Pool string
}

// Move is the change of one address of a Service.
type Move struct {
	From netip.Addr
	// To is the zero Addr where the Service gets no other.
	To netip.Addr
	// Reason is AddressConflict where an older Service has the address, AddressNotInPool where no pool holds it any more,
	// and "" where the Service asked for the change.
	Reason v1alpha1.ConditionReason
	// Message says why, in words.
	Message string
}
