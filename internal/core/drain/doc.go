// Package drain decides how a node takes leave of peers that it shall not have any more: because it goes out of service,
// because a peer is deleted or selects it no more, or because its agent ends for good.
//
//	wanted --no longer--> leaving (bgp.Peer.Draining, RFC 8326) --the time is over--> gone (withdrawn, then Cease)
//	   ^                     |
//	   '----wanted again-----'
//
// A peer that leaves runs on as it was, with what it gets marked as about to go, so that its routers take other paths while
// this one still works. Only an established session has something to mark: without one the peer is gone at once. How long it
// takes is bounded whatever happens meanwhile, be there other nodes to serve or none.
package drain
