package intent

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
)

// peersOf returns the BGPPeers that select the node, and those of them that it can run, both by name.
func (r *Resolver) peersOf(node Node, config configuration, found *problems) ([]Object, []bgp.Peer) {
	var chosen []Object
	var run []bgp.Peer
	for _, candidate := range r.peers {
		p := candidate.object
		object := objectOf(KindBGPPeer, p.ObjectMeta)
		choice := candidate.selection(node)
		if choice == notSelected {
			continue
		}
		if choice == selected {
			chosen = append(chosen, object)
		}
		// A selector that can't be read is among what problemsOf finds; fail closed all the same.
		broken := r.problemsOf(object, p)
		*found = append(*found, broken...)
		if len(broken) > 0 || choice == unreadable {
			continue
		}
		peer := resolvePeer(p, config, node)
		if found.isUnclaimed(object, peer, run) && found.isReachable(object, p, peer) {
			run = append(run, peer)
		}
	}
	slices.SortFunc(chosen, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(run, func(a, b bgp.Peer) int { return strings.Compare(a.Name, b.Name) })
	return chosen, run
}

// problemsOf returns what is wrong with a peer by itself: none where it is sound and asks for nothing that can't be run
// yet.
func (r *Resolver) problemsOf(object Object, p *v1alpha1.BGPPeer) problems {
	broken, known := r.wrong[p]
	if !known {
		broken.refuse(object, v1alpha1.ReasonInvalid, validate.Peer(p).Errors)
		broken.refuse(object, v1alpha1.ReasonNotSupported, validate.Unsupported(p))
		r.wrong[p] = broken
	}
	return broken
}

// isUnclaimed reports whether no older peer, of those that run, has the peer's address and port.
func (ps *problems) isUnclaimed(object Object, peer bgp.Peer, older []bgp.Peer) bool {
	i := slices.IndexFunc(older, func(other bgp.Peer) bool { return other.Address == peer.Address })
	if i < 0 {
		return true
	}
	ps.report(Problem{
		Object:    object,
		Field:     "spec.peerIP",
		Condition: v1alpha1.ConditionAccepted,
		Reason:    v1alpha1.ReasonConflict,
		Rival:     older[i].Name,
		Message: fmt.Sprintf("BGPPeers %q and %q have the same address and port %s on the same node, and the older one, %q, holds there: "+
			"delete one of the two, or let them select different nodes", older[i].Name, peer.Name, peer.Address, older[i].Name),
	})
	return false
}

// isReachable reports whether the node has an address to connect from, and reports what it lacks: without a next hop for
// a family the session runs, but carries no route of it.
func (ps *problems) isReachable(object Object, p *v1alpha1.BGPPeer, peer bgp.Peer) bool {
	own := bgp.FamilyOf(peer.Address.Addr())
	if p.Spec.SourceAddress != v1alpha1.SourceAny && !peer.SourceAddress.IsValid() {
		ps.report(Problem{
			Object:    object,
			Field:     "spec.sourceAddress",
			Condition: v1alpha1.ConditionEstablished,
			Reason:    v1alpha1.ReasonSessionsDown,
			Message:   fmt.Sprintf("the node has no %s InternalIP to connect from: give it one, or set sourceAddress to Any", own),
		})
		return false
	}
	for family := range peer.Families.All() {
		if !peer.NextHop(family).IsValid() {
			ps.report(Problem{
				Object:    object,
				Field:     "spec.addressFamilies",
				Condition: v1alpha1.ConditionEstablished,
				Reason:    v1alpha1.ReasonFamilyNotNegotiated,
				Message: fmt.Sprintf("the node has no %s InternalIP as the next hop of %s routes, so none is sent: give it one, or leave %s out",
					family, family, family),
			})
		}
	}
	return true
}

// resolvePeer fills in every default of a sound peer.
func resolvePeer(p *v1alpha1.BGPPeer, config configuration, node Node) bgp.Peer {
	spec := p.Spec
	address, _ := netip.ParseAddr(spec.PeerIP) // Sound: validate.Peer has read it.
	holdTime := seconds(spec.HoldTimeSeconds, DefaultHoldTime)
	restart := overlaidRestart(config.spec.GracefulRestart, spec.GracefulRestart)
	peer := bgp.Peer{
		Name:             p.Name,
		Address:          netip.AddrPortFrom(address, uint16(cmp.Or(spec.PeerPort, DefaultPeerPort))),
		ASN:              bgp.ASN(spec.ASNumber),
		LocalASN:         cmp.Or(bgp.ASN(spec.LocalASNumber), config.asn()),
		RouterID:         config.routerID(node),
		SourceAddress:    node.internalIP(bgp.FamilyOf(address)),
		HoldTime:         holdTime,
		KeepaliveTime:    seconds(spec.KeepaliveTimeSeconds, keepaliveFor(holdTime)),
		ConnectRetryTime: seconds(spec.ConnectRetryTimeSeconds, DefaultConnectRetryTime),
		Families:         familiesOf(spec.AddressFamilies, address),
		GracefulRestart: bgp.GracefulRestart{
			Enabled:     restart.Mode != v1alpha1.Disabled,
			RestartTime: seconds(restart.RestartTimeSeconds, DefaultRestartTime),
		},
		MaxReceivedPrefixes: uint32(cmp.Or(spec.MaxReceivedPrefixes, DefaultMaxReceivedPrefixes)),
		NextHopIPv4:         node.internalIP(bgp.IPv4),
		NextHopIPv6:         node.internalIP(bgp.IPv6),
	}
	if spec.SourceAddress == v1alpha1.SourceAny {
		return fromAny(peer)
	}
	return peer
}

// fromAny leaves the source address to the kernel, and with it the next hop of the session's own family.
func fromAny(peer bgp.Peer) bgp.Peer {
	peer.SourceAddress = netip.Addr{}
	if bgp.FamilyOf(peer.Address.Addr()) == bgp.IPv4 {
		peer.NextHopIPv4 = netip.Addr{}
	} else {
		peer.NextHopIPv6 = netip.Addr{}
	}
	return peer
}

func familiesOf(names []v1alpha1.AddressFamily, peerIP netip.Addr) bgp.Families {
	if len(names) == 0 {
		return bgp.FamiliesOf(bgp.FamilyOf(peerIP))
	}
	var families bgp.Families
	for _, name := range names {
		switch name {
		case v1alpha1.IPv4:
			families |= bgp.FamiliesOf(bgp.IPv4)
		case v1alpha1.IPv6:
			families |= bgp.FamiliesOf(bgp.IPv6)
		}
	}
	return families
}

func seconds(value int32, otherwise time.Duration) time.Duration {
	if value == 0 {
		return otherwise
	}
	return time.Duration(value) * time.Second
}
