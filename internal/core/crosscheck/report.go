package crosscheck

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/validate"
)

// report gathers what is found about one object.
type report []Finding

func (r *report) add(f Finding) { *r = append(*r, f) }

// invalid adds errors of the object itself.
func (r *report) invalid(reason v1alpha1.ConditionReason, errs field.ErrorList) {
	for _, err := range errs {
		r.add(Finding{Error: err, Reason: reason})
	}
}

// warn adds a warning; reason is that of the condition that shows it.
func (r *report) warn(reason v1alpha1.ConditionReason, err *field.Error) {
	r.add(Finding{Error: err, Reason: reason, Warning: true})
}

// validated adds what the object alone tells.
func (r *report) validated(found validate.Findings) {
	r.invalid(v1alpha1.ReasonInvalid, found.Errors)
	for _, text := range found.Warnings {
		path, detail, _ := strings.Cut(text, ": ")
		err := &field.Error{Type: field.ErrorTypeInvalid, Field: path, BadValue: field.OmitValueType{}, Detail: detail}
		r.warn(v1alpha1.ReasonValid, err)
	}
}

// has reports whether an error of a field is there already, in the same words.
func (r *report) has(err *field.Error) bool {
	for _, f := range *r {
		if f.Field == err.Field && f.ErrorBody() == err.ErrorBody() {
			return true
		}
	}
	return false
}
