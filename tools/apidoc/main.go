// Command apidoc writes the API reference in Markdown from CRDs: for each kind its columns and a table of all fields with
// what they mean and what changing them does to live sessions.
//
// Usage: apidoc DIRECTORY >api.md
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
	crds, err := readCRDs(args[0])
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
func readCRDs(dir string) ([]apiextensions.CustomResourceDefinition, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s holds no CRDs", dir)
	}
	crds := make([]apiextensions.CustomResourceDefinition, len(paths))
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := yaml.UnmarshalStrict(text, &crds[i]); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return crds, nil
}
