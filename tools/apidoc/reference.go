package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

const preface = `# API reference

Generated from the types in api/v1alpha1 by ` + "`make generate`" + `; do not edit. The same text is what ` + "`kubectl explain`" + ` shows.

All kinds are cluster-scoped and in the category ` + "`herald`" + ` (` + "`kubectl get herald`" + `). A field that is absent stays absent: its default is
applied by Herald and never written into the object. The last column of each table says what a change of the field does
to BGP sessions that are up: nothing, a re-advertisement (updates on the running session, which stays up), or a reset (the
session is closed and opened again).
`

// impactMark begins the sentence of a field's description that says what a change does to sessions.
const impactMark = "Changing it "

// reference returns the whole document.
func reference(crds []apiextensions.CustomResourceDefinition) (string, error) {
	var doc strings.Builder
	doc.WriteString(preface)
	var errs []error
	for _, crd := range crds {
		for _, version := range crd.Spec.Versions {
			errs = append(errs, writeKind(&doc, crd, version))
		}
	}
	return doc.String(), errors.Join(errs...)
}

func writeKind(doc *strings.Builder, crd apiextensions.CustomResourceDefinition, version apiextensions.CustomResourceDefinitionVersion) error {
	root := version.Schema.OpenAPIV3Schema
	names := crd.Spec.Names
	fmt.Fprintf(doc, "\n## %s\n\n%s\n\n", names.Kind, oneLine(root.Description))
	fmt.Fprintf(doc, "`%s/%s`, plural `%s`, short `%s`.\n", crd.Spec.Group, version.Name, names.Plural, strings.Join(names.ShortNames, "`, `"))
	for i, rule := range root.XValidations {
		if i == 0 {
			doc.WriteString("\n")
		}
		fmt.Fprintf(doc, "- %s.\n", rule.Message)
	}
	writeColumns(doc, version.AdditionalPrinterColumns)

	var errs []error
	if spec, ok := root.Properties["spec"]; ok {
		fields := fieldsOf("spec", spec)
		errs = append(errs, requireImpacts(names.Kind, fields))
		doc.WriteString("\n### spec\n\n| field | type | meaning | a change |\n| --- | --- | --- | --- |\n")
		for _, f := range fields {
			fmt.Fprintf(doc, "| `%s` | %s | %s | %s |\n", f.path, f.kind, f.meaning, f.impact)
		}
	}
	if status, ok := root.Properties["status"]; ok {
		doc.WriteString("\n### status\n\n| field | type | meaning |\n| --- | --- | --- |\n")
		for _, f := range fieldsOf("status", status) {
			fmt.Fprintf(doc, "| `%s` | %s | %s |\n", f.path, f.kind, f.meaning)
		}
	}
	return errors.Join(errs...)
}

func writeColumns(doc *strings.Builder, columns []apiextensions.CustomResourceColumnDefinition) {
	doc.WriteString("\n| column | shows |\n| --- | --- |\n")
	for _, column := range columns {
		wide := ""
		if column.Priority > 0 {
			wide = " (`-o wide`)"
		}
		fmt.Fprintf(doc, "| %s | `%s`%s |\n", strings.ToUpper(column.Name), strings.TrimPrefix(column.JSONPath, "."), wide)
	}
}

// requireImpacts holds every field of a spec to saying what changing it does.
func requireImpacts(kind string, fields []documented) error {
	var errs []error
	for _, f := range fields {
		if f.impact == "" {
			errs = append(errs, fmt.Errorf("%s: %s: the comment has no sentence that begins with %q", kind, f.path, impactMark))
		}
	}
	return errors.Join(errs...)
}

// documented is one row of a table.
type documented struct{ path, kind, meaning, impact string }

// fieldsOf returns the fields below a schema, depth first, by name. What apimachinery defines is not repeated.
func fieldsOf(path string, schema apiextensions.JSONSchemaProps) []documented {
	var fields []documented
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		field := schema.Properties[name]
		row := documented{path: path + "." + name, kind: kindOf(field)}
		row.meaning, row.impact = split(oneLine(field.Description))
		if slices.Contains(schema.Required, name) {
			row.meaning += " Required."
		}
		fields = append(fields, row)
		if isForeign(field) {
			continue
		}
		if field.Items != nil {
			fields = append(fields, fieldsOf(row.path+"[]", *field.Items.Schema)...)
			continue
		}
		fields = append(fields, fieldsOf(row.path, field)...)
	}
	return fields
}

// isForeign reports whether a schema is a label selector or a list of conditions.
func isForeign(schema apiextensions.JSONSchemaProps) bool {
	_, selector := schema.Properties["matchExpressions"]
	condition := false
	if schema.Items != nil {
		_, condition = schema.Items.Schema.Properties["lastTransitionTime"]
	}
	return selector || condition
}

func kindOf(schema apiextensions.JSONSchemaProps) string {
	switch {
	case isForeign(schema) && schema.Items == nil:
		return "label selector"
	case isForeign(schema):
		return "list of conditions"
	case schema.Items != nil:
		return "list of " + kindOf(*schema.Items.Schema)
	case len(schema.Enum) > 0:
		words := make([]string, len(schema.Enum))
		for i, word := range schema.Enum {
			words[i] = strings.Trim(string(word.Raw), `"`)
		}
		return strings.Join(words, ", ")
	case schema.Format == "date-time":
		return "time"
	default:
		return schema.Type
	}
}

// split takes the impact from the end of a description.
func split(description string) (meaning, impact string) {
	meaning, impact, _ = strings.Cut(description, impactMark)
	return strings.TrimSpace(meaning), strings.TrimSuffix(impact, ".")
}

// oneLine joins a description's lines, and keeps it from ending a table's cell.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
