// Package bfd is bidirectional forwarding detection (RFC 5880) as Herald speaks it: asynchronous mode, without echo and
// without authentication, over one hop (RFC 5881) or several (RFC 5883). It decides; sockets, clocks and random numbers
// are the adapter's.
//
//	packet  --Check-->  Table  --->  Machine  --->  Output: packets to send, what changed
//	                                    ^
//	                        Deadline, Advance: timers
//
// A Machine is one session. Everything that happens to it comes with the time at which it happens.
package bfd
