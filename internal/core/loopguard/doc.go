// Package loopguard decides which packets a node must not send back to where they came from.
//
// An aggregate brings a node every packet for an address inside it, those included that no Service has. What kube-proxy
// does not claim follows the node's default route back to the router, which sends it to a node again, until its TTL ends:
//
//	client -> router -> node -> router -> node -> ... 64 times, for every packet of a port scan
//
// For says for which blocks that is to end on the node, and Guard.Ranges turns blocks, which may lie inside one another,
// into ranges that do not. How packets are told apart, and what becomes of them, is up to the adapter.
package loopguard
