// Package plan turns the difference between what a speaker does and what it should do into ordered steps, each with its
// impact on live sessions.
//
//	observed peers, desired peers --Peers--> steps \
//	                                                Order --> what a speaker runs
//	changes of routes ------------Routes--> steps /
//
// What a change of each field of a peer costs is data: see PeerFields.
package plan
