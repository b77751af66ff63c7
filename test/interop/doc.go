// Package interop proves Herald's BGP against four independent implementations: each row of the matrix is a capability,
// each column a routing daemon, and each cell a session of a node with the real daemon in the lab. A cell configures both
// sides, and asserts what the daemon says of Herald and Herald of the daemon. docs/interop.md is the result.
//
// A row is an entry in capabilities_test.go: what it changes on the router, what on the BGPPeer, and what must be true
// then. HERALD_INTEROP_DIR runs on a lab that is up already (`lab up --nodes 3 --tors 4 --tor bird,frr,openbgpd,gobgp
// --ipv6`), -run 'TestMatrix/GTSM/.*' runs one row, and HERALD_INTEROP_WRITE=1 writes the document.
package interop
