package validate

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"go4.org/netipx"
)

// ParseAddress reads an IPv4 or IPv6 address. It refuses zones, which name an interface of one node, and IPv4-mapped
// IPv6 addresses, which would be a second text for the same address.
func ParseAddress(text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" || address.Is4In6() {
		return netip.Addr{}, fmt.Errorf("%q is not an IPv4 or IPv6 address without a zone", text)
	}
	return address, nil
}

// ParseCIDR reads a network in canonical text, without host bits.
func ParseCIDR(text string) (netip.Prefix, error) {
	cidr, err := netip.ParsePrefix(text)
	if err != nil || cidr.Addr().Is4In6() || cidr.Masked().String() != text {
		return netip.Prefix{}, errors.New("cidr must be an IPv4 or IPv6 network in canonical form, without host bits, " +
			"such as 192.168.3.0/24 or 2001:db8:3::/64")
	}
	return cidr, nil
}

// ParseRange reads a range of addresses as an ExternalIPPool writes it: a CIDR, two addresses joined by "-", the lower
// one first, or one address; all in canonical text.
func ParseRange(text string) (netipx.IPRange, error) {
	malformed := errors.New("addresses and avoid must hold CIDRs without host bits, addresses, or ranges of two addresses, " +
		"all in canonical form, such as 192.168.3.0/24, 192.168.3.9 or 192.168.3.10-192.168.3.20")
	if strings.Contains(text, "/") {
		cidr, err := ParseCIDR(text)
		if err != nil {
			return netipx.IPRange{}, malformed
		}
		return netipx.RangeOfPrefix(cidr), nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, fromErr := ParseAddress(first)
	to, toErr := ParseAddress(last)
	switch {
	case fromErr != nil || toErr != nil || from.String() != first || to.String() != last:
		return netipx.IPRange{}, malformed
	case from.Is4() != to.Is4():
		return netipx.IPRange{}, errors.New("addresses and avoid must hold ranges whose two addresses are of one family, " +
			"such as 192.168.3.10-192.168.3.20")
	case to.Less(from):
		return netipx.IPRange{}, fmt.Errorf("the first address of a range must not be above the last: write %s-%s", last, first)
	}
	return netipx.IPRangeFrom(from, to), nil
}
