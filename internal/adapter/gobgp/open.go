package gobgp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// offer is what an OPEN says of the side that sent it.
type offer struct {
	version  uint8
	asn      bgp.ASN
	routerID netip.Addr
	holdTime time.Duration
	families bgp.Families
	// fourByteAS says that the side knows AS numbers of four bytes (RFC 6793).
	fourByteAS      bool
	gracefulRestart bool
	// extendedNextHop says that the side takes IPv4 routes with an IPv6 next hop (RFC 8950).
	extendedNextHop bool
}

// The fixed part of an OPEN's body (RFC 4271, section 4.2), and where it holds the hold time.
const (
	openLength     = 10
	holdTimeOffset = headerLength + 3
)

const bgpVersion = 4

// readOpen returns what an OPEN offers, or a *fault where it can't be read. One without multiprotocol capabilities speaks
// IPv4 unicast (RFC 4760, section 8).
func readOpen(m message) (offer, error) {
	body := cursor(m.body())
	fixed, ok := body.take(openLength)
	if !ok {
		return offer{}, badOpen(unspecific, nil, "the peer's OPEN is too short")
	}
	out := offer{
		version:  fixed[0],
		asn:      bgp.ASN(binary.BigEndian.Uint16(fixed[1:])),
		holdTime: time.Duration(binary.BigEndian.Uint16(fixed[3:])) * time.Second,
		routerID: netip.AddrFrom4([4]byte(fixed[5:9])),
	}
	if out.version != bgpVersion {
		return offer{}, badOpen(packet.BGP_ERROR_SUB_UNSUPPORTED_VERSION_NUMBER, []byte{0, bgpVersion},
			"the peer speaks BGP version %d, not %d", out.version, bgpVersion)
	}
	parameters, sizeLength, ok := optionalParameters(fixed[9], body)
	if !ok {
		return offer{}, badOpen(unspecific, nil, "the optional parameters of the peer's OPEN don't fill it")
	}
	multiprotocol := false
	for len(parameters) > 0 {
		kind, okKind := parameters.take(1)
		value, okValue := parameters.takeSized(sizeLength)
		switch {
		case !okKind || !okValue:
			return offer{}, badOpen(unspecific, nil, "an optional parameter of the peer's OPEN is longer than what is there")
		case kind[0] != packet.BGP_OPT_CAPABILITY:
			return offer{}, badOpen(packet.BGP_ERROR_SUB_UNSUPPORTED_OPTIONAL_PARAMETER, nil,
				"the peer's OPEN has optional parameter %d", kind[0])
		case !out.readCapabilities(value, &multiprotocol):
			return offer{}, badOpen(unspecific, nil, "a capability of the peer's OPEN has a wrong length")
		}
	}
	if !multiprotocol {
		out.families = bgp.FamiliesOf(bgp.IPv4)
	}
	return out, nil
}

// optionalParameters returns the optional parameters of an OPEN, the length of the length of each, and whether they are
// all of what follows the OPEN's fixed part. The form of RFC 9072, for more than 255 bytes, has a type of 255 where the
// first parameter's would be.
func optionalParameters(length uint8, rest cursor) (parameters cursor, sizeLength int, ok bool) {
	const extended = 255
	if length == 0 || len(rest) == 0 || rest[0] != extended {
		return rest, 1, int(length) == len(rest)
	}
	rest = rest[1:]
	parameters, ok = rest.takeSized(2)
	return parameters, 2, ok && len(rest) == 0
}

// readCapabilities enters capabilities (RFC 5492), and reports whether their lengths are right. Those that are not known
// are passed over.
func (o *offer) readCapabilities(list cursor, multiprotocol *bool) bool {
	for len(list) > 0 {
		code, _ := list.take(1)
		value, ok := list.takeSized(1)
		if !ok {
			return false
		}
		switch packet.BGPCapabilityCode(code[0]) {
		case packet.BGP_CAP_MULTIPROTOCOL:
			if len(value) != 4 {
				return false
			}
			*multiprotocol = true
			o.families |= bgp.FamiliesOf(familyOf(packet.AfiSafiToRouteFamily(binary.BigEndian.Uint16(value), value[3])))
		case packet.BGP_CAP_FOUR_OCTET_AS_NUMBER:
			if len(value) != 4 {
				return false
			}
			o.fourByteAS, o.asn = true, bgp.ASN(binary.BigEndian.Uint32(value))
		case packet.BGP_CAP_GRACEFUL_RESTART:
			if len(value)%4 != 2 {
				return false
			}
			o.gracefulRestart = true
		case packet.BGP_CAP_EXTENDED_NEXTHOP:
			if len(value)%6 != 0 {
				return false
			}
			o.extendedNextHop = o.extendedNextHop || hasIPv4OverIPv6(value)
		default: // Nothing that Herald has a use for.
		}
	}
	return true
}

// hasIPv4OverIPv6 reports whether IPv4 unicast with an IPv6 next hop is among the tuples of RFC 8950, section 4.
func hasIPv4OverIPv6(tuples cursor) bool {
	for tuple, ok := tuples.take(6); ok; tuple, ok = tuples.take(6) {
		if slices.Equal(tuple, []byte{0, packet.AFI_IP, 0, packet.SAFI_UNICAST, 0, packet.AFI_IP6}) {
			return true
		}
	}
	return false
}

