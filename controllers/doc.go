// Package controllers holds the manager's reconcilers, one kind to a file: each gathers, asks the core or a builder what
// should be, and applies that.
package controllers
