package main

import "strconv"

// shape is what a rack is like. Racks of each come one after the other, in this order.
type shape uint8

// The shapes of racks.
const (
	// plain has one router.
	plain shape = iota
	// large is plain, and its kube-proxies have ended: programming many thousands of Services on three nodes of one machine
	// would take far longer than what is measured. What they had programmed before stays.
	large
	// audited is plain, and its API server notes every request.
	audited
	// redundant has two routers.
	redundant

	shapes
)

func (s shape) routers() int {
	if s == redundant {
		return 2
	}
	return 1
}

// options are those of `lab up`.
func (s shape) options() []string {
	options := []string{"--nodes", strconv.Itoa(nodeCount), "--tors", strconv.Itoa(s.routers())}
	if s == audited {
		options = append(options, "--audit")
	}
	return options
}
