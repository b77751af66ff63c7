// Package gobgp is the speaker on top of GoBGP, and the only importer of GoBGP.
//
// Each peer has an engine of its own, a GoBGP server: its RIB holds exactly what that peer shall get, so that export
// policy is "do not add the path" and one peer can never see another's routes. The connection to the router is ours: we
// dial it, or take it where the peer is passive, and relay it over loopback to the engine, which takes it for an incoming
// one.
//
//	speaker --steps--> session --paths--> engine (GoBGP) <==loopback==> link <==TCP==> router
//	   ^                  ^                                              |
//	   '---- book --------+-------- what really went over the wire ------'
//
// The engine does what is hard in BGP: the state machine, timers, the RIB, packing of UPDATEs. The link sees every
// message pass and does what an embedding agent needs and GoBGP v3 has no way to say:
//
//   - The book of what was sent is read off the wire, not computed from the RIB and the policies of now.
//   - Every OPEN is honest about graceful restart (RFC 4724): the link sets the restart and forwarding bits. GoBGP would
//     say so once in its life, to the first of its peers, and then hold back all routes until the peer's End-of-RIB.
//     We select no routes, so there is nothing to defer: routes and End-of-RIB go out at once.
//   - A connection can end without a NOTIFICATION, and the next one starts at once instead of after GoBGP's fixed times.
//   - Causes come from the very messages, those that arrive before the session is established included.
//   - What a peer sends is read here, with RFC 7606's leniency towards its UPDATEs, and nothing of it reaches the engine but
//     as a message of our own making: no peer can confuse the engine, whose faults would be those of all sessions.
//   - Received routes are counted and dropped. They never reach the engine, which would keep each of them.
//   - The OPEN does not tell the host's name.
//
// The sockets being ours, so are password (RFC 2385), TTLs (RFC 5082) and zones, and the ports of passive peers, which are
// open only while there is a peer for them: a connection is its peer's by its two addresses. GoBGP would let one server at a
// time have a port.
//
// A peering is all that there is with one peer. It has two sessions, each with an engine, while a change of the configuration
// is handed over: see handover, and docs/sessions.md for what each change does.
package gobgp
