package main

import (
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// release is what an image is made of: the same release gives the same bytes.
type release struct {
	version, commit string
	date            time.Time
}

// validate says what of a release can't stand in an image.
func (r release) validate() error {
	if _, err := name.NewTag(herald().repository+":"+r.version, name.StrictValidation); err != nil {
		return fmt.Errorf("--version %q: want a version that can be the tag of an image, such as v0.1.0", r.version)
	}
	if r.commit == "" {
		return fmt.Errorf("--commit %q: want the commit that is built, or unknown", r.commit)
	}
	return nil
}

// created returns the date as annotations have it.
func (r release) created() string { return r.date.UTC().Format(time.RFC3339) }
