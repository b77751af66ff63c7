// Package bgp is Herald's BGP vocabulary: AS numbers, families, communities, paths, peers and sessions as plain values
// on net/netip that can be compared with ==. It decides nothing but what one value means to another, and knows neither
// Kubernetes nor an engine.
package bgp
