package envtest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/validate"
)

// change sets fields of an object, by path such as spec.communities[0].name; nil removes one.
type change map[string]any

// rule is one thing that the API server holds objects to, shown by two changes to an object that it accepts.
type rule struct {
	accepts, refuses change
	// says is the whole of what the API server answers to the second: "field: message", one a line.
	says string
	// serverOnly marks a rule that core/validate leaves to the API server: it bounds sizes and list keys, or what the Go
	// type can't hold.
	serverOnly bool
}

// kind is a kind with the rules that its objects are held to.
type kind struct {
	name string
	// base is an object that is accepted, with every field set that can be.
	base  string
	rules map[string]rule
	// validate runs core/validate on an object of the kind.
	validate func(object []byte) (field.ErrorList, error)
}

// kinds returns the kinds that have a spec.
func kinds() []kind { return []kind{configurationKind(), peerKind(), poolKind()} }

func configurationKind() kind {
	return kind{"BGPConfiguration", configurationBase, configurationRules(), validated(validate.Configuration)}
}

func peerKind() kind { return kind{"BGPPeer", peerBase, peerRules(), validated(validate.Peer)} }

func poolKind() kind { return kind{"ExternalIPPool", poolBase, poolRules(), validated(validate.Pool)} }

func validated[T any](check func(*T) validate.Findings) func([]byte) (field.ErrorList, error) {
	return func(text []byte) (field.ErrorList, error) {
		object := new(T)
		if err := json.Unmarshal(text, object); err != nil {
			return nil, err
		}
		return check(object).Errors, nil
	}
}

// expectRule shows a rule of a kind at work, in the API server and in core/validate.
func (s *suite) expectRule(t *testing.T, k kind, r rule) {
	t.Helper()
	good, bad := k.object(t, r.accepts), k.object(t, r.refuses)
	if answer := s.dryRun(t, good); len(answer) > 0 {
		t.Errorf("refuses %v: %v", r.accepts, answer)
	}
	if errs := k.faults(t, good); len(errs) > 0 {
		t.Errorf("core/validate refuses %v: %v", r.accepts, errs)
	}
	if answer := strings.Join(s.dryRun(t, bad), "\n"); answer != r.says {
		t.Errorf("on %v says\n%s\nwant\n%s", r.refuses, answer, r.says)
	}
	if !r.serverOnly {
		k.expectSameFault(t, bad, r.says)
	}
}

// expectSameFault checks that core/validate finds the same field at fault, and, where CEL has the rule, in the same words.
func (k kind) expectSameFault(t *testing.T, object *unstructured.Unstructured, says string) {
	t.Helper()
	errs := k.faults(t, object)
	if len(errs) != 1 {
		t.Errorf("core/validate finds %d faults, want one: %v", len(errs), errs)
		return
	}
	where, what, _ := strings.Cut(says, ": ")
	if errs[0].Field != where {
		t.Errorf("core/validate finds fault with %s, the API server with %s", errs[0].Field, where)
	}
	fromSchema := strings.Contains(what, " in body ") || errs[0].Type == field.ErrorTypeNotSupported
	if !fromSchema && !strings.HasSuffix(what, errs[0].Detail) {
		t.Errorf("core/validate says %q, the API server %q", errs[0].Detail, what)
	}
}

func (k kind) faults(t *testing.T, object *unstructured.Unstructured) field.ErrorList {
	t.Helper()
	text, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := k.validate(text)
	if err != nil {
		t.Fatal(err)
	}
	return errs
}

// unchecked is what the API server adds where the schema already found fault with an object, and CEL was left out.
const unchecked = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"

// dryRun asks the API server to create an object without keeping it, and returns what it objects to.
func (s *suite) dryRun(t *testing.T, object *unstructured.Unstructured) []string {
	t.Helper()
	err := s.client.Create(t.Context(), object.DeepCopy(), client.DryRunAll)
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &status) || status.Status().Reason != metav1.StatusReasonInvalid:
		t.Fatalf("not a refusal: %v", err)
	}
	var answer []string
	for _, cause := range status.Status().Details.Causes {
		if strings.HasSuffix(cause.Message, unchecked) {
			continue
		}
		answer = append(answer, cause.Field+": "+cause.Message)
	}
	return answer
}

// object returns the kind's base with changes.
func (k kind) object(t *testing.T, c change) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	header := fmt.Sprintf("apiVersion: %s\nkind: %s\n", v1alpha1.GroupVersion, k.name)
	if err := yaml.Unmarshal([]byte(header+k.base), object); err != nil {
		t.Fatal(err)
	}
	for path, value := range c {
		if err := set(object.Object, steps(path), plain(t, value)); err != nil {
			t.Fatalf("set %s: %v", path, err)
		}
	}
	return object
}

