package main

import (
	"maps"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// source is where all images come from.
	source = "https://github.com/herald-network/herald"
	// licenses is an SPDX expression.
	licenses = "Apache-2.0"
)

// product is one of the images that a release has: what all its versions have in common.
type product struct {
	// repository is where the image is published.
	repository string
	// target is the Makefile's that makes the image.
	target string
	// title and description say what it is.
	title, description string
	// config is how it runs. What labels it has are what an engine or OLM looks for; those that say what it is are added.
	config v1.Config
}

// herald returns the product itself: the manager and the agent in one image.
func herald() product {
	return product{
		repository:  "ghcr.io/herald-network/herald",
		target:      "image",
		title:       "Herald",
		description: "Advertises the addresses of Kubernetes Services to routers over BGP",
		config: v1.Config{
			// Nobody that a node knows, by number, so that runAsNonRoot can be checked.
			User:       "65532:65532",
			Entrypoint: []string{"/manager"},
			WorkingDir: "/",
		},
	}
}

// annotations say what the image is, by the names that the OCI image specification gives. Herald's Dockerfile has the same ones.
func (p product) annotations(r release) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":         p.title,
		prefix + "description":   p.description,
		prefix + "url":           source,
		prefix + "source":        source,
		prefix + "documentation": source + "/tree/" + r.version + "/docs",
		prefix + "licenses":      licenses,
		prefix + "version":       r.version,
		prefix + "revision":      r.commit,
		prefix + "created":       r.created(),
	}
}

// labels are the annotations, and what else the product's configuration says.
func (p product) labels(r release) map[string]string {
	labels := p.annotations(r)
	maps.Copy(labels, p.config.Labels)
	return labels
}
