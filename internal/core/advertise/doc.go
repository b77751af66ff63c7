// Package advertise decides which prefixes a node advertises, and why not the others.
//
// Decide answers for the addresses of one Service; it is the one place where the rule stands, whoever asks. Table holds
// the answers for all Services of a cluster and follows one event at a time: a changed Service or EndpointSlice costs
// that Service only, a changed Config everything.
//
//	SetService, SetSlice, … ──> Decide ──> claims by prefix ──> TakeChanges: what to advertise, what to withdraw
//	Configure ─────────────────────────────────┘
//
// The package never asks who wants to know: it holds plain values, and neither a client nor a clock.
package advertise
