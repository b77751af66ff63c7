package interop

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/test/lab/router"
)

// document is what the result is written to.
const document = "../../docs/interop.md"

// result is what came of the cells.
type result struct {
	versions map[router.Kind]string

	mu    sync.Mutex
	cells map[string]map[router.Kind]string
}

func newResult() *result {
	return &result{versions: map[router.Kind]string{}, cells: map[string]map[router.Kind]string{}}
}

func (r *result) note(c *cell, verdict string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cells[c.row.name] == nil {
		r.cells[c.row.name] = map[router.Kind]string{}
	}
	r.cells[c.row.name][c.column.kind] = verdict
}

// isWhole says whether every cell has a verdict.
func (r *result) isWhole() bool {
	for _, row := range capabilities {
		if len(r.cells[row.name]) < len(router.Kinds()) {
			return false
		}
	}
	return true
}

const preamble = `# Interoperability

Herald's BGP against four independent implementations. Each cell is a test against the real daemon in [the lab](lab.md):
both sides are configured, and what the daemon and Herald say afterwards is asserted. ` + "`make test-interop`" + ` runs all of them
and fails where this page says something else; ` + "`HERALD_INTEROP_WRITE=1 make test-interop`" + ` writes it. A cell that can't work says
why. How to configure these routers is in [routers.md](routers.md).

`

// render returns the document, and its cells alone: versions may differ from one machine to the next.
func (r *result) render() (whole, cells string) {
	header := "| |"
	for _, kind := range router.Kinds() {
		header += fmt.Sprintf(" %s %s |", (&column{kind: kind}).title(), r.versions[kind])
	}
	var table strings.Builder
	group := ""
	for _, row := range capabilities {
		if row.group != group {
			group = row.group
			fmt.Fprintf(&table, "| **%s** |%s\n", group, strings.Repeat(" |", len(router.Kinds())))
		}
		fmt.Fprintf(&table, "| %s |", row.name)
		for _, kind := range router.Kinds() {
			fmt.Fprintf(&table, " %s |", r.cells[row.name][kind])
		}
		table.WriteString("\n")
	}
	rule := "| --- |" + strings.Repeat(" --- |", len(router.Kinds()))
	return preamble + header + "\n" + rule + "\n" + table.String(), table.String()
}

// compareOrWrite holds the document to the result, or makes it so. A cell that failed is never written.
func (r *result) compareOrWrite(t *testing.T) {
	t.Helper()
	whole, cells := r.render()
	if os.Getenv(writeVariable) != "" {
		if t.Failed() {
			t.Fatal("nothing is written: cells failed")
		}
		must(t, os.WriteFile(document, []byte(whole), 0o644))
		return
	}
	text, err := os.ReadFile(document)
	must(t, err)
	_, rest, _ := strings.Cut(string(text), "| --- |"+strings.Repeat(" --- |", len(router.Kinds()))+"\n")
	if diff := cmp.Diff(rest, cells); diff != "" {
		t.Errorf("docs/interop.md differs from the result (-document +result):\n%s", diff)
	}
}
