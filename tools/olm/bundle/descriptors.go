package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// owned returns the kinds, which config/olm's ClusterServiceVersion names, with the descriptors of their fields.
func (in *manifests) owned(csv *unstructured.Unstructured) (any, error) {
	entries, _, err := unstructured.NestedSlice(csv.Object, "spec", "customresourcedefinitions", "owned")
	if err != nil {
		return nil, fmt.Errorf("read config/olm's ClusterServiceVersion: %w", err)
	}
	described := map[string]map[string]any{}
	for _, entry := range entries {
		if kind, ok := entry.(map[string]any); ok {
			described[fmt.Sprint(kind["name"])] = kind
		}
	}
	for _, object := range in.crds {
		crd, err := definition(object)
		if err != nil {
			return nil, err
		}
		kind := described[crd.Name]
		if kind == nil {
			return nil, fmt.Errorf("config/olm's ClusterServiceVersion says nothing of %s in spec.customresourcedefinitions.owned", crd.Name)
		}
		if len(crd.Spec.Versions) != 1 {
			return nil, fmt.Errorf("%s has %d versions, and this knows what to say of one", crd.Name, len(crd.Spec.Versions))
		}
		version := crd.Spec.Versions[0]
		kind["version"], kind["kind"] = version.Name, crd.Spec.Names.Kind
		for part, list := range map[string]string{"spec": "specDescriptors", "status": "statusDescriptors"} {
			if schema, ok := version.Schema.OpenAPIV3Schema.Properties[part]; ok {
				kind[list] = descriptors(schema.Properties)
			}
		}
		delete(described, crd.Name)
	}
	for name := range described {
		return nil, fmt.Errorf("config/olm's ClusterServiceVersion tells of %s, and there is no such CustomResourceDefinition", name)
	}
	return entries, nil
}

// descriptors describes fields to consoles.
func descriptors(fields map[string]apiextensionsv1.JSONSchemaProps) []any {
	var list []any
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field := fields[name]
		descriptor := map[string]any{"path": name, "displayName": displayName(name), "description": brief(field.Description)}
		if hints := hintsFor(name, field); len(hints) > 0 {
			descriptor["x-descriptors"] = hints
		}
		list = append(list, descriptor)
	}
	return list
}

// hintsFor returns how a console is to show a field.
func hintsFor(name string, field apiextensionsv1.JSONSchemaProps) []any {
	const ui = "urn:alm:descriptor:com.tectonic.ui:"
	switch {
	case name == "conditions":
		return []any{"urn:alm:descriptor:io.kubernetes.conditions"}
	case len(field.Enum) > 0:
		var choices []any
		for _, value := range field.Enum {
			choices = append(choices, ui+"select:"+strings.Trim(string(value.Raw), `"`))
		}
		return choices
	case field.Type == "integer":
		return []any{ui + "number"}
	case field.Type == "string":
		return []any{ui + "text"}
	}
	return nil
}

// displayName is the name of a field in words: Local AS Number for localASNumber.
func displayName(field string) string {
	letters := []rune(field)
	var words []string
	start := 0
	for i := 1; i < len(letters); i++ {
		next := i + 1
		// The s of a plural belongs to the abbreviation before: cluster IPs.
		plural := next < len(letters) && letters[next] == 's' && (next+1 == len(letters) || unicode.IsUpper(letters[next+1]))
		last := next < len(letters) && unicode.IsLower(letters[next]) && unicode.IsUpper(letters[i-1]) && !plural
		if unicode.IsUpper(letters[i]) && (!unicode.IsUpper(letters[i-1]) || last) {
			words = append(words, word(string(letters[start:i])))
			start = i
		}
	}
	return strings.Join(append(words, word(string(letters[start:]))), " ")
}

// word writes a part of a field's name as people do.
func word(part string) string {
	switch strings.ToLower(part) {
	case "as", "bfd", "ip", "id", "ttl":
		return strings.ToUpper(part)
	case "ebgp":
		return "eBGP"
	case "ipv4", "ipv6":
		return "IPv" + part[3:]
	case "cidr":
		return "CIDR"
	}
	return strings.ToUpper(part[:1]) + part[1:]
}

// longest is how long a description may be, unless its first sentence is longer.
const longest = 240

// brief returns the first sentences of a description, as many as are not too long.
func brief(description string) string {
	text := strings.Join(strings.Fields(description), " ")
	short := ""
	for _, end := range regexp.MustCompile(`\. [A-Z]|\.$`).FindAllStringIndex(text, -1) {
		if short != "" && end[0] >= longest {
			break
		}
		short = text[:end[0]+1]
	}
	return short
}
