package advertise

import (
	"net/netip"
	"strings"
)

// ParseAddress reads an address that somebody wrote into a Service as kube-proxy does, which takes leading zeros for nothing,
// and an IPv4-mapped address for the IPv4 address: otherwise such a text would lead past every rule.
func ParseAddress(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(text)
	if err != nil {
		address, err = netip.ParseAddr(withoutLeadingZeros(text))
	}
	return address.Unmap().WithZone(""), err == nil
}

// withoutLeadingZeros removes them from the numbers of an IPv4 address, which may end an IPv6 one.
func withoutLeadingZeros(text string) string {
	start := strings.LastIndexByte(text, ':') + 1
	numbers := strings.Split(text[start:], ".")
	for i, number := range numbers {
		if trimmed := strings.TrimLeft(number, "0"); trimmed != "" || number == "" {
			numbers[i] = trimmed
			continue
		}
		numbers[i] = "0"
	}
	return text[:start] + strings.Join(numbers, ".")
}
