package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed types.yaml
var typesFile []byte

// A value is one entry of values.yaml, or a group of them.
type value struct {
	name, path, comment string
	// Of a value:
	schema   map[string]any
	fallback *yaml.Node
	// Of a group:
	members []value
}

// describe writes the schema of a chart's values, and its README with their table.
func describe(chart string, files map[string]string) error {
	file, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return err
	}
	values, err := readValues(file)
	if err != nil {
		return fmt.Errorf("read values.yaml: %w", err)
	}
	if files["values.schema.json"], err = schemaFile(values); err != nil {
		return err
	}
	readme, err := os.ReadFile(filepath.Join(chart, "README.md"))
	if err != nil {
		return err
	}
	files["README.md"], err = withTable(string(readme), values)
	return err
}

// versioned writes Chart.yaml with the version of the tree, which config/version says.
func versioned(checkout string, files map[string]string) error {
	source := filepath.Join(checkout, "config", "version", "kustomization.yaml")
	component, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	tag := regexp.MustCompile(`(?m)^ *newTag: v(\S+)$`).FindSubmatch(component)
	if tag == nil {
		return fmt.Errorf("%s has no newTag such as v0.1.0", source)
	}
	chart, err := os.ReadFile(filepath.Join(checkout, "charts", "herald", "Chart.yaml"))
	if err != nil {
		return err
	}
	files["Chart.yaml"] = regexp.MustCompile(`(?m)^(version: |appVersion: v)\S+$`).ReplaceAllString(string(chart), "${1}"+string(tag[1]))
	return nil
}

// readValues joins the values with their types. Each has to have a type and a comment, and each type a value.
func readValues(file []byte) ([]value, error) {
	var types map[string]map[string]any
	if err := yaml.Unmarshal(typesFile, &types); err != nil {
		return nil, fmt.Errorf("read their types: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err != nil {
		return nil, err
	}
	values, err := members("", document.Content[0], types)
	for path := range types {
		err = errors.Join(err, fmt.Errorf("%s has a type, but is no value", path))
	}
	return values, err
}

// members returns the members of a mapping, and takes their types out of those that are given.
func members(path string, mapping *yaml.Node, types map[string]map[string]any) ([]value, error) {
	var (
		values []value
		errs   []error
	)
	for i := 0; i < len(mapping.Content); i += 2 {
		key, node := mapping.Content[i], mapping.Content[i+1]
		v := value{name: key.Value, path: strings.TrimPrefix(path+"."+key.Value, "."), comment: comment(key.HeadComment), fallback: node}
		if v.comment == "" {
			errs = append(errs, fmt.Errorf("%s has no comment that says what it is", v.path))
		}
		switch schema, typed := types[v.path]; {
		case typed:
			v.schema = schema
			delete(types, v.path)
		case node.Kind == yaml.MappingNode && len(node.Content) > 0:
			inner, err := members(v.path, node, types)
			v.members, errs = inner, append(errs, err)
		default:
			errs = append(errs, fmt.Errorf("%s has no type in tools/chart/types.yaml", v.path))
		}
		values = append(values, v)
	}
	return values, errors.Join(errs...)
}

// comment returns the paragraph right above an entry as one line.
func comment(head string) string {
	paragraphs := strings.Split(head, "\n\n")
	lines := strings.Split(paragraphs[len(paragraphs)-1], "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(line, "#"), " ")
	}
	return strings.Join(lines, " ")
}

// schemaFile returns the schema of the values: nothing that is not among them may be set.
func schemaFile(values []value) (string, error) {
	schema := object(values)
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["title"] = "Values of the chart herald"
	properties, _ := schema["properties"].(map[string]any)
	// What Helm puts beside the values of a chart that another one depends on.
	properties["global"] = map[string]any{"type": "object", "description": "Values that all charts of a release see. Herald reads none."}
	properties["enabled"] = map[string]any{"type": "boolean", "description": "For a chart that depends on this one on a condition."}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(schema)
	return out.String(), err
}

// object returns the schema of a group.
func object(values []value) map[string]any {
	properties := map[string]any{}
	for _, v := range values {
		schema := v.schema
		if v.members != nil {
			schema = object(v.members)
		}
		described := map[string]any{"description": v.comment}
		maps.Copy(described, schema)
		properties[v.name] = described
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

// The lines of README.md between which the table stands.
const tableStart, tableEnd = "<!-- values: make generate writes this table -->\n", "<!-- end of values -->\n"

// withTable returns the README with a table of the values.
func withTable(readme string, values []value) (string, error) {
	before, rest, ok := strings.Cut(readme, tableStart)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		return "", fmt.Errorf("README.md has no place for the table: want the lines %q and %q", tableStart, tableEnd)
	}
	var table strings.Builder
	table.WriteString("\n| value | default | what it is |\n| --- | --- | --- |\n")
	if err := rows(&table, values); err != nil {
		return "", err
	}
	table.WriteString("\n")
	return before + tableStart + table.String() + tableEnd + after, nil
}

// rows writes a row for each value, under one for its group.
func rows(table *strings.Builder, values []value) error {
	for _, v := range values {
		text := strings.ReplaceAll(v.comment, "|", `\|`)
		if v.members != nil {
			fmt.Fprintf(table, "| **%s** | | %s |\n", v.path, text)
			if err := rows(table, v.members); err != nil {
				return err
			}
			continue
		}
		var fallback any
		if err := v.fallback.Decode(&fallback); err != nil {
			return err
		}
		inline, err := json.Marshal(fallback)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "| `%s` | `%s` | %s |\n", v.path, inline, text)
	}
	return nil
}
