package main

import (
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

const (
	// repository is where the image is published.
	repository = "ghcr.io/herald-network/herald"
	// source is where it comes from.
	source = "https://github.com/herald-network/herald"
	// licenses is an SPDX expression.
	licenses = "Apache-2.0"
)

// release is what an image is made of: the same release gives the same bytes.
type release struct {
	version, commit string
	date            time.Time
}

// validate says what of a release can't stand in an image.
func (r release) validate() error {
	if _, err := name.NewTag(repository+":"+r.version, name.StrictValidation); err != nil {
		return fmt.Errorf("--version %q: want a version that can be the tag of an image, such as v0.1.0", r.version)
	}
	if r.commit == "" {
		return fmt.Errorf("--commit %q: want the commit that is built, or unknown", r.commit)
	}
	return nil
}

// labels say what the image is, by the names that the OCI image specification gives. The Dockerfile has the same ones.
func (r release) labels() map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":         "Herald",
		prefix + "description":   "Advertises the addresses of Kubernetes Services to routers over BGP",
		prefix + "url":           source,
		prefix + "source":        source,
		prefix + "documentation": source + "/tree/" + r.version + "/docs",
		prefix + "licenses":      licenses,
		prefix + "version":       r.version,
		prefix + "revision":      r.commit,
		prefix + "created":       r.created(),
	}
}

// created returns the date as annotations have it.
func (r release) created() string { return r.date.UTC().Format(time.RFC3339) }
