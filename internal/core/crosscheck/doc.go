// Package crosscheck says what is wrong with an object in the cluster that it lives in: beside its siblings, the nodes,
// and what else can be told only by looking further than the object itself.
//
// Admission refuses what a request makes worse, and an object's condition says what is wrong with it now: both ask here,
// so that they cannot differ. What agents leave out is what intent says; the rules that only this package has never take
// out what is in use, since a Node, a Secret or a peer that came later may have broken them.
//
// In takes a cluster, and what it returns checks any of its objects:
//
//	validate: the object alone -----------------\
//	intent: what agents would report, by classes  > []Finding
//	the rules of this package ------------------/
package crosscheck
