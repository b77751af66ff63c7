// Package cluster is a whole cluster as plain values: all objects that decide what each of its nodes is to BGP and what
// it advertises.
package cluster
