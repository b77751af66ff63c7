package loopguard

import (
	"net/netip"
	"slices"

	"go4.org/netipx"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Mode is what becomes of a packet that would go back to where it came from.
type Mode uint8

// The modes. The zero Mode is the default.
const (
	// Drop drops it without a word.
	Drop Mode = iota
	// Disabled lets it go.
	Disabled
	// Reject drops it and tells its sender that the port is unreachable (ICMP, RFC 792; ICMPv6, RFC 4443).
	Reject
)

// String returns the mode's name as it stands in the API.
func (m Mode) String() string {
	switch m {
	case Disabled:
		return "Disabled"
	case Drop:
		return "Drop"
	case Reject:
		return "Reject"
	default:
		return "Unknown"
	}
}

// Guard is what a node is to be kept from sending back. The zero Guard is nothing.
type Guard struct {
	Mode Mode
	// Blocks are the aggregates that the node advertises, each once, ordered by prefix; empty only in the zero Guard.
	Blocks []netip.Prefix
	// Peers are the addresses of those that the node advertises them to, each once, in order: packets that come from where
	// they are reached are those that may loop.
	Peers []netip.Addr
}

// For returns the guard of a node that advertises what config says to the peers: none where no block's own route goes to
// any of them.
func For(mode Mode, config advertise.Config, peers []bgp.Peer) Guard {
	if mode == Disabled {
		return Guard{}
	}
	guard := Guard{Mode: mode}
	kinds := map[netip.Prefix]bgp.Kinds{}
	for prefix, kind := range config.OwnPrefixes() {
		kinds[prefix] |= kind.Set()
	}
	for prefix, set := range kinds {
		if set != advertise.PodCIDR.Set() && goesOut(config.PathTo(prefix, set), peers) {
			guard.Blocks = append(guard.Blocks, prefix)
		}
	}
	if len(guard.Blocks) == 0 {
		return Guard{}
	}
	slices.SortFunc(guard.Blocks, netip.Prefix.Compare)
	for _, p := range peers {
		guard.Peers = append(guard.Peers, p.Address.Addr())
	}
	slices.SortFunc(guard.Peers, netip.Addr.Compare)
	guard.Peers = slices.Compact(guard.Peers)
	return guard
}

func goesOut(path bgp.Path, peers []bgp.Peer) bool {
	return slices.ContainsFunc(peers, func(p bgp.Peer) bool {
		_, goes := bgp.Export(p, path)
		return goes
	})
}

// IsNone reports whether there is nothing to guard against.
func (g Guard) IsNone() bool { return len(g.Blocks) == 0 }

// Equal reports whether two guards are the same.
func (g Guard) Equal(other Guard) bool {
	return g.Mode == other.Mode && slices.Equal(g.Blocks, other.Blocks) && slices.Equal(g.Peers, other.Peers)
}

// Range is a part of a block that is in no longer one.
type Range struct {
	// First and Last are of one family; Last is in the range.
	First, Last netip.Addr
	Block       netip.Prefix
}

// Ranges returns the addresses of all blocks as ranges without overlap, in order: each address counts for the longest
// block that it is in.
func (g Guard) Ranges() []Range {
	var ranges []Range
	for i, block := range g.Blocks {
		var set netipx.IPSetBuilder
		set.AddPrefix(block)
		for _, inner := range g.Blocks[i+1:] { // A block sorts before those inside of it.
			if block.Overlaps(inner) {
				set.RemovePrefix(inner)
			}
		}
		left, err := set.IPSet()
		if err != nil {
			panic("loopguard: a block is no prefix: " + err.Error())
		}
		for _, r := range left.Ranges() {
			ranges = append(ranges, Range{First: r.From(), Last: r.To(), Block: block})
		}
	}
	slices.SortFunc(ranges, func(a, b Range) int { return a.First.Compare(b.First) })
	return ranges
}
