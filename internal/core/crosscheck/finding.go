package crosscheck

import (
	"fmt"
	"slices"
	"strings"

	"go4.org/netipx"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
)

// Finding is one thing to be said about an object.
type Finding struct {
	// Error says what is wrong: its field, the value there, and in the detail what would be right.
	*field.Error
	// Reason is that of the condition that shows the finding; Valid where none does.
	Reason v1alpha1.ConditionReason
	// Warning says that the finding refuses nothing: the object is accepted all the same.
	Warning bool
	// Nodes are those that the finding is about, by name; none where it is about the object itself.
	Nodes []string
	// Addresses are those that the finding is about, in order; none where it is about something else.
	Addresses []netipx.IPRange
	// Rival is the object of the same kind that claims the same, by name; "" unless the reason is Conflict. The older one
	// of the two has the finding as a warning, since it holds.
	Rival string
}

// Text returns the finding as a user reads it: the field, what is wrong there, and on which nodes.
func (f Finding) Text() string {
	if f.Warning {
		return f.Field + ": " + f.Detail + f.where()
	}
	return f.Located().Error()
}

// Located returns the finding as an error whose detail also says on which nodes.
func (f Finding) Located() *field.Error {
	located := *f.Error
	located.Detail += f.where()
	return &located
}

func (f Finding) where() string {
	if len(f.Nodes) == 0 {
		return ""
	}
	return " (on " + some(f.Nodes) + ")"
}

// maxNamed is how many things a text names before it only counts the rest.
const maxNamed = 3

// some names the first of a list that is not empty, and counts the others.
func some[T ~string](all []T) string {
	named := make([]string, 0, maxNamed)
	for _, one := range all[:min(len(all), maxNamed)] {
		named = append(named, string(one))
	}
	switch rest := len(all) - len(named); {
	case rest > 0:
		return fmt.Sprintf("%s and %d more", strings.Join(named, ", "), rest)
	case len(named) == 1:
		return named[0]
	default:
		last := len(named) - 1
		return strings.Join(named[:last], ", ") + " and " + named[last]
	}
}

// Worse returns the findings after a change that were not there before it, or are about more nodes or addresses than
// before, and apart from them the rest. A finding stays itself when the entry of a list that it is about moves.
func Worse(before, after []Finding) (worse, rest []Finding) {
	known := known{findings: map[identity][]Finding{}, excuses: map[string]int{}}
	for _, f := range before {
		known.findings[f.identity()] = append(known.findings[f.identity()], f)
		known.excuses[f.said()]++
	}
	for _, f := range after {
		if known.excuse(f) {
			rest = append(rest, f)
			continue
		}
		worse = append(worse, f)
	}
	return worse, rest
}

// known is what was found before a change.
type known struct {
	findings map[identity][]Finding
	// excuses counts the findings by what they say: each excuses one of its kind.
	excuses map[string]int
}

func (k known) excuse(f Finding) bool {
	nodes := map[string]bool{}
	var newly netipx.IPSetBuilder
	for _, r := range f.Addresses {
		newly.AddRange(r)
	}
	for _, earlier := range k.findings[f.identity()] {
		if len(f.Addresses) == 0 && earlier.said() != f.said() {
			continue
		}
		for _, node := range earlier.Nodes {
			nodes[node] = true
		}
		for _, r := range earlier.Addresses {
			newly.RemoveRange(r)
		}
	}
	if slices.ContainsFunc(f.Nodes, func(node string) bool { return !nodes[node] }) {
		return false
	}
	if len(f.Addresses) > 0 {
		return len(setOf(&newly).Ranges()) == 0
	}
	k.excuses[f.said()]--
	return k.excuses[f.said()] >= 0
}

// identity is what two findings about the same have in common.
type identity struct {
	kind    field.ErrorType
	field   string
	reason  v1alpha1.ConditionReason
	warning bool
}

func (f Finding) identity() identity {
	return identity{f.Type, withoutIndices(f.Field), f.Reason, f.Warning}
}

// said is all that a finding says, but for its place in a list and the nodes.
func (f Finding) said() string {
	return fmt.Sprintf("%v %s", f.identity(), f.ErrorBody())
}

// withoutIndices returns a path without the places in lists and the keys of maps.
func withoutIndices(path string) string {
	var bare strings.Builder
	for {
		before, rest, found := strings.Cut(path, "[")
		bare.WriteString(before)
		if !found {
			return bare.String()
		}
		_, path, _ = strings.Cut(rest, "]")
	}
}
