package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
	"github.com/herald-network/herald/internal/core/wording"
)

// remarkOn is something to be said of one node.
type remarkOn struct {
	// weight orders the texts: the lower is said first.
	weight int
	text   string
	node   string
}

// grouped says each text once, with the nodes that it is said of: of one weight the text about most nodes first.
func grouped(remarks []remarkOn) []string {
	slices.SortFunc(remarks, func(a, b remarkOn) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), strings.Compare(a.text, b.text), strings.Compare(a.node, b.node))
	})
	var groups [][]remarkOn
	for rest := remarks; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].weight == rest[0].weight && rest[n].text == rest[0].text {
			n++
		}
		groups, rest = append(groups, rest[:n]), rest[n:]
	}
	slices.SortStableFunc(groups, func(a, b []remarkOn) int {
		return cmp.Or(cmp.Compare(a[0].weight, b[0].weight), cmp.Compare(len(b), len(a)))
	})
	var texts []string
	for length := 0; len(groups) > 0 && length <= maxMessage; groups = groups[1:] {
		text := groups[0][0].text + " (" + wording.Nodes(nodesOf(groups[0])) + ")"
		texts, length = append(texts, text), length+len(text)
	}
	return texts
}

func nodesOf(group []remarkOn) []string {
	names := make([]string, len(group))
	for i, r := range group {
		names[i] = r.node
	}
	return names
}

// causesOf says why sessions are not established, the same cause once for all of its nodes.
func causesOf(peer *v1alpha1.BGPPeer, links []link) string {
	remarks := make([]remarkOn, 0, len(links)-count(links, up))
	pending := fmt.Sprintf("generation %d of the peer is not reported yet", peer.Generation)
	for _, l := range links {
		r := remarkOn{node: l.node.Node.Name}
		switch l.standing {
		case up:
			continue
		case down:
			r.text = causeOf(l.session)
		case silent:
			r.weight, r.text = 1, "the agent does not report"
		default:
			r.weight, r.text = 2, pending
		}
		remarks = append(remarks, r)
	}
	return strings.Join(grouped(remarks), "; ")
}

// causeOf says why a session is not established.
func causeOf(session *v1alpha1.NodeSession) string {
	if session.LastError == "" {
		return fmt.Sprintf("in state %s, and no attempt has failed yet", session.State)
	}
	return session.LastError
}

// shortcomings says which of the families that the peer asks for established sessions do not carry.
func shortcomings(peer *v1alpha1.BGPPeer, links []link) []string {
	wanted := familiesOf(peer)
	var remarks []remarkOn
	for _, l := range links {
		for _, family := range wanted {
			if !slices.Contains(l.session.AddressFamilies, family) {
				remarks = append(remarks, remarkOn{node: l.node.Node.Name, text: string(family) + " was not negotiated"})
			}
		}
	}
	texts := grouped(remarks)
	if len(texts) > 0 {
		texts[len(texts)-1] += ": enable the family on the router, or leave it out of spec.addressFamilies" + extendedNextHopHint(peer, remarks)
	}
	return texts
}

// extendedNextHopHint says what else IPv4 routes over an IPv6 session may lack; "" where it is not that.
func extendedNextHopHint(peer *v1alpha1.BGPPeer, remarks []remarkOn) string {
	address, err := validate.ParseAddress(peer.Spec.PeerIP)
	lacksIPv4 := slices.ContainsFunc(remarks, func(r remarkOn) bool { return strings.HasPrefix(r.text, string(v1alpha1.IPv4)) })
	if err != nil || bgp.FamilyOf(address) == bgp.IPv4 || !lacksIPv4 {
		return ""
	}
	return "; for IPv4 over IPv6 the node needs an IPv4 InternalIP, or the router an extended next hop (RFC 8950)"
}

// familiesOf returns the families that a peer asks for; none where that can't be told.
func familiesOf(peer *v1alpha1.BGPPeer) []v1alpha1.AddressFamily {
	if len(peer.Spec.AddressFamilies) > 0 {
		return peer.Spec.AddressFamilies
	}
	address, err := validate.ParseAddress(peer.Spec.PeerIP)
	if err != nil {
		return nil
	}
	return []v1alpha1.AddressFamily{v1alpha1.AddressFamily(bgp.FamilyOf(address).String())}
}

// withoutBFD says on which nodes BFD does not watch an established session that it should. That changes no reason: routes
// are where they should be, and are only missed later when the path fails.
func withoutBFD(peer *v1alpha1.BGPPeer, links []link) []string {
	if peer.Spec.BFD == nil {
		return nil
	}
	var remarks []remarkOn
	for _, l := range links {
		if l.standing != up || l.session.BFD == v1alpha1.BFDUp {
			continue
		}
		text := "BFD is not up"
		if l.session.BFDError != "" {
			text += ": " + l.session.BFDError
		}
		remarks = append(remarks, remarkOn{node: l.node.Node.Name, text: text})
	}
	return grouped(remarks)
}
