package status

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/wording"
)

// identified is a node under its router ID.
type identified struct {
	id, node string
	holds    bool
}

// sharedRouterIDs finds the router IDs that several nodes in service report, where the configuration holds on one of them: a
// router takes sessions with one ID for one speaker's. What was found before is not said again.
func (s scope) sharedRouterIDs(nodes []Node, found []crosscheck.Finding) []crosscheck.Finding {
	ids := make([]identified, 0, len(nodes))
	for i := range nodes {
		node := &nodes[i]
		if node.reports() && node.Report.RouterID != "" && !node.Node.IsOutOfService() {
			ids = append(ids, identified{node.Report.RouterID, node.Node.Name, s.holds(&node.Node)})
		}
	}
	slices.SortFunc(ids, func(a, b identified) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.node, b.node)) })
	known := withReason(found, v1alpha1.ReasonRouterIDConflict)
	var shared []crosscheck.Finding
	for start := 0; start < len(ids); {
		end := start + 1
		for end < len(ids) && ids[end].id == ids[start].id {
			end++
		}
		group := ids[start:end]
		if len(group) > 1 && slices.ContainsFunc(group, func(i identified) bool { return i.holds }) && !isKnown(known, group) {
			shared = append(shared, sharedRouterID(group))
		}
		start = end
	}
	return shared
}

// isKnown tells whether a finding is about all nodes of a group.
func isKnown(found []crosscheck.Finding, group []identified) bool {
	return slices.ContainsFunc(found, func(f crosscheck.Finding) bool {
		return !slices.ContainsFunc(group, func(i identified) bool { return !slices.Contains(f.Nodes, i.node) })
	})
}

func sharedRouterID(group []identified) crosscheck.Finding {
	names := make([]string, len(group))
	for i := range group {
		names[i] = group[i].node
	}
	return crosscheck.Finding{
		Error: field.Invalid(field.NewPath("spec", "routerID"), group[0].id,
			wording.Nodes(names)+" have the same router ID: give each of them its own in an overlay"),
		Reason: v1alpha1.ReasonRouterIDConflict,
	}
}
