package validate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Findings are what is to be said about an object.
type Findings struct {
	// Errors are broken rules: such an object is refused, and left out where it got in all the same.
	Errors field.ErrorList
	// Warnings are about what is allowed, but hardly meant.
	Warnings []string
}

// asTrans stands for a four-byte AS number towards old speakers (RFC 6793, section 4.2.3): nobody's own.
const asTrans = 23456

func (f *Findings) fail(path *field.Path, value any, detail string) {
	f.Errors = append(f.Errors, field.Invalid(path, value, detail))
}

func (f *Findings) require(path *field.Path, detail string) {
	f.Errors = append(f.Errors, field.Required(path, detail))
}

func (f *Findings) forbid(path *field.Path, detail string) {
	f.Errors = append(f.Errors, field.Forbidden(path, detail))
}

func (f *Findings) warn(path *field.Path, format string, args ...any) {
	f.Warnings = append(f.Warnings, path.String()+": "+fmt.Sprintf(format, args...))
}

// within checks a number that is set.
func within[N int32 | int64](f *Findings, path *field.Path, value, lowest, highest N) {
	if value < lowest || value > highest {
		f.fail(path, value, fmt.Sprintf("must be %d to %d", lowest, highest))
	}
}

// optional checks a number whose zero stands for its absence.
func optional[N int32 | int64](f *Findings, path *field.Path, value, lowest, highest N) {
	if value != 0 {
		within(f, path, value, lowest, highest)
	}
}

// oneOf checks an enumeration whose zero stands for its absence.
func oneOf[S ~string](f *Findings, path *field.Path, value S, allowed ...S) {
	if value != "" && !slices.Contains(allowed, value) {
		f.Errors = append(f.Errors, field.NotSupported(path, value, allowed))
	}
}

// asNumber checks an AS number that is set; whose says which one is right instead of a reserved one.
func (f *Findings) asNumber(path *field.Path, value int64, whose string) {
	within(f, path, value, 1, math.MaxUint32)
	if value == asTrans {
		f.fail(path, value, fmt.Sprintf("%s must not be 23456 (AS_TRANS), which RFC 6793 reserves: use %s", lastName(path), whose))
	}
}

func (f *Findings) selector(path *field.Path, selector *metav1.LabelSelector) {
	options := metav1validation.LabelSelectorValidationOptions{}
	f.Errors = append(f.Errors, metav1validation.ValidateLabelSelector(selector, options, path)...)
}

// lastName returns the name of the field that a path ends in.
func lastName(path *field.Path) string {
	text := path.String()
	return text[strings.LastIndexByte(text, '.')+1:]
}

// inOrder sorts the errors by field, so that the same object always gets the same text.
func (f Findings) inOrder() Findings {
	slices.SortStableFunc(f.Errors, func(a, b *field.Error) int { return cmp.Compare(a.Field, b.Field) })
	return f
}
