package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Check returns what is wrong with a step, nil where a speaker can carry it out. A step that was made from objects that
// passed admission is never wrong: what Check finds is a mistake of the caller.
func (s Step) Check() error {
	var err error
	switch s.Verb {
	case Advertise, Withdraw:
		err = checkPrefix(s.Prefix())
	case AddPeer, UpdatePeer:
		err = checkPeer(s.Peer)
	case RemovePeer:
		err = checkName(s.Peer)
	default:
		err = fmt.Errorf("verb %d is none of the verbs", s.Verb)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

func checkPrefix(p netip.Prefix) error {
	if !p.IsValid() || p.Addr().Is4In6() || p != p.Masked() {
		return errors.New("want an IPv4 or IPv6 prefix without host bits")
	}
	return nil
}

func checkName(p bgp.Peer) error {
	if p.Name == "" {
		return errors.New("the peer has no name")
	}
	return nil
}

// Bounds of what an OPEN can carry (RFC 4271, section 4.2, and RFC 4724, section 3).
const (
	minHoldTime    = 3 * time.Second
	maxHoldTime    = 65535 * time.Second
	maxRestartTime = 4095 * time.Second
)

// maxTTL is that of packets that no router has passed on (RFC 5082).
const maxTTL = 255

func checkPeer(p bgp.Peer) error {
	restart := p.GracefulRestart
	for _, rule := range []struct {
		holds bool
		want  string
	}{
		{p.Address.IsValid() && p.Address.Port() != 0, "Address: want an address and a port"},
		{isLinkLocal(p.Address.Addr()) == (p.Address.Addr().Zone() != ""), "Address: want a zone where it is link-local, and only there"},
		{p.ASN != 0, "ASN: want 1 to 4294967295"},
		{p.LocalASN != 0, "LocalASN: want 1 to 4294967295"},
		{p.RouterID.Is4(), "RouterID: want an IPv4 address"},
		{isBetween(p.HoldTime, minHoldTime, maxHoldTime), "HoldTime: want 3 s to 65535 s"},
		{isBetween(p.KeepaliveTime, time.Second, p.HoldTime), "KeepaliveTime: want 1 s up to the hold time"},
		{p.ConnectRetryTime > 0, "ConnectRetryTime: want more than 0"},
		{p.Families != 0, "Families: want at least one"},
		{
			!restart.Enabled || isBetween(restart.RestartTime, time.Second, maxRestartTime),
			"GracefulRestart.RestartTime: want 1 s to 4095 s",
		},
		{isOf(bgp.FamilyOf(p.Address.Addr()), p.SourceAddress), "SourceAddress: want an address of the same family as Address"},
		{isOf(bgp.IPv4, p.NextHopIPv4), "NextHopIPv4: want an IPv4 address"},
		{isOf(bgp.IPv6, p.NextHopIPv6), "NextHopIPv6: want an IPv6 address"},
		{p.Password.Length() <= bgp.MaxPasswordLength, "Password: want at most 80 bytes"},
		{!p.Password.IsSet() || p.Address.Addr().Zone() == "", "Password: want none with a link-local Address"},
		{p.MinimumTTL == 0 || p.TTL == maxTTL, "TTL: want 255 with a MinimumTTL"},
		{p.Passive == (p.ListenPort != 0), "ListenPort: want a port where the peer is Passive, and only there"},
	} {
		if !rule.holds {
			return errors.New(rule.want)
		}
	}
	return checkName(p)
}

func isLinkLocal(address netip.Addr) bool { return address.Is6() && address.IsLinkLocalUnicast() }

// isOf reports whether an address is of a family, or left out.
func isOf(family bgp.Family, address netip.Addr) bool {
	return !address.IsValid() || bgp.FamilyOf(address) == family
}

func isBetween(d, least, most time.Duration) bool { return least <= d && d <= most }
