package ipam

import (
	"net/netip"
	"strings"
)

// The texts around the address of a mark.
const (
	fromPool   = " from ExternalIPPool "
	fromNoPool = " from no ExternalIPPool"
	joint      = ", "
	// beforeText comes between the mark and the text, or before a text that would be taken for a mark.
	beforeText = "; "
)

// MarkMessage returns the message of the condition AddressAssigned: the assignments, which are the mark, and after "; " a text
// that explains the rest, where there is any.
func MarkMessage(assigned []Assignment, text string) string {
	parts := make([]string, len(assigned))
	for i, a := range assigned {
		parts[i] = a.Address.String() + fromNoPool
		if a.Pool != "" {
			parts[i] = a.Address.String() + fromPool + a.Pool
		}
	}
	mark := strings.Join(parts, joint)
	switch {
	case text == "":
		return mark
	case mark == "" && len(ParseMarkMessage(text)) == 0:
		return text
	default:
		return mark + beforeText + text
	}
}

// ParseMarkMessage returns the addresses that the message of a condition AddressAssigned marks; none where it says nothing of
// the kind.
func ParseMarkMessage(message string) []netip.Addr {
	mark, _, _ := strings.Cut(message, beforeText)
	var marked []netip.Addr
	for part := range strings.SplitSeq(mark, joint) {
		text, pool, found := strings.Cut(part, fromPool)
		if !found {
			text, found = strings.CutSuffix(part, fromNoPool)
		} else {
			found = pool != "" && !strings.Contains(pool, " ")
		}
		a, err := netip.ParseAddr(text)
		if !found || err != nil {
			return nil
		}
		marked = append(marked, a)
	}
	return marked
}

// MarkAnnotation returns the value of the annotation herald.network/assigned.
func MarkAnnotation(assigned []Assignment) string {
	parts := make([]string, len(assigned))
	for i, a := range assigned {
		parts[i] = a.Address.String()
	}
	return strings.Join(parts, ",")
}

// ParseMarkAnnotation returns the addresses that an annotation herald.network/assigned marks. What is no address is left out.
func ParseMarkAnnotation(value string) []netip.Addr {
	var marked []netip.Addr
	for part := range strings.SplitSeq(value, ",") {
		if a, err := netip.ParseAddr(strings.TrimSpace(part)); err == nil {
			marked = append(marked, a)
		}
	}
	return marked
}
