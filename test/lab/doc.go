// Package lab is what the command line does: it starts a lab, ends it, and runs commands in it.
//
//	lab up ──> first process of a sandbox (Init) ──> supervisor, on the control plane's host
//	                                                  ├── switches, hosts: network namespaces
//	                                                  ├── etcd, kube-apiserver, …, kube-proxies, routers
//	                                                  └── kubelets ──> pods
//
// Everything that a lab starts lives in the sandbox: when its first process is killed, nothing is left but the lab's
// directory.
package lab
