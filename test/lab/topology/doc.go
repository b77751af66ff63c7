// Package topology is the lab's address plan: which hosts there are, how they are wired, and who routes what where.
//
//	        172.31.0.0/24  outside
//	  ┌──────────┬───────────┐
//	 .1         .3          .2
//	tor       tor-2      external
//	 .1         .2
//	  └──────────┴───────────┬───────────┬──────────┐
//	        192.168.1.0/24  rack        .11        .100
//	                                   node-1 …  control-plane
//	                             pods 10.48.1.0/24
//
// Every address has an IPv6 twin where that is asked for: fd00:1::/64 for the rack, fd00:31::/64 outside,
// fd00:48:0:N::/64 for the pods of node N, fd00:49::/112 for cluster IPs and 2001:db8:3::/120 for external addresses; the
// last part of a host's address reads the same in both families.
package topology
