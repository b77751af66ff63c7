// Package status says what is true of an object in the whole cluster: BGPNodes in, the status of a BGPPeer, a
// BGPConfiguration or an ExternalIPPool out, and what happened between two looks at them.
//
// A status never claims what was not observed: a node whose agent is silent, or has not reported yet, counts neither as up
// nor as down. What was written before is what goes in as the object's status, so that a condition's transition time moves
// with its status only, and the same input twice is the same status.
package status
