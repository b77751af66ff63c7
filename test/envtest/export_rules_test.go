package envtest_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
)

const exportRule = "spec.export[0]"

// export adds the rules of a peer's export rules.
func (t table) export() {
	for _, action := range []string{"Accept", "Reject"} {
		t["action may be "+action] = rule{
			accepts: change{exportRule: change{"action": action}}, refuses: change{exportRule: change{"action": action + "!"}},
			says: exportRule + `.action: Unsupported value: "` + action + `!": supported values: "Accept", "Reject"`,
		}
	}
	t["action is required"] = rule{
		accepts: change{exportRule: change{"action": "Accept"}}, refuses: change{exportRule: change{"kinds": []string{"PodCIDR"}}},
		says: exportRule + ".action: Required value", serverOnly: true,
	}
	for _, set := range []change{{"med": 0}, {}} {
		t[fmt.Sprintf("Reject has no set with %d fields", len(set))] = rule{
			accepts: change{exportRule: change{"action": "Accept", "set": set}},
			refuses: change{exportRule: change{"action": "Reject", "set": set}},
			says: exportRule + ".set: Forbidden: set must be left out with action Reject, since a route that is not sent has no attributes: " +
				"remove it, or set action to Accept",
		}
	}
	t.atMost("spec.export", 32, func(i int) any { return change{"action": "Accept", "set": change{"med": i}} })
	t.prefixMatches()
	t.exportKinds()
	t.exportCommunities(exportRule+".communities", 1)
	t.exportCommunities(exportRule+".set.communities", 0)
	t.exportCommunities(exportRule+".set.addCommunities", 1)
	t.number(exportRule+".set.localPreference", 0, 4294967295)
	t.number(exportRule+".set.med", 0, 4294967295)
	t.number(exportRule+".set.asPathPrepend", 0, 10)
}

func (t table) prefixMatches() {
	const list = exportRule + ".prefixes"
	single := table{}
	single.cidrs(list)
	for sentence, r := range single {
		if strings.Contains(sentence, "each network once") || strings.Contains(sentence, "at most 64") {
			continue // The list is no map, and may have a network with several lengths.
		}
		for _, c := range []change{r.accepts, r.refuses} {
			c[list+"[0].ge"], c[list+"[0].le"] = nil, nil
		}
		t[sentence] = r
	}
	t.atMost(list, 32, func(i int) any { return change{"cidr": fmt.Sprintf("10.%d.0.0/16", i)} })
	t[list+" has an entry"] = rule{
		accepts: change{list: nil}, refuses: change{list: []change{}}, serverOnly: true,
		says: list + ": Invalid value: 0: " + list + " in body should have at least 1 items",
	}
	for _, bound := range []string{"ge", "le"} {
		path := list + "[0]." + bound
		whole := func(length int) change { return change{list: []change{{"cidr": "::/0", bound: length}}} }
		says := path + ": Invalid value: " + bound + " must be at least the length of cidr, and at most 32 for IPv4 or 128 for IPv6"
		t[path+" is at least 0"] = rule{
			accepts: whole(0), refuses: whole(-1),
			says: fmt.Sprintf("%s: Invalid value: -1: %s in body should be greater than or equal to 0\n%s", path, path, says),
		}
		t[path+" is at most 128"] = rule{
			accepts: whole(128), refuses: whole(129),
			says: fmt.Sprintf("%s: Invalid value: 129: %s in body should be less than or equal to 128\n%s", path, path, says),
		}
		for _, row := range []struct {
			cidr      string
			good, bad int
		}{{"10.0.0.0/8", 8, 7}, {"10.0.0.0/8", 32, 33}, {"2001:db8::/32", 32, 31}, {"10.0.0.1/32", 32, 31}, {"0.0.0.0/0", 32, 128}} {
			t[fmt.Sprintf("%s of %s may be %d and not %d", path, row.cidr, row.good, row.bad)] = rule{
				accepts: change{list: []change{{"cidr": row.cidr, bound: row.good}}},
				refuses: change{list: []change{{"cidr": row.cidr, bound: row.bad}}}, says: says,
			}
		}
	}
	t["le is at least ge"] = rule{
		accepts: change{list: []change{{"cidr": "10.0.0.0/8", "ge": 24, "le": 24}}},
		refuses: change{list: []change{{"cidr": "10.0.0.0/8", "ge": 24, "le": 23}}},
		says:    list + "[0].le: Invalid value: le must be at least ge: no prefix has a length that is not below ge and not above le",
	}
}

