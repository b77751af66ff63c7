package podplan

import "strings"

// Expand replaces every $(NAME) in s by what lookup has for it. $$ stands for one $, so $$(NAME) stays as $(NAME); a
// reference that lookup does not know, or that is not closed, stays as it is.
func Expand(s string, lookup map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		switch value, known := lookup[name]; {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "(") && closed && known:
			b.WriteString(value)
			s = after
		case strings.HasPrefix(rest, "(") && closed:
			b.WriteString("$(" + name + ")")
			s = after
		default:
			b.WriteByte('$')
			s = rest
		}
	}
}

func expandAll(list []string, lookup map[string]string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Expand(s, lookup)
	}
	return out
}
