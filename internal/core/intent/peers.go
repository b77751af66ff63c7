package intent

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
)

// peers returns the BGPPeers that select the node, and those of them that it can run, both by name.
func (r *resolver) peers(all []v1alpha1.BGPPeer, config configuration) ([]Object, []bgp.Peer) {
	var chosen []Object
	var run []bgp.Peer
	for _, p := range olderFirst(all, func(p *v1alpha1.BGPPeer) *metav1.ObjectMeta { return &p.ObjectMeta }) {
		object := objectOf(KindBGPPeer, p.ObjectMeta)
		choice := r.peerSelection(p)
		if choice == notSelected {
			continue
		}
		if choice == selected {
			chosen = append(chosen, object)
		}
		// A selector that can't be read is among what isAccepted reports; fail closed all the same.
		if !r.isAccepted(object, p) || choice == unreadable {
			continue
		}
		peer := resolvePeer(p, config, r.node)
		if r.isUnclaimed(object, peer, run) && r.isReachable(object, p, peer) {
			run = append(run, peer)
		}
	}
	slices.SortFunc(chosen, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(run, func(a, b bgp.Peer) int { return strings.Compare(a.Name, b.Name) })
	return chosen, run
}

// peerSelection reports whether a peer selects the node: one without a selector does.
func (r *resolver) peerSelection(p *v1alpha1.BGPPeer) selection {
	if p.Spec.NodeSelector == nil {
		return selected
	}
	return r.selection(p.Spec.NodeSelector)
}

// isAccepted reports whether a peer is sound and asks for nothing that can't be run yet.
func (r *resolver) isAccepted(object Object, p *v1alpha1.BGPPeer) bool {
	broken, unsupported := validate.Peer(p).Errors, validate.Unsupported(p)
	r.refuse(object, v1alpha1.ReasonInvalid, broken)
	r.refuse(object, v1alpha1.ReasonNotSupported, unsupported)
	return len(broken) == 0 && len(unsupported) == 0
}

// isUnclaimed reports whether no older peer, of those that run, has the peer's address and port.
func (r *resolver) isUnclaimed(object Object, peer bgp.Peer, older []bgp.Peer) bool {
	i := slices.IndexFunc(older, func(other bgp.Peer) bool { return other.Address == peer.Address })
	if i < 0 {
		return true
	}
	r.report(Problem{
		Object:    object,
		Field:     "spec.peerIP",
		Condition: v1alpha1.ConditionAccepted,
		Reason:    v1alpha1.ReasonConflict,
		Message: fmt.Sprintf("BGPPeers %q and %q have the same address and port %s on the same node, and the older one, %q, holds there: "+
			"delete one of the two, or let them select different nodes", older[i].Name, peer.Name, peer.Address, older[i].Name),
	})
	return false
}

// isReachable reports whether the node has an address to connect from, and reports what it lacks: without a next hop for
// a family the session runs, but carries no route of it.
func (r *resolver) isReachable(object Object, p *v1alpha1.BGPPeer, peer bgp.Peer) bool {
	own := bgp.FamilyOf(peer.Address.Addr())
	if p.Spec.SourceAddress != v1alpha1.SourceAny && !peer.SourceAddress.IsValid() {
		r.report(Problem{
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
			r.report(Problem{
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