func (t table) exportKinds() {
	const list = exportRule + ".kinds"
	all := []string{"ClusterIP", "ExternalIP", "LoadBalancerIP", "PodCIDR"}
	t["export knows every kind"] = rule{
		accepts: change{list: all}, refuses: change{list: []string{"NodePort"}},
		says: list + `[0]: Unsupported value: "NodePort": supported values: "ClusterIP", "ExternalIP", "LoadBalancerIP", "PodCIDR"`,
	}
	t[list+" has each once"] = rule{
		accepts: change{list: all[:2]}, refuses: change{list: []string{"PodCIDR", "PodCIDR"}},
		says: list + `[1]: Duplicate value: "PodCIDR"`, serverOnly: true,
	}
	t[list+" has an entry"] = rule{
		accepts: change{list: nil}, refuses: change{list: []string{}}, serverOnly: true,
		says: list + ": Invalid value: 0: " + list + " in body should have at least 1 items",
	}
	t[list+" is bounded"] = rule{
		accepts: change{list: all}, refuses: change{list: append(all, "ClusterIP")}, serverOnly: true,
		says: list + ": Too many: 5: must have at most 4 items\n" + list + `[4]: Duplicate value: "ClusterIP"`,
	}
}

// exportCommunities adds the rules of a list of communities, names or values.
func (t table) exportCommunities(list string, least int) {
	for sentence, text := range map[string]string{
		"is a name or a value": "1st", "is not empty": "", "has standard numbers of 16 bits": "64512:65536",
		"has large numbers of 32 bits": "4294967296:1:1", "has no leading zeros": "1:01",
	} {
		t["a community in "+list+" "+sentence] = rule{
			accepts: change{list: []string{"no-export", "0:65535", "1:2:4294967295"}}, refuses: change{list: []string{text}},
			says: list + `[0]: Invalid value: ` + strconv.Quote(text) + `: communities must each be a name from spec.communities, ` +
				"a standard community aa:nn (each 0 to 65535) or a large community aa:nn:mm (each 0 to 4294967295)",
		}
	}
	t.longest(list+"[0]", 63, func(length int) string { return strings.Repeat("a", length) })
	t[list+" has each once"] = rule{
		accepts: change{list: []string{"1:1", "1:2"}}, refuses: change{list: []string{"1:1", "1:1"}},
		says: list + `[1]: Duplicate value: "1:1"`, serverOnly: true,
	}
	t.atMost(list, 32, func(i int) any { return fmt.Sprintf("64512:%d", i) })
	if least > 0 {
		t[list+" has an entry"] = rule{
			accepts: change{list: nil}, refuses: change{list: []string{}}, serverOnly: true,
			says: list + ": Invalid value: 0: " + list + " in body should have at least 1 items",
		}
	}
}

// testLargestExport checks that a peer whose export rules are at every bound costs the API server's CEL no more than it may.
func (s *suite) testLargestExport(t *testing.T) {
	var prefixes []change
	var communities []string
	for i := range 32 {
		prefixes = append(prefixes, change{"cidr": fmt.Sprintf("2001:db8:1111:2222:3333:4444:5555:66%02x/128", i+16), "ge": 128, "le": 128})
		communities = append(communities, fmt.Sprintf("42949672%02d:4294967294:4294967295", i))
	}
	largest := change{
		"action": "Accept", "prefixes": prefixes, "communities": communities,
		"kinds": []string{"ClusterIP", "ExternalIP", "LoadBalancerIP", "PodCIDR"},
		"set":   change{"communities": communities, "addCommunities": communities, "med": 4294967295},
	}
	var rules []change
	for i := range 32 {
		entry := maps.Clone(largest)
		entry["set"] = change{"communities": communities, "addCommunities": communities, "med": i}
		rules = append(rules, entry)
	}
	expect(t, s.dryRun(t, peerKind().object(t, change{"spec.export": rules})), nil)
}
