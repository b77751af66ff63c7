// Package agent is what runs on every node: a loop in which all decisions fall, one after the other, and few helpers
// around it that wait for slower things.
//
//	input.Queue --gather--> objects --decide (core/intent, core/advertise, core/plan)--> steps --run--> speaker
//	                                                                                                      |
//	BGPNode <--Reporter-- Status <----------------------------report-------------------------- Observe <--'
//
// The loop never waits for the API server: events come to it, and the Reporter asks it for a status when it is time to
// write one. It says nothing to any router before every kind of object has been read and the first full set of routes
// is in the speaker's table, so that End-of-RIB is honest and an unread input is never taken for an empty one.
package agent
