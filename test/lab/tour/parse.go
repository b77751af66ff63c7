package tour

import (
	"net/netip"
	"slices"
	"strings"
)

// routes maps each destination of a routing table to its next hops, in order.
type routes map[netip.Prefix][]netip.Addr

// parseRoutes reads what `ip route` prints. Routes without a next hop are there with none.
func parseRoutes(text string) routes {
	table := routes{}
	var destination netip.Prefix
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] != "nexthop" {
			destination = parseDestination(words[0])
		}
		if !destination.IsValid() {
			continue
		}
		table[destination] = append(table[destination], via(words)...)
		slices.SortFunc(table[destination], netip.Addr.Compare)
	}
	return table
}

// parseDestination reads a destination as `ip route` writes it: a host route without its length.
func parseDestination(word string) netip.Prefix {
	if prefix, err := netip.ParsePrefix(word); err == nil {
		return prefix
	}
	if addr, err := netip.ParseAddr(word); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	return netip.Prefix{}
}

func via(words []string) []netip.Addr {
	i := slices.Index(words, "via")
	if i < 0 || i+1 == len(words) {
		return nil
	}
	addr, err := netip.ParseAddr(words[i+1])
	if err != nil {
		return nil
	}
	return []netip.Addr{addr}
}
