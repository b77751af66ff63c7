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

// parseTable reads a table as kubectl prints it: a line of headings, and under each its column. Lines above the
// headings, like warnings, are not part of it.
func parseTable(text string, firstHeading string) []map[string]string {
	var headings []string
	var offsets []int
	var rows []map[string]string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if headings == nil {
			if strings.HasPrefix(line, firstHeading) {
				headings, offsets = columns(line)
			}
			continue
		}
		rows = append(rows, cells(line, headings, offsets))
	}
	return rows
}

// columns splits a line of headings. A heading may hold single spaces; two or more end it.
func columns(line string) (headings []string, offsets []int) {
	for i := 0; i < len(line); {
		end := strings.Index(line[i:], "  ")
		if end < 0 {
			end = len(line) - i
		}
		headings, offsets = append(headings, strings.TrimSpace(line[i:i+end])), append(offsets, i)
		for i += end; i < len(line) && line[i] == ' '; i++ {
		}
	}
	return headings, offsets
}

func cells(line string, headings []string, offsets []int) map[string]string {
	row := map[string]string{}
	for i, heading := range headings {
		start, end := min(offsets[i], len(line)), len(line)
		if i+1 < len(offsets) {
			end = min(offsets[i+1], len(line))
		}
		row[heading] = strings.TrimSpace(line[start:end])
	}
	return row
}
