package advertise

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Block is a CIDR whose addresses may be advertised where they are of the block's kind.
type Block struct {
	Kind Kind
	// CIDR has no host bits.
	CIDR netip.Prefix
	// Aggregated says that the block's own route stands for the host routes of Services with the policy Cluster.
	Aggregated bool
}

// HasAggregate reports whether the block itself is advertised: never where it holds a single address, whose host route
// it would be.
func (b Block) HasAggregate() bool { return b.Aggregated && !b.CIDR.IsSingleIP() }

// PrefixAttributes are the attributes of every path inside a CIDR.
type PrefixAttributes struct {
	// CIDR has no host bits.
	CIDR       netip.Prefix
	Attributes bgp.PathAttributes
}

// Config is all that the configuration and the node itself say about what the node advertises. The zero Config advertises
// nothing. Its slices are kept: they must not change afterwards.
type Config struct {
	// Excluded says that the node advertises nothing at all.
	Excluded bool
	// Blocks of all kinds, in any order; of two equal ones of a kind the first holds.
	Blocks []Block
	// PodCIDRs of this node that are advertised as they are.
	PodCIDRs []netip.Prefix
	// Attributes by prefix, in any order: the longest that holds a path's whole prefix gives the path its attributes.
	Attributes []PrefixAttributes
}

// Equal reports whether two configurations are the same, order included.
func (c Config) Equal(other Config) bool {
	return c.Excluded == other.Excluded && slices.Equal(c.Blocks, other.Blocks) &&
		slices.Equal(c.PodCIDRs, other.PodCIDRs) && slices.Equal(c.Attributes, other.Attributes)
}

// OwnPrefixes yields what is advertised whatever Services exist: the blocks' aggregates and the node's pod CIDRs.
func (c Config) OwnPrefixes() iter.Seq2[netip.Prefix, Kind] {
	return func(yield func(netip.Prefix, Kind) bool) {
		if c.Excluded {
			return
		}
		for _, b := range c.Blocks {
			if b.HasAggregate() && !yield(b.CIDR, b.Kind) {
				return
			}
		}
		for _, cidr := range c.PodCIDRs {
			if !yield(cidr, PodCIDR) {
				return
			}
		}
	}
}

// BlockOf returns the block of an address: the longest of its kind that holds it; false where there is none.
func (c Config) BlockOf(address Address) (Block, bool) {
	if address.Addr.Is4In6() {
		return Block{}, false
	}
	var longest Block
	for _, b := range c.Blocks {
		if b.Kind == address.Kind && b.CIDR.Contains(address.Addr) && (!longest.CIDR.IsValid() || b.CIDR.Bits() > longest.CIDR.Bits()) {
			longest = b
		}
	}
	return longest, longest.CIDR.IsValid()
}

// PathTo returns the path to a prefix that is advertised for some kinds, with the attributes that the configuration gives
// it.
func (c Config) PathTo(prefix netip.Prefix, kinds bgp.Kinds) bgp.Path {
	var longest PrefixAttributes
	for _, a := range c.Attributes {
		holds := a.CIDR.Bits() <= prefix.Bits() && a.CIDR.Contains(prefix.Addr())
		if holds && (!longest.CIDR.IsValid() || a.CIDR.Bits() > longest.CIDR.Bits()) {
			longest = a
		}
	}
	return bgp.Path{Prefix: prefix, Attributes: longest.Attributes, Kinds: kinds}
}
