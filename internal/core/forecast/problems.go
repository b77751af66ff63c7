package forecast

import (
	"cmp"
	"slices"
	"strings"

	"github.com/herald-network/herald/internal/core/intent"
)

// problems are those that the change brings.
type problems map[identity]*Problem

// identity is what makes two problems the same, whatever the generation of the object, and wherever in a list an entry
// stands.
type identity struct{ kind, name, field, condition, reason, message string }

func identityOf(p intent.Problem) identity {
	return identity{
		kind: p.Object.Kind, name: p.Object.Name, field: withoutIndices(p.Field),
		condition: string(p.Condition), reason: string(p.Reason), message: p.Message,
	}
}

// compare adds the problems that a node has after the change and does not have before it.
func (ps problems) compare(node string, before, after []intent.Problem) {
	for _, p := range after {
		id := identityOf(p)
		if slices.ContainsFunc(before, func(old intent.Problem) bool { return identityOf(old) == id }) {
			continue
		}
		found := ps[id]
		if found == nil {
			found = &Problem{Problem: p}
			ps[id] = found
		}
		if n := len(found.Nodes); n == 0 || found.Nodes[n-1] != node {
			found.Nodes = append(found.Nodes, node)
		}
	}
}

func (ps problems) inOrder() []Problem {
	var all []Problem
	for _, p := range ps {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Object.Kind, b.Object.Kind), cmp.Compare(a.Object.Name, b.Object.Name),
			cmp.Compare(a.Field, b.Field), cmp.Compare(a.Condition, b.Condition),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message),
		)
	})
	return all
}

// withoutIndices returns a field's path without the places in lists: spec.communities[3].name is spec.communities[].name.
func withoutIndices(path string) string {
	before, after, found := strings.Cut(path, "[")
	if !found {
		return path
	}
	return before + "[]" + withoutIndices(strings.TrimLeft(after, "0123456789]"))
}
