// Package podplan turns a Pod that is bound to a node of the lab into what has to run for it: the command line, the
// environment, the mounts and the contents of the volumes of each container. It is pure: what it needs from outside comes
// in as Facts, Dirs and Objects, and everything that it says is carried out by package kubelet.
package podplan
