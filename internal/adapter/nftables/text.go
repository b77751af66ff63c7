package nftables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
)

// The rules that there are and those that there should be are compared as text: what the kernel tells of an object is more
// than what makes it, and counters change.

// text returns the ruleset as read returns it from the kernel.
func (r ruleset) text() string {
	sets := r.sets()
	lines := []string{fmt.Sprintf("table use %d flags 0", 1+len(sets)), describeChain(r.chain())}
	for _, exprs := range r.rules() {
		lines = append(lines, describeRule(exprs))
	}
	for _, s := range sets {
		lines = append(lines, describeSet(s.set, s.elements)...)
	}
	return strings.Join(lines, "\n")
}

// read returns the kernel's rules as text. An error says no more than that they are not what they should be.
func read(conn *nftables.Conn) (string, error) {
	t, err := conn.ListTableOfFamily(tableName, nftables.TableFamilyINet)
	if err != nil {
		return "", err
	}
	chain, err := conn.ListChain(table(), chainName)
	if err != nil {
		return "", err
	}
	rules, err := conn.GetRules(table(), chain)
	if err != nil {
		return "", err
	}
	lines := []string{fmt.Sprintf("table use %d flags %d", uses(t), t.Flags), describeChain(chain)}
	for _, r := range rules {
		lines = append(lines, describeRule(r.Exprs))
	}
	for _, name := range []string{uplinksSet, blocksIPv4, blocksIPv6} {
		set, err := conn.GetSetByName(table(), name)
		if err != nil {
			return "", err
		}
		elements, err := conn.GetSetElements(set)
		if err != nil {
			return "", err
		}
		lines = append(lines, describeSet(set, elements)...)
	}
	return strings.Join(lines, "\n"), nil
}

// uses returns how many chains and sets a table holds. The library reads the number, which is big-endian, in the machine's
// own byte order.
func uses(t *nftables.Table) uint32 {
	return binaryutil.BigEndian.Uint32(binaryutil.NativeEndian.PutUint32(t.Use))
}

func describeChain(c *nftables.Chain) string {
	if c.Hooknum == nil || c.Priority == nil || c.Policy == nil {
		return fmt.Sprintf("chain %s without a hook", c.Name)
	}
	return fmt.Sprintf("chain %s type %s hook %d priority %d policy %d", c.Name, c.Type, *c.Hooknum, *c.Priority, *c.Policy)
}

func describeSet(s *nftables.Set, elements []nftables.SetElement) []string {
	var lines []string
	for _, e := range elements {
		if e.IntervalEnd && isZero(e.Key) {
			continue // The kernel's own mark before the first range.
		}
		// The end of a range and the beginning of the next may be at one address: they go in this order.
		lines = append(lines, fmt.Sprintf("element %s %x begins=%t counted=%t", s.Name, e.Key, !e.IntervalEnd, e.Counter != nil))
	}
	slices.Sort(lines)
	return append([]string{fmt.Sprintf("set %s key %s interval=%t map=%t", s.Name, s.KeyType.Name, s.Interval, s.IsMap)}, lines...)
}

func isZero(key []byte) bool {
	return !slices.ContainsFunc(key, func(b byte) bool { return b != 0 })
}

func describeRule(exprs []expr.Any) string {
	words := make([]string, len(exprs))
	for i, e := range exprs {
		words[i] = describe(e)
	}
	return "rule " + strings.Join(words, "; ")
}

// describe says what an expression does; those that are never written say only what they are.
func describe(e expr.Any) string {
	switch e := e.(type) {
	case *expr.Meta:
		return fmt.Sprintf("meta %d -> %d (%t)", e.Key, e.Register, e.SourceRegister)
	case *expr.Ct:
		return fmt.Sprintf("ct %d -> %d (%t)", e.Key, e.Register, e.SourceRegister)
	case *expr.Payload:
		return fmt.Sprintf("payload %d %d+%d -> %d (%d)", e.Base, e.Offset, e.Len, e.DestRegister, e.SourceRegister)
	case *expr.Bitwise:
		return fmt.Sprintf("bitwise %d -> %d mask %x xor %x", e.SourceRegister, e.DestRegister, e.Mask, e.Xor)
	case *expr.Cmp:
		return fmt.Sprintf("cmp %d %d %x", e.Op, e.Register, e.Data)
	case *expr.Lookup:
		return fmt.Sprintf("lookup %d in %s invert=%t map=%t", e.SourceRegister, e.SetName, e.Invert, e.IsDestRegSet)
	case *expr.Reject:
		return fmt.Sprintf("reject %d %d", e.Type, e.Code)
	case *expr.Verdict:
		return fmt.Sprintf("verdict %d %s", e.Kind, e.Chain)
	default:
		return fmt.Sprintf("%T", e)
	}
}
