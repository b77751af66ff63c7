// Package forecast says what a change of Herald's objects takes away from a cluster, before the change is made.
//
// Of asks of every node, for the state before and the one after, what its agent will ask: intent for the peers and the
// configuration, advertise for the routes, plan for the sessions. What it finds is what the agents then do:
//
//	before, after --intent--> peers ----------------plan--> Sessions
//	                     \--> what is wrong ------------> Problems
//	                      \-> Config, families \
//	                          before.Services --advertise--> Withdrawals, Services
//
// Export rules may heed all that a prefix is advertised for, which several Services and blocks decide. So where there are any,
// what each node advertises is counted by kind first, and only then what its sessions let out.
//
// Nodes that have the same configuration and send the same families decide the same for every Service with the policy
// Cluster, and are asked once. Only where the policy is Local is each node with endpoints asked about its own, so that the
// work grows with the Services and their endpoints, and never with the Services times the nodes.
package forecast
