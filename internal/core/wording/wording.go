// Package wording puts lists and long texts into the words of a message, which has to stay short however large the cluster
// is.
package wording

import (
	"strconv"
	"strings"
)

// MaxWarning is how long a warning of admission may be, in bytes: the API server cuts it after 256 characters.
const MaxWarning = 250

// How many a message names before it counts the rest.
const (
	maxNodes    = 2
	maxPrefixes = 5
)

// Nodes names nodes, such as "node-1, node-2 and 1 other node".
func Nodes(names []string) string { return few(names, maxNodes, "node", "nodes") }

// Prefixes names prefixes, such as "192.168.3.180/32 and 192.168.4.1/32".
func Prefixes(texts []string) string { return few(texts, maxPrefixes, "prefix", "prefixes") }

// few names the first of a list, and counts the others.
func few(names []string, most int, one, many string) string {
	if len(names) == 0 {
		return "no " + one
	}
	named, last := names[:min(len(names)-1, most)], names[len(names)-1]
	switch others := len(names) - most; {
	case others == 1:
		last = "1 other " + one
	case others > 1:
		last = strconv.Itoa(others) + " other " + many
	}
	if len(named) == 0 {
		return last
	}
	return strings.Join(named, ", ") + " and " + last
}

// Some names the first of so many things in at most so many bytes, and counts the others: "a, b and 3 others". The first name
// is there whatever the room.
func Some(first []string, total, room int) string {
	var named string
	for n, name := range first {
		longer := name
		if n > 0 {
			longer = named + ", " + name
		}
		end := ""
		if n+1 < total {
			end = andOthers(total - n - 1)
		}
		if n > 0 && len(longer)+len(end) > room {
			return named + andOthers(total-n)
		}
		named = longer
	}
	if len(first) < total {
		return named + andOthers(total-len(first))
	}
	return named
}

func andOthers(n int) string {
	if n == 1 {
		return " and 1 other"
	}
	return " and " + strconv.Itoa(n) + " others"
}

// Cut shortens a text to at most so many bytes, of which there must be 3 for the ellipsis, and to whole characters.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len("…")], "") + "…"
}