// check returns the *fault for which a session with the peer refuses its offer (RFC 4271, section 6.2); nil where it
// takes it.
func (o offer) check(peer bgp.Peer) error {
	seconds := int(o.holdTime / time.Second)
	switch {
	case o.asn != peer.ASN:
		f := badOpen(packet.BGP_ERROR_SUB_BAD_PEER_AS, nil, "")
		f.cause = asMismatch(peer.ASN, o.asn)
		return f
	case o.routerID.IsUnspecified():
		return badOpen(packet.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER, nil, "the peer's router ID is 0.0.0.0")
	case o.routerID == peer.RouterID && peer.IsInternal():
		return badOpen(packet.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER, nil,
			"the peer's router ID %s is this node's own, and two speakers of one AS must differ in it", o.routerID)
	case seconds == 1 || seconds == 2:
		return badOpen(packet.BGP_ERROR_SUB_UNACCEPTABLE_HOLD_TIME, nil, "the peer proposes a hold time of %d s, want 0 or 3 and more", seconds)
	}
	return nil
}

// forEngine returns the peer's OPEN as the engine shall see it: of our own making, so that what a peer sends can't confuse
// it, and with a hold time of the caller's choice.
func (o offer) forEngine(peer bgp.Peer, holdTime time.Duration) message {
	// The engine takes an OPEN without any family for one of IPv4.
	capabilities := []packet.ParameterCapabilityInterface{packet.NewCapMultiProtocol(packet.RF_OPAQUE), packet.NewCapRouteRefresh()}
	var kept []*packet.CapGracefulRestartTuple
	for family := range o.families.All() {
		capabilities = append(capabilities, packet.NewCapMultiProtocol(routeFamily(family)))
		kept = append(kept, packet.NewCapGracefulRestartTuple(routeFamily(family), false))
	}
	if o.gracefulRestart {
		capabilities = append(capabilities,
			packet.NewCapGracefulRestart(false, false, uint16(peer.GracefulRestart.RestartTime/time.Second), kept))
	}
	short := o.asn
	if o.asn > maxTwoByteASN {
		short = packet.AS_TRANS
	}
	if o.fourByteAS {
		capabilities = append(capabilities, packet.NewCapFourOctetASNumber(uint32(o.asn)))
	}
	return encode(packet.NewBGPOpenMessage(uint16(short), uint16(holdTime/time.Second), o.routerID.String(),
		[]packet.OptionParameterInterface{packet.NewOptionParameterCapability(capabilities)}))
}

const maxTwoByteASN = 1<<16 - 1

// The bits of the graceful restart capability (RFC 4724, section 3) as GoBGP holds them.
const (
	restartState    = 0x08
	forwardingState = 0x80
)

// rewriteOpen returns the engine's OPEN as the router shall see it: without the host's name, the software's version, and
// an extended next hop that the session has no use for; and, when restarting, as from a speaker that has restarted and
// kept its forwarding state for every family.
func rewriteOpen(m message, restarting, extendedNextHop bool) (message, error) {
	open, err := parseOpen(m)
	if err != nil {
		return nil, err
	}
	for _, parameter := range open.OptParams {
		list, ok := parameter.(*packet.OptionParameterCapability)
		if !ok {
			continue
		}
		list.Capability = slices.DeleteFunc(list.Capability, func(c packet.ParameterCapabilityInterface) bool {
			return c.Code() == packet.BGP_CAP_FQDN || c.Code() == packet.BGP_CAP_SOFT_VERSION ||
				c.Code() == packet.BGP_CAP_EXTENDED_NEXTHOP && !extendedNextHop
		})
	}
	for c := range capabilities(open) {
		if restart, ok := c.(*packet.CapGracefulRestart); ok && restarting {
			restart.Flags |= restartState
			for _, tuple := range restart.Tuples {
				tuple.Flags |= forwardingState
			}
		}
	}
	return encode(&packet.BGPMessage{Header: packet.BGPHeader{Type: packet.BGP_MSG_OPEN}, Body: open}), nil
}

// parseOpen reads an OPEN of the engine.
func parseOpen(m message) (*packet.BGPOpen, error) {
	parsed, err := packet.ParseBGPMessage(m)
	if err != nil {
		return nil, err
	}
	open, ok := parsed.Body.(*packet.BGPOpen)
	if !ok {
		return nil, errNotBGP
	}
	return open, nil
}

func capabilities(open *packet.BGPOpen) func(yield func(packet.ParameterCapabilityInterface) bool) {
	return func(yield func(packet.ParameterCapabilityInterface) bool) {
		for _, parameter := range open.OptParams {
			list, ok := parameter.(*packet.OptionParameterCapability)
			if !ok {
				continue
			}
			for _, c := range list.Capability {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// familyOf returns the family of a GoBGP route family; 0 for those that Herald does not speak.
func familyOf(family packet.RouteFamily) bgp.Family {
	switch family {
	case packet.RF_IPv4_UC:
		return bgp.IPv4
	case packet.RF_IPv6_UC:
		return bgp.IPv6
	default:
		return 0
	}
}

func routeFamily(family bgp.Family) packet.RouteFamily {
	if family == bgp.IPv6 {
		return packet.RF_IPv6_UC
	}
	return packet.RF_IPv4_UC
}
