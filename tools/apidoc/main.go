// Command apidoc writes the API reference in Markdown from CRDs: for each kind its columns and a table of all fields with
// what they mean and what changing them does to live sessions.
//
// Usage: apidoc DIRECTORY >api.md
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("want one argument, the directory of the CRDs")
	}
	crds, err := readCRDs(os.DirFS(args[0]))
	if err != nil {
		return err
	}
	text, err := reference(crds)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, text)
	return err
}

// readCRDs reads the CRDs of a directory, by file name.
func readCRDs(dir fs.FS) ([]apiextensions.CustomResourceDefinition, error) {
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("the directory holds no CRDs")
	}
	crds := make([]apiextensions.CustomResourceDefinition, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		if err := yaml.UnmarshalStrict(text, &crds[i]); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return crds, nil
}
