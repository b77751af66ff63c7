package envtest_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const configurationBase = `
metadata: {name: rack-a}
spec:
  nodeSelector: {matchLabels: {rack: a}}
  asNumber: 64512
  listenPort: 179
  routerID: 10.0.0.1
  serviceClusterIPs: [{cidr: 10.49.0.0/16, aggregation: Enabled}]
  serviceExternalIPs: [{cidr: 192.168.3.0/24, aggregation: Enabled}]
  serviceLoadBalancerIPs: [{cidr: 192.168.4.0/24, aggregation: Disabled}, {cidr: "2001:db8:4::/64"}]
  podCIDRAdvertisement: Disabled
  communities: [{name: blackhole-me, value: "64512:666"}]
  prefixAdvertisements:
  - {cidr: 192.168.3.0/24, communities: [blackhole-me, "64512:1"], localPreference: 200, med: 10, asPathPrepend: 2}
  gracefulRestart: {mode: Enabled, restartTimeSeconds: 120}
  gracefulShutdown: {timeSeconds: 5}
  externalIPPolicy: Enforce
  serviceLoopPrevention: Drop
`

const cidrMessage = "cidr must be an IPv4 or IPv6 network in canonical form, without host bits, such as 192.168.3.0/24 or 2001:db8:3::/64"

func configurationRules() map[string]rule {
	rules := table{}
	rules.selector("spec.nodeSelector")
	rules.number("spec.asNumber", 1, 4294967295)
	rules.number("spec.listenPort", 1, 65535)
	rules.number("spec.gracefulRestart.restartTimeSeconds", 1, 4095)
	rules.number("spec.gracefulShutdown.timeSeconds", 0, 60)
	rules.words("spec.gracefulRestart.mode", "Enabled", "Disabled")
	rules.words("spec.podCIDRAdvertisement", "Enabled", "Disabled")
	rules.words("spec.externalIPPolicy", "Enforce", "Warn", "Ignore")
	rules.words("spec.serviceLoopPrevention", "Drop", "Reject", "Disabled")
	rules.roles()
	rules.routerID()
	for _, list := range []string{"spec.serviceClusterIPs", "spec.serviceExternalIPs", "spec.serviceLoadBalancerIPs"} {
		rules.cidrs(list)
		rules.words(list+"[0].aggregation", "Enabled", "Disabled")
	}
	rules.cidrs("spec.prefixAdvertisements")
	rules.communities()
	rules.prefixAdvertisements()
	rules["asNumber is not AS_TRANS"] = rule{
		accepts: change{"spec.asNumber": 23455}, refuses: change{"spec.asNumber": 23456},
		says: "spec.asNumber: Invalid value: 23456: asNumber must not be 23456 (AS_TRANS), which RFC 6793 reserves: use the node's own AS number",
	}
	return rules
}

// testLargest checks that a configuration with every list and text at its bound costs the API server's CEL no more than it
// may.
func (s *suite) testLargest(t *testing.T) {
	var blocks, communities, entries []change
	for i := range 64 {
		longest := fmt.Sprintf("2001:db8:1111:2222:3333:4444:5555:66%02x/128", i+16)
		var carried []string
		for j := range 64 {
			carried = append(carried, fmt.Sprintf("42949672%02d:42949672%02d:4294967295", i, j))
		}
		blocks = append(blocks, change{"cidr": longest})
		communities = append(communities, change{"name": fmt.Sprintf("c%062d", i), "value": carried[0]})
		entries = append(entries, change{"cidr": longest, "communities": carried})
	}
	largest := configurationKind().object(t, change{
		"spec.serviceClusterIPs": blocks, "spec.serviceExternalIPs": blocks, "spec.serviceLoadBalancerIPs": blocks,
		"spec.communities": communities, "spec.prefixAdvertisements": entries,
	})
	expect(t, s.dryRun(t, largest), nil)
}

