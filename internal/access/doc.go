// Package access serves a handler over TLS to those whom the API server lets read it, and to nobody else.
//
// It does what controller-runtime's filter does, which would bring the API server's own libraries into every agent: 19 MiB
// of its 40.
package access
