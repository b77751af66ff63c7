package envtest_test

import (
	"fmt"
	"strconv"
)

const poolBase = `
metadata: {name: external}
spec:
  addresses: [192.168.3.0/24, 192.168.4.10-192.168.4.20, "2001:db8:3::/120"]
  avoid: [192.168.3.0, 192.168.3.255, 192.168.4.11-192.168.4.12]
  assignment: Automatic
  namespaceSelector: {matchLabels: {tier: front}}
  serviceSelector: {matchLabels: {app: nginx}}
  priority: 10
`

func poolRules() map[string]rule {
	rules := table{}
	rules.selector("spec.namespaceSelector")
	rules.selector("spec.serviceSelector")
	rules.words("spec.assignment", "Automatic", "OnRequest")
	rules.number("spec.priority", -1000000, 1000000)
	rules.ranges("spec.addresses")
	rules.ranges("spec.avoid")
	rules["addresses are required"] = rule{
		accepts: change{"spec.addresses": []string{"192.168.3.1"}}, refuses: change{"spec.addresses": nil},
		says: "spec.addresses: Required value", serverOnly: true,
	}
	rules["addresses has an entry"] = rule{
		accepts: change{"spec.avoid": []string{}}, refuses: change{"spec.addresses": []string{}},
		says: "spec.addresses: Invalid value: 0: spec.addresses in body should have at least 1 items", serverOnly: true,
	}
	rules["spec is required"] = rule{
		accepts: change{"spec": change{"addresses": []string{"::1"}}}, refuses: change{"spec": nil},
		says: "spec: Required value", serverOnly: true,
	}
	return rules
}

// ranges adds the rules of a list of addresses.
func (t table) ranges(list string) {
	const malformed = "addresses and avoid must hold CIDRs without host bits, addresses, or ranges of two addresses, " +
		"all in canonical form, such as 192.168.3.0/24, 192.168.3.9 or 192.168.3.10-192.168.3.20"
	const mixed = "addresses and avoid must hold ranges whose two addresses are of one family, such as 192.168.3.10-192.168.3.20"
	for sentence, row := range map[string]struct{ good, bad, message string }{
		"has no host bits":                 {"192.168.3.0/25", "192.168.3.1/25", malformed},
		"has no IPv6 host bits":            {"2001:db8::/64", "2001:db8::1/64", malformed},
		"has no names":                     {"192.168.3.7", "any", malformed},
		"has canonical addresses":          {"2001:db8::1", "2001:DB8::1", malformed},
		"has canonical ends":               {"2001:db8::1-2001:db8::2", "2001:db8::1-2001:db8:0::2", malformed},
		"has no IPv4-mapped addresses":     {"::1", "::ffff:192.168.3.1", malformed},
		"has no open ranges":               {"192.168.3.1-192.168.3.1", "192.168.3.1-", malformed},
		"has no short ranges":              {"192.168.3.1-192.168.3.9", "192.168.3.1-9", malformed},
		"has no ranges of three":           {"192.168.3.1-192.168.3.2", "192.168.3.1-192.168.3.2-192.168.3.3", malformed},
		"has no ranges of networks":        {"192.168.3.0-192.168.4.255", "192.168.3.0/24-192.168.4.0/24", malformed},
		"has no spaces":                    {"192.168.3.1-192.168.3.3", "192.168.3.1 - 192.168.3.3", malformed},
		"has ranges of one family":         {"::1-::2", "192.168.3.1-2001:db8::1", mixed},
		"has ranges of one family, either": {"0.0.0.0-255.255.255.255", "::-192.168.3.1", mixed},
	} {
		t[list+" "+sentence] = rule{
			accepts: change{list + "[0]": row.good}, refuses: change{list + "[0]": row.bad},
			says: list + "[0]: Invalid value: " + strconv.Quote(row.bad) + ": " + row.message,
		}
	}
	t[list+" has no empty entry"] = rule{
		accepts: change{list + "[0]": "::"}, refuses: change{list + "[0]": ""},
		says: list + `[0]: Invalid value: "": ` + malformed,
	}
	t[list+" has bounded entries"] = rule{
		accepts: change{list + "[0]": "2001:db8:1111:2222:3333:4444:5555:6666-2001:db8:1111:2222:3333:4444:5555:7777"},
		refuses: change{list + "[0]": "2001:0db8:1111:2222:3333:4444:5555:6666-2001:0db8:1111:2222:3333:4444:5555:07777"},
		says:    list + "[0]: Too long: may not be more than 79 bytes", serverOnly: true,
	}
	t[list+" has each entry once"] = rule{
		accepts: change{list: []string{"192.168.3.1", "192.168.3.2"}}, refuses: change{list: []string{"192.168.3.1", "192.168.3.1"}},
		says: list + `[1]: Duplicate value: "192.168.3.1"`, serverOnly: true,
	}
	t.atMost(list, 64, func(i int) any { return fmt.Sprintf("192.168.3.%d", i) })
}
