package drain

import (
	"cmp"
	"slices"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Drain remembers since when peers have been leaving. The zero value knows of none. Its methods must not be called
// concurrently.
type Drain struct {
	// since is when each peer began to leave, by name, until it is gone or wanted again.
	since map[string]time.Time
}

// Input is what is known when a decision falls.
type Input struct {
	Now time.Time
	// Time is how long a peer leaves; 0 is not at all.
	Time time.Duration
	// Sessions that the speaker runs, those of peers that leave included.
	Sessions []bgp.Session
	// Peers that the node shall have; their names are unique.
	Peers []bgp.Peer
}

// Outcome is what to do.
type Outcome struct {
	// Peers to run, by name: those that the node shall have, and those that leave.
	Peers []bgp.Peer
	// Leaves are those that leave, by name.
	Leaves []Leave
}

// Leave is a peer that leaves, and when it will be gone.
type Leave struct {
	Peer  string
	Until time.Time
}

// Next returns what to run from now on. The outcome holds until a peer or a session changes, or until the first Leave ends.
func (d *Drain) Next(in Input) Outcome {
	wanted := make(map[string]bool, len(in.Peers))
	for _, p := range in.Peers {
		wanted[p.Name] = true
	}
	out := Outcome{Peers: slices.Clone(in.Peers)}
	leaving := map[string]time.Time{}
	for _, s := range in.Sessions {
		if wanted[s.Peer.Name] {
			continue
		}
		since := d.began(s, in)
		leaving[s.Peer.Name] = since
		until := since.Add(in.Time)
		if !in.Now.Before(until) || isSucceeded(s.Peer, in.Peers) {
			continue
		}
		peer := s.Peer
		peer.Draining = true
		out.Peers = append(out.Peers, peer)
		out.Leaves = append(out.Leaves, Leave{Peer: peer.Name, Until: until})
	}
	d.since = leaving
	slices.SortFunc(out.Peers, func(a, b bgp.Peer) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Leaves, func(a, b Leave) int { return cmp.Compare(a.Peer, b.Peer) })
	return out
}

// began returns since when a peer has been leaving: with a session that is not established at first, for long enough. One
// that is lost later comes back to be taken leave of properly, since its router may keep the routes (RFC 4724).
func (d *Drain) began(s bgp.Session, in Input) time.Time {
	since, known := d.since[s.Peer.Name]
	switch {
	case known:
		return since
	case s.State != bgp.Established && s.Advertised == 0: // Another session may carry the routes while this one comes up.
		return in.Now.Add(-in.Time)
	default:
		return in.Now
	}
}

// isSucceeded reports whether another peer takes the place of one that leaves: a router takes one connection from a node, so
// the successor's session waits for the end of the old one.
func isSucceeded(gone bgp.Peer, peers []bgp.Peer) bool {
	return slices.ContainsFunc(peers, func(p bgp.Peer) bool { return p.Address == gone.Address })
}

// First returns when the first Leave ends; the zero Time where nothing leaves.
func (o Outcome) First() time.Time { return o.until(time.Time.Compare) }

// Last returns when the last Leave ends; the zero Time where nothing leaves.
func (o Outcome) Last() time.Time { return o.until(func(a, b time.Time) int { return b.Compare(a) }) }

func (o Outcome) until(compare func(a, b time.Time) int) time.Time {
	if len(o.Leaves) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(o.Leaves, func(a, b Leave) int { return compare(a.Until, b.Until) }).Until
}
