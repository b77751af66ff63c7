// Package kubelet plays the kubelet of one node of the lab: it registers the Node and keeps its Lease, and it runs the pods
// that are bound to the node as real processes, each pod in a network namespace of its own.
//
//	pods of the node --(source)--> one worker per pod --(plan)--> processes, probes, volumes
//	                                     |
//	                                 (podstatus)--> one reporter per pod --> status, deletion
//
// A worker is one goroutine that owns all of its pod's state; everything else (the source, the end of a process, the
// verdict of a probe, the lab's command line) posts to it. What to run and what the status says is decided by the pure
// packages podplan and podstatus. Nothing in a worker waits for the API server but the first reading of what a pod refers
// to, so that running pods go on, and are restarted, while it is away.
//
// What is different from a real kubelet, besides images (see podplan): back-off begins at a second, processes run as the
// lab's root whatever the securityContext says, resources are neither accounted nor limited, and there is no DNS.
package kubelet
