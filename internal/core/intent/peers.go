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

// peersOf enters the BGPPeers that select the node, and those of them that it can run, both by name.
func (r *Resolver) peersOf(intent *Intent, node Node, config configuration, found *problems) {
	// claimed are the peers that hold their address: a password that is missing makes no difference to whom it belongs.
	var claimed []bgp.Peer
	for _, candidate := range r.peers {
		p := candidate.object
		object := objectOf(KindBGPPeer, p.ObjectMeta)
		choice := candidate.selection(node)
		if choice == notSelected {
			continue
		}
		if choice == selected {
			intent.Selected = append(intent.Selected, object)
		}
		// A selector that can't be read is among what problemsOf finds; fail closed all the same.
		broken := r.problemsOf(object, p)
		*found = append(*found, broken...)
		if len(broken) > 0 || choice == unreadable {
			continue
		}
		peer := resolvePeer(p, config, node)
		if !found.isUnclaimed(object, peer, claimed) || !found.isReachable(object, p, peer) {
			continue
		}
		claimed = append(claimed, peer)
		export := r.export(object, p, config, peer)
		*found = append(*found, export.problems...)
		peer.Export = export.policy
		if r.keyring.open(intent, found, p, &peer) {
			intent.Peers = append(intent.Peers, peer)
		}
	}
	slices.SortFunc(intent.Selected, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(intent.Peers, func(a, b bgp.Peer) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(intent.SecretKeys, func(a, b v1alpha1.SecretKeyRef) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Key, b.Key))
	})
	intent.SecretKeys = slices.Compact(intent.SecretKeys)
}

// problemsOf returns what is wrong with a peer by itself: none where it is sound.
func (r *Resolver) problemsOf(object Object, p *v1alpha1.BGPPeer) problems {
	broken, known := r.wrong[p]
	if !known {
		broken.refuse(object, v1alpha1.ReasonInvalid, validate.Peer(p).Errors)
		r.wrong[p] = broken
	}
	return broken
}

// isUnclaimed reports whether no older peer has the peer's address and port. A passive peer is told by its address alone:
// the port that it dials from says nothing.
func (ps *problems) isUnclaimed(object Object, peer bgp.Peer, older []bgp.Peer) bool {
	i := slices.IndexFunc(older, func(other bgp.Peer) bool {
		return other.Address == peer.Address || (other.Passive || peer.Passive) && other.Address.Addr() == peer.Address.Addr()
	})
	if i < 0 {
		return true
	}
	what := fmt.Sprintf("address and port %s", peer.Address)
	if older[i].Address != peer.Address {
		what = fmt.Sprintf("address %s, by which alone a passive peer is told,", peer.Address.Addr())
	}
	ps.report(Problem{
		Object:    object,
		Field:     "spec.peerIP",
		Condition: v1alpha1.ConditionAccepted,
		Reason:    v1alpha1.ReasonConflict,
		Rival:     older[i].Name,
		Message: fmt.Sprintf("BGPPeers %q and %q have the same %s on the same node, and the older one, %q, holds there: "+
			"delete one of the two, or let them select different nodes", older[i].Name, peer.Name, what, older[i].Name),
	})
	return false
}

// isReachable reports whether the node has an address to connect from, and reports what it lacks: without a next hop for
// a family the session runs, but carries no route of it. Whether IPv4 routes can have an IPv6 next hop on an IPv6 session
// is the peer's to say, so that nothing is reported of that.
func (ps *problems) isReachable(object Object, p *v1alpha1.BGPPeer, peer bgp.Peer) bool {
	own := bgp.FamilyOf(peer.Address.Addr())
	if !isFromAny(p.Spec) && !peer.SourceAddress.IsValid() {
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
	address = address.WithZone(spec.Interface)
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
		BFD:                 bfdOf(&spec),
	}
	connect(&peer, spec, config)
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
