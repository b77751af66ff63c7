// Package kube is the agent's way to the API server: it follows the objects that the agent acts on and writes the few
// that the agent keeps.
//
//	API server --reflector--> store --input.Event--> the agent's queue
//
// No object is kept: each becomes the plain values that the core needs of it as soon as it is read. Reading and writing
// share one connection, which a server that is away or silent never holds up for more than seconds.
package kube
