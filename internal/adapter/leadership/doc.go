// Package leadership is the Lease by which one replica leads, with the knowledge of how long that is certain.
//
// A Lease alone does not fence. A leader that is stopped for longer than its Lease lasts, by a signal, a busy machine or a
// lost network, is a leader in its own eyes until it looks at the clock again, and the rest of what it was about to write goes
// out. So whoever writes for the leader asks Lock.Remaining first, and does not write where nothing remains.
//
// What that rules out: a write that begins once another replica may lead. What it can't rule out: a process that is stopped
// between the question and its write, and a write that is under way or in the kernel's buffers for longer than what remained.
// Nor does it know of a Lease that a person deletes or edits, or of a machine whose clock stands still while it is suspended.
// The resourceVersion that each write carries narrows this down to objects that nobody else has written meanwhile; what still
// comes about has to be found and mended by the new leader.
package leadership
