package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// The CRDs of this tree accept, and keep, what those of the last release accepted.
func TestThisTreeIsCompatibleWithTheLastRelease(t *testing.T) {
	t.Parallel()
	problems, err := compareDirectories("../../config/crd/released", "../../config/crd/bases")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
}

const schema = `
type: object
required: [a]
properties:
  a: {type: string, maxLength: 10, pattern: "^a", enum: [ax, ay]}
  b: {type: integer, minimum: 1, maximum: 9}
  c:
    type: array
    maxItems: 4
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [d]
    items: {type: object, properties: {d: {type: string, nullable: true}}}
  e: {type: object, additionalProperties: {type: string}}
x-kubernetes-validations:
- {rule: self.b > 0}
`

func TestSchemasAreCompared(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		// was is replaced by is, in a schema that was as above.
		was, is string
		// want begins the only problem; "" for none.
		want string
	}{
		"a new field":                {"properties:\n  a", "properties:\n  f: {type: string}\n  a", ""},
		"a field that is gone":       {"  b: {type: integer, minimum: 1, maximum: 9}\n", "", "X.b: is gone"},
		"a field that is required":   {"required: [a]", "required: [a, b]", "X.b: is required now"},
		"one that is not any more":   {"required: [a]\n", "", ""},
		"another type":               {"b: {type: integer", "b: {type: number", "X.b: was a integer , is a number"},
		"a new value":                {"[ax, ay]", "[ax, ay, az]", ""},
		"a value that is gone":       {"[ax, ay]", "[ax]", `X.a: does not take "ay" any more`},
		"another pattern":            {`"^a"`, `"^ab"`, `X.a: had the pattern "^a"`},
		"no pattern any more":        {`pattern: "^a", `, "", ""},
		"a lower maximum":            {"maximum: 9", "maximum: 8", "X.b: had the maximum 9, has 8"},
		"a higher maximum":           {"maximum: 9", "maximum: 10", ""},
		"a higher minimum":           {"minimum: 1", "minimum: 2", "X.b: had the minimum 1, has 2"},
		"a lower minimum":            {"minimum: 1", "minimum: 0", ""},
		"shorter texts":              {"maxLength: 10", "maxLength: 9", "X.a: had the greatest length 10, has 9"},
		"texts that may not be none": {"maxLength: 10", "maxLength: 10, minLength: 1", "X.a: had the least length none, has 1"},
		"fewer items":                {"maxItems: 4", "maxItems: 3", "X.c: had the greatest number of items 4, has 3"},
		"another key of a list":      {"list-map-keys: [d]", "list-map-keys: [e]", "X.c: was a list of type"},
		"a null inside a list":       {", nullable: true", "", "X.c[].d: may not be null"},
		"no keys of one's own":       {", additionalProperties: {type: string}", "", "X.e: takes no keys of one's own any more"},
		"a new rule":                 {"- {rule: self.b > 0}", "- {rule: self.b > 0}\n- {rule: self.b < 5}", "X: has a new rule: self.b < 5"},
		"a rule that is gone":        {"x-kubernetes-validations:\n- {rule: self.b > 0}\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(schema, row.was) {
				t.Fatalf("the schema has no %q", row.was)
			}
			var problems []string
			schemas{path: "X", problems: &problems}.compare(parse(t, schema), parse(t, strings.Replace(schema, row.was, row.is, 1)))
			if row.want == "" && len(problems) > 0 || row.want != "" && (len(problems) != 1 || !strings.HasPrefix(problems[0], row.want)) {
				t.Errorf("got %q, want %q", problems, row.want)
			}
		})
	}
}

func parse(t *testing.T, text string) *apiextensions.JSONSchemaProps {
	t.Helper()
	props := &apiextensions.JSONSchemaProps{}
	if err := yaml.UnmarshalStrict([]byte(text), props); err != nil {
		t.Fatal(err)
	}
	return props
}

func TestDefinitionsAreCompared(t *testing.T) {
	t.Parallel()
	const definition = `
metadata: {name: things.example.com}
spec:
  scope: Cluster
  names: {kind: Thing, plural: things, shortNames: [th]}
  versions:
  - {name: v1, served: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object}}}
`
	for name, row := range map[string]struct{ was, is, want string }{
		"another name":           {"name: things.example.com", "name: others.example.com", "things.example.com is gone"},
		"another scope":          {"scope: Cluster", "scope: Namespaced", "Thing was Cluster, is Namespaced"},
		"a short name less":      {", shortNames: [th]", "", "Thing has no short name th any more"},
		"a version less":         {"name: v1, ", "name: v2, ", "Thing has no version v1 any more"},
		"one that is not served": {"served: true", "served: false", "Thing has no version v1 any more"},
		"no status":              {", subresources: {status: {}}", "", "Thing v1 has no status of its own any more"},
		"nothing else":           {"kind: Thing", "kind: Thing", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was, is := t.TempDir(), t.TempDir()
			write(t, was, definition)
			write(t, is, strings.Replace(definition, row.was, row.is, 1))
			problems, err := compareDirectories(was, is)
			if err != nil {
				t.Fatal(err)
			}
			if want := slices.DeleteFunc([]string{row.want}, func(s string) bool { return s == "" }); !slices.Equal(problems, want) {
				t.Errorf("got %q, want %q", problems, want)
			}
		})
	}
	if _, err := compareDirectories(t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "there are no CRDs") {
		t.Errorf("directories without CRDs: %v", err)
	}
}

func write(t *testing.T, directory, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(directory, "thing.yaml"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
