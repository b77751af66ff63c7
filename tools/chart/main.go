// Command chart writes what is generated in charts/herald: the templates of what config/ says once for every way of installing
// Herald (CRDs, rights, webhooks, the version), and from values.yaml with its comments the schema of the values and their table in
// README.md.
//
// Usage: chart CHECKOUT DIRECTORY
// The files go to charts/herald in the directory, which may be the checkout itself.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("want two arguments, the checkout and the directory to write to")
	}
	checkout, out := args[0], filepath.Join(args[1], "charts", "herald")
	files := map[string]string{}
	if err := errors.Join(
		templates(filepath.Join(checkout, "config"), files),
		describe(filepath.Join(checkout, "charts", "herald"), files),
		versioned(checkout, files),
	); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
