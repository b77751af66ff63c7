package envtest_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/test/lab/checkout"
)

// schemas returns the schema of each kind, from the CRDs as they are shipped.
func schemas(t *testing.T) map[string]apiextensions.JSONSchemaProps {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root, err := checkout.Root(wd)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) != 4 {
		t.Fatalf("want the CRDs of four kinds: %v, %v", files, err)
	}
	found := map[string]apiextensions.JSONSchemaProps{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensions.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &crd); err != nil {
			t.Fatal(err)
		}
		found[crd.Spec.Names.Kind] = *crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	}
	return found
}

// walk calls visit for a schema and all that is below it. What apimachinery defines, label selectors and conditions, is
// visited but not entered.
func walk(path string, schema apiextensions.JSONSchemaProps, visit func(path string, schema apiextensions.JSONSchemaProps)) {
	visit(path, schema)
	_, isSelector := schema.Properties["matchExpressions"]
	_, isCondition := schema.Properties["lastTransitionTime"]
	if isSelector || isCondition {
		return
	}
	if schema.Items != nil {
		walk(path+"[]", *schema.Items.Schema, visit)
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		walk(strings.TrimPrefix(path+"."+name, "."), schema.Properties[name], visit)
	}
}

// TestHouseRules holds the CRDs to what all of the API keeps to: absence stays absence, everything can grow, and nothing
// grows without bound.
func TestHouseRules(t *testing.T) {
	for kind, schema := range schemas(t) {
		walk("", schema, func(path string, schema apiextensions.JSONSchemaProps) {
			complain := func(what string) { t.Errorf("%s: %s %s", kind, path, what) }
			_, isSelector := schema.Properties["matchExpressions"]
			switch {
			case schema.Default != nil:
				complain("has a default, which overlays would take for what the user said")
			case schema.AdditionalProperties != nil && !isSelector:
				complain("is a map")
			case schema.Type == "boolean" && path != "status.truncated":
				complain("is a boolean")
			case schema.Type == "number" || schema.Format == "duration":
				complain("is a fraction or a duration")
			case schema.Type == "array" && schema.MaxItems == nil:
				complain("is a list without bound")
			case schema.Type == "array" && schema.XListType == nil:
				complain("is a list without a type")
			case schema.Type == "string" && !isBounded(path, schema):
				complain("is a text without bound")
			case schema.Description == "" && !isMeta(path) && !strings.HasSuffix(path, "[]"):
				complain("has no description")
			}
		})
	}
}

func isBounded(path string, schema apiextensions.JSONSchemaProps) bool {
	return isMeta(path) || schema.MaxLength != nil || len(schema.Enum) > 0 || schema.Format == "date-time"
}

// isMeta reports whether a path is what every object has.
func isMeta(path string) bool {
	return slices.Contains([]string{"apiVersion", "kind", "metadata"}, path)
}

// TestEveryRuleIsShown counts the rules in the CRDs against the rows that show one refusing an object: every CEL rule
// anywhere, and every bound in a spec.
func TestEveryRuleIsShown(t *testing.T) {
	shown := map[string][]string{}
	for _, k := range kinds() {
		for _, r := range k.rules {
			says := regexp.MustCompile(`\[\d+\]`).ReplaceAllString(r.says, "[]")
			shown[k.name] = append(shown[k.name], strings.Split(says, "\n")...)
		}
	}
	rules := 0
	for kind, schema := range schemas(t) {
		walk("", schema, func(path string, schema apiextensions.JSONSchemaProps) {
			for _, answer := range answers(path, schema) {
				rules++
				if !slices.ContainsFunc(shown[kind], answer.matches) {
					t.Errorf("%s: no row shows that the API server refuses %s with %q", kind, answer.field, answer.text)
				}
			}
		})
	}
	if rules < 100 {
		t.Errorf("found %d rules in the CRDs, which can't be all", rules)
	}
}

// answer is what a refusal has to look like: its field, and a text in its message.
type answer struct{ field, text string }

func (a answer) matches(says string) bool {
	rest, found := strings.CutPrefix(says, a.field+": ")
	return found && strings.Contains(rest, a.text)
}

// answers returns what the API server says where the rules of a schema are broken.
func answers(path string, schema apiextensions.JSONSchemaProps) []answer {
	var expected []answer
	for _, rule := range schema.XValidations {
		field := strings.TrimPrefix(path+rule.FieldPath, ".")
		expected = append(expected, answer{field, rule.Message})
	}
	if path != "spec" && !strings.HasPrefix(path, "spec.") {
		return expected
	}
	add := func(field string, isRule bool, format string, args ...any) {
		if isRule {
			expected = append(expected, answer{field, fmt.Sprintf(format, args...)})
		}
	}
	if schema.Minimum != nil {
		add(path, true, "should be greater than or equal to %d", int64(*schema.Minimum))
	}
	if schema.Maximum != nil {
		add(path, true, "should be less than or equal to %d", int64(*schema.Maximum))
	}
	if schema.MaxLength != nil {
		add(path, true, "may not be more than %d bytes", *schema.MaxLength)
	}
	if schema.MinLength != nil {
		add(path, true, "should be at least %d chars long", *schema.MinLength)
	}
	if schema.MaxItems != nil {
		add(path, true, "must have at most %d items", *schema.MaxItems)
	}
	if schema.MinItems != nil {
		add(path, true, "should have at least %d items", *schema.MinItems)
	}
	add(path, len(schema.Enum) > 0, "Unsupported value")
	add(path+"[]", schema.XListType != nil && *schema.XListType != "atomic", "Duplicate value")
	for _, name := range schema.Required {
		add(path+"."+name, true, "Required value")
	}
	return expected
}
