package forecast

import (
	"maps"
	"slices"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// sessions are those that the change ends, by the BGPPeer's name.
type sessions map[string]*Sessions

// compare adds the sessions that a node ends to go from one list of peers to the other.
func (s sessions) compare(node string, before, after []bgp.Peer) {
	if slices.Equal(before, after) {
		return
	}
	for _, step := range plan.Peers(before, after) {
		if step.Impact != plan.SessionDrop {
			continue
		}
		ended := s[step.Peer.Name]
		if ended == nil {
			ended = &Sessions{Peer: step.Peer.Name}
			s[ended.Peer] = ended
		}
		if step.Verb == plan.RemovePeer {
			ended.Closed = append(ended.Closed, node)
			continue
		}
		ended.Reset = append(ended.Reset, node)
	}
}

func (s sessions) inOrder() []Sessions {
	var all []Sessions
	for _, peer := range slices.Sorted(maps.Keys(s)) {
		all = append(all, *s[peer])
	}
	return all
}