// plain returns a value as JSON would bring it.
func plain(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(map[string]any{"value": value})
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(append([]byte(`{"kind":"Any",`), text[1:]...)); err != nil {
		t.Fatal(err)
	}
	return object.Object["value"]
}

// steps cuts spec.communities[0].name into spec, communities, 0, name.
func steps(path string) []string {
	return regexp.MustCompile(`[^.\[\]]+`).FindAllString(path, -1)
}

// set sets a field below a value, or removes it where it is to be nil. What is above it has to be there.
func set(in any, path []string, value any) error {
	step, last := path[0], len(path) == 1
	switch container := in.(type) {
	case map[string]any:
		switch {
		case last && value == nil:
			delete(container, step)
			return nil
		case last:
			container[step] = value
			return nil
		}
		return set(container[step], path[1:], value)
	case []any:
		index, err := strconv.Atoi(step)
		if err != nil || index >= len(container) {
			return fmt.Errorf("no entry %s of %d", step, len(container))
		}
		if last {
			container[index] = value
			return nil
		}
		return set(container[index], path[1:], value)
	default:
		return fmt.Errorf("%s: nothing to set it in", step)
	}
}

// table collects rules under sentences.
type table map[string]rule

// number adds the two rules that bound a number.
func (t table) number(path string, lowest, highest int64) {
	below, above := lowest-1, highest+1
	t[fmt.Sprintf("%s is at least %d", path, lowest)] = rule{
		accepts: change{path: lowest}, refuses: change{path: below},
		says: fmt.Sprintf("%s: Invalid value: %d: %s in body should be greater than or equal to %d", path, below, path, lowest),
		// The Go type can't tell a zero from an absent field.
		serverOnly: below == 0,
	}
	t[fmt.Sprintf("%s is at most %d", path, highest)] = rule{
		accepts: change{path: highest}, refuses: change{path: above},
		says: fmt.Sprintf("%s: Invalid value: %d: %s in body should be less than or equal to %d", path, above, path, highest),
	}
}

// words adds the rule that a field has one of some words.
func (t table) words(path string, words ...string) {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = strconv.Quote(word)
	}
	for _, word := range words {
		t[path+" may be "+word] = rule{
			accepts: change{path: word}, refuses: change{path: strings.ToUpper(word) + "!"},
			says: fmt.Sprintf("%s: Unsupported value: %q: supported values: %s", path, strings.ToUpper(word)+"!", strings.Join(quoted, ", ")),
		}
	}
}

// atMost adds the rule that bounds a list; entry makes entries that differ.
func (t table) atMost(path string, most int, entry func(i int) any) {
	entries := func(n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = entry(i)
		}
		return list
	}
	t[fmt.Sprintf("%s has at most %d entries", path, most)] = rule{
		accepts: change{path: entries(most)}, refuses: change{path: entries(most + 1)},
		says:       fmt.Sprintf("%s: Too many: %d: must have at most %d items", path, most+1, most),
		serverOnly: true,
	}
}

// longest adds the rule that bounds a text; text makes one of a length.
func (t table) longest(path string, most int, text func(length int) string) {
	t[fmt.Sprintf("%s has at most %d characters", path, most)] = rule{
		accepts: change{path: text(most)}, refuses: change{path: text(most + 1)},
		says:       fmt.Sprintf("%s: Too long: may not be more than %d bytes", path, most),
		serverOnly: true,
	}
}

// selector adds the rules of a label selector.
func (t table) selector(path string) {
	labels, expressions := change{}, []any{}
	for i := range 65 {
		labels["label-"+strconv.Itoa(i)] = "a"
		expressions = append(expressions, change{"key": "label-" + strconv.Itoa(i), "operator": "Exists"})
	}
	name := path[strings.LastIndexByte(path, '.')+1:]
	fewer := change{}
	for label, value := range labels {
		if label != "label-64" {
			fewer[label] = value
		}
	}
	t[path+" has at most 64 labels"] = rule{
		accepts: change{path: change{"matchLabels": fewer}}, refuses: change{path: change{"matchLabels": labels}},
		says:       path + ": Invalid value: " + name + ".matchLabels must have at most 64 entries",
		serverOnly: true,
	}
	t[path+" has at most 64 expressions"] = rule{
		accepts: change{path: change{"matchExpressions": expressions[:64]}}, refuses: change{path: change{"matchExpressions": expressions}},
		says:       path + ": Invalid value: " + name + ".matchExpressions must have at most 64 entries",
		serverOnly: true,
	}
}
