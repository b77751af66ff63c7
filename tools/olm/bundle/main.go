// Command bundle makes the bundle by which the Operator Lifecycle Manager (OLM) installs Herald, out of what installs it
// without OLM: the rendering of config/default, which it reads from stdin. What that doesn't say is in config/olm.
//
// Nothing may get lost on the way: an object that has no place in a bundle is an error.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "the checkout, for config/olm and config/samples")
	flag.StringVar(&o.version, "version", "", "the bundle's version; by default that of the manager's image in config/")
	flag.StringVar(&o.image, "image", "", "the image, for one with a digest; by default that in config/, with the version as its tag")
	flag.StringVar(&o.replaces, "replaces", "", "the version that this one upgrades, if any")
	out := flag.String("out", ".", "the directory that gets bundle/ and bundle.Dockerfile")
	flag.Parse()
	if err := run(o, os.Stdin, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

// options are what the bundle depends on beside the manifests.
type options struct{ root, version, image, replaces string }

// run makes the bundle and puts its files below out.
func run(o options, rendered io.Reader, out string) error {
	files, err := bundle(o, rendered)
	if err != nil {
		return err
	}
	// What no version has any more must not stay.
	if err := os.RemoveAll(filepath.Join(out, "bundle")); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// bundle returns the files of the bundle by their names.
func bundle(o options, rendered io.Reader) (map[string][]byte, error) {
	objects, err := decode(rendered)
	if err != nil {
		return nil, fmt.Errorf("read the rendering of config/default: %w", err)
	}
	in, err := sort(objects)
	if err != nil {
		return nil, err
	}
	// The image may come to have a digest in place of the tag that says which version this is.
	version, err := in.versionOf(o.version)
	if err != nil {
		return nil, err
	}
	o.version = "v" + version
	if err := in.setVersion(o.version, o.image); err != nil {
		return nil, err
	}
	csv, err := in.serviceVersion(o)
	if err != nil {
		return nil, err
	}
	carried, err := in.carried(csv)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, object := range append(carried, csv) {
		if err := put(files, "bundle/manifests/"+fileName(object), object); err != nil {
			return nil, err
		}
	}
	return files, metadata(o.root, files)
}
