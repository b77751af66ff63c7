package gobgp

import (
	"encoding/binary"
	"slices"
	"time"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// offer is what an OPEN says of the side that sent it.
type offer struct {
	asn             bgp.ASN
	holdTime        time.Duration
	families        bgp.Families
	gracefulRestart bool
}

// readOpen returns what an OPEN offers. One without multiprotocol capabilities speaks IPv4 unicast (RFC 4760, section 8).
func readOpen(m message) (offer, error) {
	open, err := parseOpen(m)
	if err != nil {
		return offer{}, err
	}
	out := offer{asn: bgp.ASN(open.MyAS), holdTime: time.Duration(open.HoldTime) * time.Second}
	multiprotocol := false
	for c := range capabilities(open) {
		switch c := c.(type) {
		case *packet.CapFourOctetASNumber:
			out.asn = bgp.ASN(c.CapValue)
		case *packet.CapMultiProtocol:
			multiprotocol = true
			out.families |= bgp.FamiliesOf(familyOf(c.CapValue))
		case *packet.CapGracefulRestart:
			out.gracefulRestart = true
		}
	}
	if !multiprotocol {
		out.families = bgp.FamiliesOf(bgp.IPv4)
	}
	return out, nil
}

// The bits of the graceful restart capability (RFC 4724, section 3) as GoBGP holds them.
const (
	restartState    = 0x08
	forwardingState = 0x80
)

// rewriteOpen returns the engine's OPEN as the router shall see it: without the host's name and the software's version,
// and, when restarting, as from a speaker that has restarted and kept its forwarding state for every family.
func rewriteOpen(m message, restarting bool) (message, error) {
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
			return c.Code() == packet.BGP_CAP_FQDN || c.Code() == packet.BGP_CAP_SOFT_VERSION
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

// withHoldTime returns an OPEN with another hold time (RFC 4271, section 4.2).
func withHoldTime(m message, holdTime time.Duration) message {
	const offset = headerLength + 3 // Behind the version and the AS number.
	out := slices.Clone(m)
	binary.BigEndian.PutUint16(out[offset:], uint16(holdTime/time.Second))
	return out
}

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
