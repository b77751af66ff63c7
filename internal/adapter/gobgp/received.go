package gobgp

import (
	"fmt"
	"hash/maphash"
	"net/netip"

	"github.com/herald-network/herald/internal/core/bgp"
)

// received counts the prefixes that a peer has sent and Herald refused. It keeps 8 bytes of hash for each, so that a
// repeated announcement counts once; two prefixes with one hash would count as one, which no one will live to see.
type received struct {
	seed     maphash.Seed
	prefixes map[bgp.Family]map[uint64]struct{}
}

func newReceived() *received {
	return &received{
		seed:     maphash.MakeSeed(),
		prefixes: map[bgp.Family]map[uint64]struct{}{bgp.IPv4: {}, bgp.IPv6: {}},
	}
}

func (r *received) len() int { return len(r.prefixes[bgp.IPv4]) + len(r.prefixes[bgp.IPv6]) }

// record enters what an UPDATE of the peer said, and returns a *prefixLimitError once a family is beyond the limit.
func (r *received) record(update changes, limit uint32) error {
	for _, prefix := range update.withdrawn {
		delete(r.prefixes[bgp.FamilyOf(prefix.Addr())], r.key(prefix))
	}
	for _, prefix := range update.announced {
		family := bgp.FamilyOf(prefix.Addr())
		known := r.prefixes[family]
		known[r.key(prefix)] = struct{}{}
		if len(known) > int(limit) {
			return &prefixLimitError{family: family, limit: limit}
		}
	}
	return nil
}

func (r *received) key(prefix netip.Prefix) uint64 { return maphash.Comparable(r.seed, prefix) }

// prefixLimitError says that the peer sent more prefixes of a family than it may.
type prefixLimitError struct {
	family bgp.Family
	limit  uint32
}

func (e *prefixLimitError) Error() string {
	return fmt.Sprintf("received prefix limit: the peer sent more than %d %s prefixes; "+
		"filter on the router what it exports to this node, or raise maxReceivedPrefixes", e.limit, e.family)
}