func (t table) roles() {
	base := change{"metadata.name": "default", "spec.nodeSelector": nil, "spec.routerID": nil}
	t["an overlay needs a nodeSelector"] = rule{
		accepts: change{"spec.nodeSelector": change{}}, refuses: change{"spec.nodeSelector": nil},
		says: "spec.nodeSelector: Required value: nodeSelector is required in an overlay, which every BGPConfiguration is " +
			"but the one named default: select the nodes that it is for",
	}
	t["an overlay needs a spec"] = rule{
		accepts: change{"spec": change{"nodeSelector": change{}}}, refuses: change{"spec": nil},
		says: "spec.nodeSelector: Required value: nodeSelector is required in an overlay, which every BGPConfiguration is " +
			"but the one named default: select the nodes that it is for",
	}
	t["the base has no nodeSelector"] = rule{
		accepts: base, refuses: change{"metadata.name": "default", "spec.routerID": nil},
		says: "spec.nodeSelector: Forbidden: nodeSelector must not be set in the BGPConfiguration named default, " +
			"which is the base for every node: use an overlay with another name",
	}
	t["the base has no routerID"] = rule{
		accepts: base, refuses: change{"metadata.name": "default", "spec.nodeSelector": nil},
		says: "spec.routerID: Forbidden: routerID must not be set in the BGPConfiguration named default, " +
			"since each node needs its own: use an overlay for that node",
	}
	t["the base may be empty"] = rule{
		accepts: change{"metadata.name": "default", "spec": nil}, refuses: change{"spec": change{}},
		says: "spec.nodeSelector: Required value: nodeSelector is required in an overlay, which every BGPConfiguration is " +
			"but the one named default: select the nodes that it is for",
	}
}

func (t table) routerID() {
	good := change{"spec.routerID": "255.255.255.255"}
	for sentence, text := range map[string]string{"routerID is no name": "router-1", "routerID is not empty": "", "routerID is not IPv6": "2001:db8::1", "routerID is not 0.0.0.0": "0.0.0.0"} {
		t[sentence] = rule{
			accepts: good, refuses: change{"spec.routerID": text},
			says:       `spec.routerID: Invalid value: "` + text + `": routerID must be written as an IPv4 address other than 0.0.0.0, such as 10.0.0.1`,
			serverOnly: text == "",
		}
	}
	t["routerID is bounded"] = rule{
		accepts: good, refuses: change{"spec.routerID": "2001:db8:1:2:3::1"},
		says: "spec.routerID: Too long: may not be more than 15 bytes", serverOnly: true,
	}
}

// cidrs adds the rules of a list that is keyed by CIDR.
func (t table) cidrs(list string) {
	path := list + "[0].cidr"
	for sentence, text := range map[string]string{
		"is no address":            "192.168.3.0",
		"has no host bits":         "192.168.3.1/24",
		"has no IPv6 host bits":    "2001:db8::1/64",
		"has no leading zeros":     "192.168.3.0/024",
		"is in lower case":         "2001:DB8::/64",
		"is as short as can be":    "2001:db8:0:0::/64",
		"is not IPv4-mapped":       "::ffff:192.168.3.0/120",
		"has no prefix of 33":      "192.168.3.0/33",
		"is not a range":           "192.168.3.1-192.168.3.9",
		"has a prefix, not a zone": "fe80::%eth0/64",
	} {
		t[path+" "+sentence] = rule{
			accepts: change{path: "2001:db8::/64"}, refuses: change{path: text},
			says: path + ": Invalid value: " + strconv.Quote(text) + ": " + cidrMessage,
		}
	}
	for _, widest := range []string{"0.0.0.0/0", "::/0", "10.0.0.1/32", "2001:db8::1/128"} {
		t[path+" may be "+widest] = rule{
			accepts: change{path: widest}, refuses: change{path: widest + "0"},
			says: path + ": Invalid value: " + strconv.Quote(widest+"0") + ": " + cidrMessage,
		}
	}
	t[path+" is required"] = rule{accepts: change{path: "10.0.0.0/8"}, refuses: change{path: nil}, says: path + ": Required value", serverOnly: true}
	t[path+" is not empty"] = rule{
		accepts: change{path: "10.0.0.0/8"}, refuses: change{path: ""},
		says: path + `: Invalid value: "": ` + cidrMessage,
	}
	t[path+" is bounded"] = rule{
		accepts: change{path: "2001:db8:1111:2222:3333:4444:5555:6666/128"},
		refuses: change{path: "2001:0db8:1111:2222:3333:4444:5555:6666/0128"}, says: path + ": Too long: may not be more than 43 bytes", serverOnly: true,
	}
	t[list+" has each network once"] = rule{
		accepts: change{list: []change{{"cidr": "10.0.0.0/8"}, {"cidr": "10.0.0.0/9"}}},
		refuses: change{list: []change{{"cidr": "10.0.0.0/8"}, {"cidr": "10.0.0.0/8"}}},
		says:    list + `[1]: Duplicate value: {"cidr":"10.0.0.0/8"}`, serverOnly: true,
	}
	t.atMost(list, 64, func(i int) any { return change{"cidr": fmt.Sprintf("10.%d.0.0/16", i)} })
}

