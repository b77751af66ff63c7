// Package removal takes Herald out of a cluster: whatever the tool that installed it would not remove, or could not. It works
// beside a running manager and without one, and again after it was broken off.
//
//	manager -> agents take leave of their routers -> webhooks, policies -> marks on Services -> finalizers of pools -> the rest
//
// The order is what makes it clean. Agents go while they still may ask the API server whether they go for good; webhooks go
// before anything that they would judge; addresses go after the routes to them; and nothing puts back what was taken off,
// since the manager went first.
package removal
