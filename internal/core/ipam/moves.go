package ipam

import (
	"slices"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// moves lists the addresses that a Service loses, when it is to have those assigned.
func (t *Table) moves(s *service, assigned []Assignment) []Move {
	var moves []Move
	for _, a := range s.Assigned {
		stays := func(b Assignment) bool { return b.Address == a.Addr && b.Kind == a.Kind }
		if slices.ContainsFunc(assigned, stays) {
			continue
		}
		move := t.loss(s, a)
		for _, b := range assigned {
			if bgp.FamilyOf(b.Address) == bgp.FamilyOf(a.Addr) && !s.has(b.Address, b.Kind) {
				move.To = b.Address
			}
		}
		moves = append(moves, move)
	}
	return moves
}

// loss says why a Service loses an address.
func (t *Table) loss(s *service, a advertise.Address) Move {
	move := Move{From: a.Addr}
	e := t.entries[a.Addr]
	rival, loses := e.contest()[s]
	switch {
	case s.Wants == 0:
		move.Message = "the Service asks for no " + kindName(a.Kind) + " from Herald any more"
	case a.Kind != s.Wants:
		move.Message = "the Service asks for " + withArticle(kindName(s.Wants)) + " instead of " + withArticle(kindName(a.Kind))
	case !slices.Contains(s.Families, bgp.FamilyOf(a.Addr)):
		move.Message = "the Service has no " + bgp.FamilyOf(a.Addr).String() + " any more"
	case loses:
		move.Reason, move.Message = v1alpha1.ReasonAddressConflict, conflictText(a.Addr, rival)
	case e.segment == nil:
		move.Reason, move.Message = v1alpha1.ReasonAddressNotInPool, "no ExternalIPPool holds "+a.Addr.String()+" any more"
	default:
		move.Message = requestText(s, bgp.FamilyOf(a.Addr))
	}
	return move
}
