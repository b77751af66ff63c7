package bgp

import (
	"encoding/json"
	"strings"
)

// The texts of values whose fields are their own, for whoever saves them and reads them back.

// MarshalText returns the members, joined by spaces.
func (s Communities) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText returned.
func (s *Communities) UnmarshalText(text []byte) error {
	var members []Community
	for word := range strings.FieldsSeq(string(text)) {
		c, err := ParseCommunity(word)
		if err != nil {
			return err
		}
		members = append(members, c)
	}
	*s = CommunitiesOf(members...)
	return nil
}

// MarshalJSON returns the rules as a list of ExportRule.
func (p ExportPolicy) MarshalJSON() ([]byte, error) {
	rules := []ExportRule{}
	for r := range p.Rules() {
		rules = append(rules, r)
	}
	return json.Marshal(rules)
}

// UnmarshalJSON reads what MarshalJSON returned.
func (p *ExportPolicy) UnmarshalJSON(text []byte) error {
	var rules []ExportRule
	if err := json.Unmarshal(text, &rules); err != nil {
		return err
	}
	*p = ExportPolicyOf(rules...)
	return nil
}
