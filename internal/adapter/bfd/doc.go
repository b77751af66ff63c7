// Package bfd runs BFD sessions over UDP (RFC 5881 and RFC 5883); what they do is decided in internal/core/bfd.
//
//	receiver (one for each local address and port) --packet--> Monitor --Table--> Session (Machine, timer)
//	   ^                                                                             |
//	   '------- before a session goes down, what waits in the socket is read --------+--> sender (one for each session)
//
// A node must not take a path down because it was busy itself:
//
//   - Before a session goes down, its socket is read dry. A packet that came in time counts, however late it is read: the
//     reader holds a lock from taking a packet off the socket until the session has it, so none is in between.
//   - Where the timer itself was late, the kernel may have had no time for the network either, and gets some before the
//     socket is read again.
//   - Sending comes first: a late timer sends before it does anything else, since the peer counts our silence.
//   - Nothing on the way of a packet waits for anybody: sockets do not block, and no lock is held over anything slow.
//
// The process asks for no higher priority. A niceness counts only among the processes of one container, and hardly helped where it
// was measured. A real-time class (SCHED_RR) does help, but needs CAP_SYS_NICE, and puts all of an agent before everything on the
// node, its garbage collection included; neither BIRD nor FRR asks for it. What is needed is two wake-ups of a sleeping process in each
// detection time, which the kernel favours over whatever computes; docs/benchmarks.md has figures from machines that are overloaded.
package bfd
