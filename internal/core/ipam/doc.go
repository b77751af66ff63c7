// Package ipam decides which Service has which address of which pool, and why not.
//
// Table holds every Service of a cluster with the addresses that it has, and follows one event at a time. Decide answers for
// one Service and reserves what it answers, so that no two Services are promised one address; what an API server then says
// of the Service replaces the promise. Marks and addresses on the Services are all that it is ever rebuilt from.
//
//	SetService, DeleteService ──> addresses in use, at rest, free ──> Decide ──> Decision: addresses, moves, or a reason
//	Configure, SetNamespace ────────────────┘                          └──> Touched: who else is to be decided on
//
// Neither pools nor blocks are ever expanded: a pool costs by its ranges and the addresses in use, whatever its size.
//
// The package has no clock: whoever calls says what time it is.
package ipam
