package main

import (
	"fmt"
	"maps"
	"slices"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// schemas compares two schemas of the same field.
type schemas struct {
	// path is the field's, such as spec.export[].prefixes.
	path     string
	problems *[]string
}

func (s schemas) say(format string, args ...any) {
	*s.problems = append(*s.problems, s.path+": "+fmt.Sprintf(format, args...))
}

// at returns the comparison of a field inside.
func (s schemas) at(name string) schemas {
	if s.path != "" && name != "[]" {
		name = "." + name
	}
	return schemas{path: s.path + name, problems: s.problems}
}

// compare finds what was accepted before and would not be now, or would lose something.
func (s schemas) compare(was, is *apiextensions.JSONSchemaProps) {
	s.compareKind(was, is)
	s.compareValues(was, is)
	s.compareSizes(was, is)
	for _, name := range is.Required {
		if !slices.Contains(was.Required, name) {
			s.at(name).say("is required now")
		}
	}
	for _, rule := range is.XValidations {
		known := slices.ContainsFunc(was.XValidations, func(r apiextensions.ValidationRule) bool { return r.Rule == rule.Rule })
		if !known {
			s.say("has a new rule: %s", rule.Rule)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was.Properties)) {
		before, now := was.Properties[name], is.Properties[name]
		if _, found := is.Properties[name]; !found {
			s.at(name).say("is gone: what is stored there would be dropped")
			continue
		}
		s.at(name).compare(&before, &now)
	}
	if was.Items != nil && was.Items.Schema != nil && is.Items != nil && is.Items.Schema != nil {
		s.at("[]").compare(was.Items.Schema, is.Items.Schema)
	}
	if was.AdditionalProperties != nil && is.AdditionalProperties == nil {
		s.say("takes no keys of one's own any more: those that are stored would be dropped")
	}
	if was.AdditionalProperties != nil && is.AdditionalProperties != nil && was.AdditionalProperties.Schema != nil && is.AdditionalProperties.Schema != nil {
		s.at("*").compare(was.AdditionalProperties.Schema, is.AdditionalProperties.Schema)
	}
}

// compareKind compares what kind of value a field has, and how changes of it are merged.
func (s schemas) compareKind(was, is *apiextensions.JSONSchemaProps) {
	if was.Type != is.Type || was.Format != is.Format {
		s.say("was a %s %s, is a %s %s", was.Type, was.Format, is.Type, is.Format)
	}
	if was.Nullable && !is.Nullable {
		s.say("may not be null any more")
	}
	if was.XIntOrString && !is.XIntOrString {
		s.say("was a number or a string")
	}
	if value(was.XPreserveUnknownFields) && !value(is.XPreserveUnknownFields) {
		s.say("kept unknown fields")
	}
	if value(was.XListType) != value(is.XListType) || !slices.Equal(was.XListMapKeys, is.XListMapKeys) {
		s.say("was a list of type %q by %q, is one of type %q by %q", value(was.XListType), was.XListMapKeys, value(is.XListType), is.XListMapKeys)
	}
	if value(was.XMapType) != value(is.XMapType) {
		s.say("was a map of type %q, is one of type %q", value(was.XMapType), value(is.XMapType))
	}
}

// compareValues compares which values are allowed.
func (s schemas) compareValues(was, is *apiextensions.JSONSchemaProps) {
	if len(is.Enum) > 0 {
		if len(was.Enum) == 0 {
			s.say("took any value, takes one of %d", len(is.Enum))
		}
		for _, old := range was.Enum {
			if !slices.ContainsFunc(is.Enum, func(v apiextensions.JSON) bool { return string(v.Raw) == string(old.Raw) }) {
				s.say("does not take %s any more", old.Raw)
			}
		}
	}
	if is.Pattern != "" && is.Pattern != was.Pattern {
		s.say("had the pattern %q, has %q", was.Pattern, is.Pattern)
	}
	if tighter(is.Maximum, was.Maximum) || is.ExclusiveMaximum && !was.ExclusiveMaximum {
		s.say("had the maximum %s, has %s", text(was.Maximum), text(is.Maximum))
	}
	if is.Minimum != nil && (was.Minimum == nil || *is.Minimum > *was.Minimum) || is.ExclusiveMinimum && !was.ExclusiveMinimum {
		s.say("had the minimum %s, has %s", text(was.Minimum), text(is.Minimum))
	}
}

// compareSizes compares how long and how many values may be.
func (s schemas) compareSizes(was, is *apiextensions.JSONSchemaProps) {
	for _, limit := range []struct {
		name    string
		was, is *int64
	}{
		{"length", was.MaxLength, is.MaxLength},
		{"number of items", was.MaxItems, is.MaxItems},
		{"number of properties", was.MaxProperties, is.MaxProperties},
	} {
		if tighter(limit.is, limit.was) {
			s.say("had the greatest %s %s, has %s", limit.name, text(limit.was), text(limit.is))
		}
	}
	for _, limit := range []struct {
		name    string
		was, is *int64
	}{
		{"length", was.MinLength, is.MinLength},
		{"number of items", was.MinItems, is.MinItems},
		{"number of properties", was.MinProperties, is.MinProperties},
	} {
		if limit.is != nil && value(limit.is) > value(limit.was) {
			s.say("had the least %s %s, has %s", limit.name, text(limit.was), text(limit.is))
		}
	}
}

// tighter reports whether an upper limit is below another; nil is no limit.
func tighter[T int64 | float64](is, was *T) bool {
	return is != nil && (was == nil || *is < *was)
}

func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

func text[T any](p *T) string {
	if p == nil {
		return "none"
	}
	return fmt.Sprint(*p)
}
