// Command compat tells whether CRDs still accept, and keep, all that those of the last release accepted.
//
// Usage: compat RELEASED PRESENT
//
// Both are directories of CRDs. Objects that users have stored must stay valid, an older version must be able to read what a
// newer one accepted of the fields that it knows, and no field may be lost. New fields, new values and wider limits are fine.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: compat RELEASED PRESENT")
		os.Exit(2)
	}
	problems, err := compareDirectories(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(2)
	}
	if len(problems) > 0 {
		fmt.Fprintf(os.Stderr, "What the last release accepted would not be accepted, or be lost:\n%s\n", strings.Join(problems, "\n"))
		os.Exit(1)
	}
}

func compareDirectories(released, present string) ([]string, error) {
	was, err := read(released)
	if err != nil {
		return nil, err
	}
	is, err := read(present)
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if is[name] == nil {
			problems = append(problems, name+" is gone")
			continue
		}
		problems = append(problems, compare(was[name], is[name])...)
	}
	return problems, nil
}

// read returns the CRDs in a directory, by name.
func read(directory string) (map[string]*apiextensions.CustomResourceDefinition, error) {
	paths, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: there are no CRDs", directory)
	}
	definitions := map[string]*apiextensions.CustomResourceDefinition{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		definition := &apiextensions.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(content, definition); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		definitions[definition.Name] = definition
	}
	return definitions, nil
}

// compare returns what the released definition had that the present one has not.
func compare(was, is *apiextensions.CustomResourceDefinition) []string {
	var problems []string
	say := func(format string, args ...any) {
		problems = append(problems, was.Spec.Names.Kind+" "+fmt.Sprintf(format, args...))
	}
	if was.Spec.Scope != is.Spec.Scope {
		say("was %s, is %s", was.Spec.Scope, is.Spec.Scope)
	}
	if was.Spec.Names.Kind != is.Spec.Names.Kind || was.Spec.Names.Plural != is.Spec.Names.Plural {
		say("is called %s now", is.Spec.Names.Kind)
	}
	for _, name := range was.Spec.Names.ShortNames {
		if !slices.Contains(is.Spec.Names.ShortNames, name) {
			say("has no short name %s any more", name)
		}
	}
	for i := range was.Spec.Versions {
		before := &was.Spec.Versions[i]
		j := slices.IndexFunc(is.Spec.Versions, func(v apiextensions.CustomResourceDefinitionVersion) bool { return v.Name == before.Name })
		if j < 0 || before.Served && !is.Spec.Versions[j].Served {
			say("has no version %s any more", before.Name)
			continue
		}
		if hasStatus(before) && !hasStatus(&is.Spec.Versions[j]) {
			say("%s has no status of its own any more", before.Name)
		}
		schemas{path: was.Spec.Names.Kind + " " + before.Name, problems: &problems}.
			compare(before.Schema.OpenAPIV3Schema, is.Spec.Versions[j].Schema.OpenAPIV3Schema)
	}
	return problems
}

func hasStatus(version *apiextensions.CustomResourceDefinitionVersion) bool {
	return version.Subresources != nil && version.Subresources.Status != nil
}
