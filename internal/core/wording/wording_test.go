package wording_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/wording"
)

func TestNodes(t *testing.T) {
	t.Parallel()
	for want, names := range map[string][]string{
		"no node":                           nil,
		"node-1":                            {"node-1"},
		"node-1 and node-2":                 {"node-1", "node-2"},
		"node-1, node-2 and 1 other node":   {"node-1", "node-2", "node-3"},
		"node-1, node-2 and 2 other nodes":  {"node-1", "node-2", "node-3", "node-4"},
		"node-1, node-2 and 98 other nodes": append([]string{"node-1", "node-2"}, make([]string, 98)...),
	} {
		NewWithT(t).Expect(wording.Nodes(names)).To(Equal(want))
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(wording.Prefixes(strings.Fields("a b c d e"))).To(Equal("a, b, c, d and e"))
	g.Expect(wording.Prefixes(strings.Fields("a b c d e f"))).To(Equal("a, b, c, d, e and 1 other prefix"))
	g.Expect(wording.Prefixes(strings.Fields("a b c d e f g"))).To(Equal("a, b, c, d, e and 2 other prefixes"))
}

func TestSome(t *testing.T) {
	t.Parallel()
	for want, row := range map[string]struct {
		first       []string
		total, room int
	}{
		"a":                 {[]string{"a"}, 1, 0},
		"a and 1 other":     {[]string{"a"}, 2, 0},
		"a, b":              {[]string{"a", "b"}, 2, 4},
		"a and 2 others":    {[]string{"a", "b"}, 3, 15},
		"a, b and 1 other":  {[]string{"a", "b"}, 3, 16},
		"a, b and 9 others": {[]string{"a", "b"}, 11, 99},
		"a, b, c":           {[]string{"a", "b", "c"}, 3, 99},
	} {
		NewWithT(t).Expect(wording.Some(row.first, row.total, row.room)).To(Equal(want))
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(wording.Cut("hold timer", 10)).To(Equal("hold timer"))
	g.Expect(wording.Cut("hold timer expired", 10)).To(Equal("hold ti…"))
	g.Expect(wording.Cut("éééééé", 10)).To(Equal("ééé…"), "no half of a character stays")
}

// TestCutIsShortAndValid: whatever is cut fits the limit and is text.
func TestCutIsShortAndValid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, limit := rapid.String().Draw(t, "text"), rapid.IntRange(3, 40).Draw(t, "limit")
		short := wording.Cut(text, limit)
		if len(short) > limit || !utf8.ValidString(short) {
			t.Fatalf("got %q, %d bytes, of %q", short, len(short), text)
		}
	})
}