func (t table) communities() {
	const list = "spec.communities"
	// Nothing may call the community by its name while the name changes.
	unused := func(c change) change {
		c["spec.prefixAdvertisements"] = nil
		return c
	}
	for sentence, name := range map[string]string{
		"begins with a letter": "1st", "is not empty": "", "is no value": "64512:666", "has no spaces": "black hole", "has no other letters": "schwarzes-löchlein",
	} {
		t["a community's name "+sentence] = rule{
			accepts: unused(change{list + "[0].name": "B1ack-hole_me.too"}), refuses: unused(change{list + "[0].name": name}),
			says: list + `[0].name: Invalid value: "` + name + `": name must begin with a letter and hold only letters, digits, '-', '_' and '.', such as blackhole-me`,
		}
	}
	for sentence, row := range map[string]struct{ good, bad string }{
		"has two or three numbers":           {"64512:666:1", "64512"},
		"has no four numbers":                {"1:2:3", "1:2:3:4"},
		"has standard numbers of 16 bits":    {"65535:65535", "65536:1"},
		"has both numbers of 16 bits":        {"0:0", "1:65536"},
		"has large numbers of 32 bits":       {"4294967295:4294967295:4294967295", "1:2:4294967296"},
		"has no leading zeros":               {"0:0:0", "64512:0666"},
		"is in decimal":                      {"1:10", "1:0x10"},
		"is not negative":                    {"1:1", "1:-1"},
		"has no name of a known community":   {"65535:65281", "no-export"},
		"has no sign, space or empty number": {"1:2", "1:"},
		"is not empty":                       {"1:2", ""},
	} {
		t["a community's value "+sentence] = rule{
			accepts: change{list + "[0].value": row.good}, refuses: change{list + "[0].value": row.bad},
			says: list + `[0].value: Invalid value: "` + row.bad + `": value must be a standard community aa:nn (each 0 to 65535) ` +
				"or a large community aa:nn:mm (each 0 to 4294967295), such as 64512:666",
		}
	}
	for _, key := range []string{"name", "value"} {
		path := list + "[0]." + key
		good := map[string]string{"name": "blackhole-me", "value": "1:1"}[key]
		t[path+" is required"] = rule{accepts: change{path: good}, refuses: change{path: nil}, says: path + ": Required value", serverOnly: true}
	}
	t.longest(list+"[0].name", 63, func(length int) string { return strings.Repeat("a", length) })
	t[list+"[0].value is bounded"] = rule{
		accepts: change{list + "[0].value": "4294967295:4294967295:4294967295"},
		refuses: change{list + "[0].value": "4294967295:4294967295:42949672950"}, says: list + "[0].value: Too long: may not be more than 32 bytes", serverOnly: true,
	}
	t[list+" has each name once"] = rule{
		accepts: change{list: []change{{"name": "a", "value": "1:1"}, {"name": "b", "value": "1:1"}}},
		refuses: change{list: []change{{"name": "a", "value": "1:1"}, {"name": "a", "value": "1:2"}}},
		says:    list + `[1]: Duplicate value: {"name":"a"}`, serverOnly: true,
	}
	t.atMost(list, 64, func(i int) any { return change{"name": fmt.Sprintf("c%d", i), "value": "1:1"} })
}

func (t table) prefixAdvertisements() {
	const entry = "spec.prefixAdvertisements[0]"
	t.number(entry+".localPreference", 0, 4294967295)
	t.number(entry+".med", 0, 4294967295)
	t.number(entry+".asPathPrepend", 0, 10)
	const list = entry + ".communities"
	for sentence, text := range map[string]string{
		"is a name or a value": "1st", "is not empty": "", "has standard numbers of 16 bits": "64512:65536", "has large numbers of 32 bits": "4294967296:1:1", "has no leading zeros": "1:01",
	} {
		t["a community that is carried "+sentence] = rule{
			accepts: change{list: []string{"no-export", "0:65535", "1:2:4294967295"}}, refuses: change{list: []string{text}},
			says: list + `[0]: Invalid value: "` + text + `": communities must each be a name from spec.communities, ` +
				"a standard community aa:nn (each 0 to 65535) or a large community aa:nn:mm (each 0 to 4294967295)",
		}
	}
	t.longest(list+"[0]", 63, func(length int) string { return strings.Repeat("a", length) })
	t[list+" has each once"] = rule{
		accepts: change{list: []string{"1:1", "1:2"}}, refuses: change{list: []string{"1:1", "1:1"}},
		says: list + `[1]: Duplicate value: "1:1"`, serverOnly: true,
	}
	t.atMost(list, 64, func(i int) any { return fmt.Sprintf("64512:%d", i) })
}
