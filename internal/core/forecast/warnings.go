package forecast

import (
	"fmt"

	"github.com/herald-network/herald/internal/core/wording"
)

// Bounds of what is said: the API server cuts all warnings after 4,096 characters.
const (
	maxServices = 5
	maxPeers    = 3
)

// Warnings returns what the change takes away, in one line each, and nothing where it takes nothing: first the prefixes,
// then those that single peers lose, then the Services, then the sessions that are closed and those that are reset. There are
// at most 15 lines, each of at most 250 characters, so names are counted where they are too many; numbers are never rounded.
func (f Forecast) Warnings() []string {
	warnings := append(f.ofWithdrawals(), f.ofPeers()...)
	warnings = append(warnings, f.ofServices()...)
	warnings = append(warnings, f.ofSessions("closes", func(s Sessions) []string { return s.Closed })...)
	warnings = append(warnings, f.ofSessions("resets", func(s Sessions) []string { return s.Reset })...)
	for i, w := range warnings {
		if len(w) > wording.MaxWarning { // The name of an object, which is ASCII.
			warnings[i] = w[:wording.MaxWarning-len("...")] + "..."
		}
	}
	return warnings
}

// ofWithdrawals says what all nodes that lose any prefix lose alike, and then what only some of them do.
func (f Forecast) ofWithdrawals() []string {
	concerned := union(f.Withdrawals)
	var common, other []Withdrawal
	for _, w := range f.Withdrawals {
		if w.Nodes.Len() == concerned {
			common = append(common, w)
			continue
		}
		other = append(other, w)
	}
	var warnings []string
	for _, withdrawals := range [...][]Withdrawal{common, other} {
		if len(withdrawals) > 0 {
			warnings = append(warnings, "this change withdraws "+prefixes(withdrawals)+fromNodes(withdrawals))
		}
	}
	return warnings
}

// prefixes names the first prefix and counts the others.
func prefixes(withdrawals []Withdrawal) string {
	first := withdrawals[0].Prefix.String()
	if others := len(withdrawals) - 1; others > 0 {
		return fmt.Sprintf("%s and %s", first, count(others, "other prefix", "other prefixes"))
	}
	return first
}

// fromNodes counts the nodes that withdraw any of the prefixes, and says so where a prefix is not withdrawn from all of
// them.
func fromNodes(withdrawals []Withdrawal) string {
	total := union(withdrawals)
	least, most := total, 0
	for _, w := range withdrawals {
		least, most = min(least, w.Nodes.Len()), max(most, w.Nodes.Len())
	}
	nodes := count(total, "node", "nodes")
	switch {
	case least == total:
		return " from " + nodes
	case most == 1:
		return ", each from one of " + nodes
	default:
		return ", each from one or more of " + nodes
	}
}

// union returns how many nodes withdraw any of the prefixes.
func union(withdrawals []Withdrawal) int {
	if len(withdrawals) == 0 {
		return 0
	}
	all := newNodeBits(len(withdrawals[0].Nodes.nodes))
	for _, w := range withdrawals {
		all.add(w.Nodes.bits)
	}
	return all.len()
}

// ofPeers says what single peers lose, and counts the rest where there are more than maxPeers.
func (f Forecast) ofPeers() []string {
	var warnings []string
	for _, p := range f.Peers[:min(len(f.Peers), maxPeers)] {
		warnings = append(warnings, fmt.Sprintf("this change withdraws %s%s on the sessions with BGPPeer %q alone",
			prefixes(p.Withdrawals), fromNodes(p.Withdrawals), p.Peer))
	}
	if rest := len(f.Peers) - maxPeers; rest > 0 {
		warnings = append(warnings, "this change withdraws prefixes on the sessions with "+count(rest, "other BGPPeer", "other BGPPeers")+" alone")
	}
	return warnings
}

func (f Forecast) ofServices() []string {
	switch len(f.Services) {
	case 0:
		return nil
	case 1:
		return []string{"this change withdraws the last routes to addresses of Service " + f.Services[0].String()}
	default:
		start := fmt.Sprintf("this change withdraws the last routes to addresses of %d Services: ", len(f.Services))
		var first []string
		for _, service := range f.Services[:min(len(f.Services), maxServices)] {
			first = append(first, service.String())
		}
		return []string{start + wording.Some(first, len(f.Services), wording.MaxWarning-len(start))}
	}
}

// ofSessions says for each BGPPeer from how many nodes a change ends its sessions, and counts the rest where there are
// more than maxPeers.
func (f Forecast) ofSessions(verb string, nodesOf func(Sessions) []string) []string {
	var warnings []string
	rest, peers := map[string]bool{}, 0
	for _, s := range f.Sessions {
		nodes := nodesOf(s)
		switch {
		case len(nodes) == 0:
		case len(warnings) < maxPeers:
			warnings = append(warnings, fmt.Sprintf("this change %s the %s with BGPPeer %q", verb, sessionsOf(len(nodes)), s.Peer))
		default:
			peers++
			for _, node := range nodes {
				rest[node] = true
			}
		}
	}
	if peers == 0 {
		return warnings
	}
	return append(warnings, fmt.Sprintf("this change %s sessions of %s with %s",
		verb, count(len(rest), "node", "nodes"), count(peers, "other BGPPeer", "other BGPPeers")))
}

func sessionsOf(nodes int) string {
	if nodes == 1 {
		return "session of 1 node"
	}
	return fmt.Sprintf("sessions of %d nodes", nodes)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
