// Package admission says what is to be answered to a request: pure functions from the object before and after and the
// cluster that it lives in to a verdict.
//
// Only what a request makes worse is refused. What was wrong before, and what a Node, a Secret or another object has made
// wrong since, is a warning, so that the object stays editable. A request that leaves the spec as it is, or is about an
// object that is being deleted, is let in without a word.
package admission

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/crosscheck"
)

// Verdict is what is to be answered to a request.
type Verdict struct {
	// Errors are what the request is refused for; none where it is let in.
	Errors field.ErrorList
	// Warnings are shown to the user, whether the request is refused or not: each once, and at most MaxWarnings of them,
	// after which a last one counts the others.
	Warnings []string
}

// MaxWarnings is how many warnings a verdict has before it only counts the others.
const MaxWarnings = 12

// judge refuses what was found of the object after the request and not before it, and warns of the rest. A conflict is
// refused to whoever brings it about, also where the object is the older one of the two.
func (v *Verdict) judge(before, after []crosscheck.Finding) {
	worse, rest := crosscheck.Worse(before, after)
	for _, f := range worse {
		if f.Warning && f.Reason != v1alpha1.ReasonConflict {
			v.warn(f.Text())
			continue
		}
		v.Errors = append(v.Errors, f.Located())
	}
	for _, f := range rest {
		v.warn(f.Text())
	}
}

// warnOf warns of what a request brings upon other objects.
func (v *Verdict) warnOf(brought []crosscheck.Brought) {
	for _, b := range brought {
		for _, f := range b.Findings {
			v.warn(fmt.Sprintf("%s %q: %s", b.Object.Kind, b.Object.Name, f.Text()))
		}
	}
}

func (v *Verdict) warn(texts ...string) { v.Warnings = append(v.Warnings, texts...) }

// bounded returns the verdict with each warning once, and no more of them than there may be.
func (v Verdict) bounded() Verdict {
	var kept []string
	seen := map[string]bool{}
	for _, text := range v.Warnings {
		if seen[text] {
			continue
		}
		seen[text] = true
		if len(kept) < MaxWarnings {
			kept = append(kept, text)
		}
	}
	if more := len(seen) - len(kept); more > 0 {
		kept = append(kept, fmt.Sprintf("and %d more warnings", more))
	}
	return Verdict{v.Errors, kept}
}
