package bgp

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// RouterIDFromName derives the BGP identifier of a node that has no IPv4 address of its own: always the same one for a
// name, spread evenly over 1.0.0.0 to 223.255.255.255, so that among 5,000 nodes two share one once in 300 clusters.
func RouterIDFromName(name string) netip.Addr {
	const first, count = 1 << 24, 223 << 24
	sum := sha256.Sum256([]byte(name))
	id := first + binary.BigEndian.Uint64(sum[:])%count
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(id))))
}
