package envtest_test

import "strings"

const peerBase = `
metadata: {name: tor}
spec:
  nodeSelector: {matchLabels: {rack: a}}
  peerIP: 192.168.1.1
  peerPort: 1179
  asNumber: 64512
  localASNumber: 64700
  sourceAddress: NodeIP
  password: {secretKeyRef: {name: tor, key: password}}
  holdTimeSeconds: 65535
  keepaliveTimeSeconds: 1
  connectRetryTimeSeconds: 5
  maxReceivedPrefixes: 100000
  connectionMode: Active
  addressFamilies: [IPv4, IPv6]
  gracefulRestart: {mode: Enabled, restartTimeSeconds: 120}
  bfd: {detectMultiplier: 3}
  export:
  - action: Accept
    prefixes: [{cidr: 192.168.3.0/24, ge: 24, le: 32}]
    kinds: [ExternalIP]
    communities: [blackhole-me, "64512:1"]
    set: {communities: ["64512:2"], addCommunities: [blackhole-me], med: 10, localPreference: 200, asPathPrepend: 2}
`

func peerRules() map[string]rule {
	rules := table{}
	rules.selector("spec.nodeSelector")
	rules.number("spec.peerPort", 1, 65535)
	rules.number("spec.asNumber", 1, 4294967295)
	rules.number("spec.localASNumber", 1, 4294967295)
	rules.number("spec.holdTimeSeconds", 3, 65535)
	rules.number("spec.connectRetryTimeSeconds", 1, 65535)
	rules.number("spec.ebgpMultihopTTL", 1, 255)
	rules.number("spec.ttlSecurityHops", 1, 254)
	rules.number("spec.maxReceivedPrefixes", 1, 10000000)
	rules.number("spec.gracefulRestart.restartTimeSeconds", 1, 4095)
	rules.words("spec.sourceAddress", "NodeIP", "Any")
	rules.words("spec.connectionMode", "Active", "Passive")
	rules.words("spec.gracefulRestart.mode", "Enabled", "Disabled")
	rules.peerAddress()
	rules.peerTimersAndHops()
	rules.password()
	rules.bfd()
	rules.export()
	rules["addressFamilies are known"] = rule{
		accepts: change{"spec.addressFamilies": []string{"IPv6"}}, refuses: change{"spec.addressFamilies": []string{"IPv6", "L2VPN"}},
		says: `spec.addressFamilies[1]: Unsupported value: "L2VPN": supported values: "IPv4", "IPv6"`,
	}
	return rules
}

func (t table) peerAddress() {
	const unicast = "peerIP must be the address of one host: unicast, and neither 0.0.0.0 nor ::"
	const address = "peerIP must be an IPv4 or IPv6 address without a zone, such as 192.168.1.1 or 2001:db8::1"
	good := change{"spec.peerIP": "2001:db8::1"}
	for sentence, row := range map[string]struct{ text, message string }{
		"peerIP is not empty":             {"", address},
		"peerIP is not a name":            {"tor.example.com", address},
		"peerIP is not a network":         {"192.168.1.0/24", address},
		"peerIP has no port":              {"192.168.1.1:179", address},
		"peerIP has no leading zeros":     {"192.168.001.001", address},
		"peerIP is not IPv4-mapped":       {"::ffff:192.168.1.1", address},
		"peerIP has no zone":              {"fe80::1%eth0", address},
		"peerIP is not 0.0.0.0":           {"0.0.0.0", unicast},
		"peerIP is not ::":                {"::", unicast},
		"peerIP is no IPv4 multicast one": {"224.0.0.5", unicast},
		"peerIP is no IPv6 multicast one": {"ff0e::1", unicast},
	} {
		t[sentence] = rule{
			accepts: good, refuses: change{"spec.peerIP": row.text},
			says: `spec.peerIP: Invalid value: "` + row.text + `": ` + row.message,
		}
	}
	t["peerIP is required"] = rule{accepts: good, refuses: change{"spec.peerIP": nil}, says: "spec.peerIP: Required value", serverOnly: true}
	t["peerIP is bounded"] = rule{
		accepts: change{"spec.peerIP": "2001:db8:1111:2222:3333:4444:5555:6666"},
		refuses: change{"spec.peerIP": strings.Repeat("1", 46)}, says: "spec.peerIP: Too long: may not be more than 45 bytes", serverOnly: true,
	}
	t["asNumber is required"] = rule{
		accepts: change{"spec.asNumber": 1}, refuses: change{"spec.asNumber": nil},
		says: "spec.asNumber: Required value", serverOnly: true,
	}
	t["asNumber is not AS_TRANS"] = rule{
		accepts: change{"spec.asNumber": 23457}, refuses: change{"spec.asNumber": 23456},
		says: "spec.asNumber: Invalid value: 23456: asNumber must not be 23456 (AS_TRANS), which RFC 6793 reserves: use the peer's own AS number",
	}
	t["localASNumber is not AS_TRANS"] = rule{
		accepts: change{"spec.localASNumber": 23455}, refuses: change{"spec.localASNumber": 23456},
		says: "spec.localASNumber: Invalid value: 23456: localASNumber must not be 23456 (AS_TRANS), which RFC 6793 reserves: " +
			"use the AS number that the peer expects of the nodes",
	}

	linkLocal := change{"spec.password": nil, "spec.peerIP": "fe80::1", "spec.interface": "eth0"}
	t["a link-local peer needs an interface"] = rule{
		accepts: linkLocal, refuses: change{"spec.password": nil, "spec.peerIP": "fe80::1"},
		says: "spec.interface: Required value: interface is required with a link-local peerIP (fe80::/10): name the node's interface that leads to it",
	}
	t["a link-local peer has no password"] = rule{
		accepts: linkLocal, refuses: change{"spec.peerIP": "fe80::1", "spec.interface": "eth0"},
		says: "spec.password: Forbidden: password must not be set with a link-local peerIP (fe80::/10): a signature is tied to an address, " +
			"and a link-local one is another host on each link; use a global address of the peer, or ttlSecurityHops in place of the password",
	}
	t["another peer has no interface"] = rule{
		accepts: change{"spec.peerIP": "169.254.0.1"},
		refuses: change{"spec.peerIP": "169.254.0.1", "spec.interface": "eth0"},
		says: "spec.interface: Forbidden: interface must be set only with a link-local peerIP (fe80::/10): " +
			"any other address is reached through the routing table",
	}
	for sentence, name := range map[string]string{"interface is no path": "../eth0", "interface is no alias": "eth0:1", "interface is no directory": "..", "interface is not empty": ""} {
		t[sentence] = rule{
			accepts: linkLocal, refuses: change{"spec.password": nil, "spec.peerIP": "fe80::1", "spec.interface": name},
			says: `spec.interface: Invalid value: "` + name + `": interface must be the name of a network interface, such as eth0: ` +
				"1 to 15 characters without '/', ':', '%' or white space",
			serverOnly: name == "",
		}
	}
	t["interface is bounded"] = rule{
		accepts: change{"spec.password": nil, "spec.peerIP": "fe80::1", "spec.interface": "fifteen-letters"},
		refuses: change{"spec.password": nil, "spec.peerIP": "fe80::1", "spec.interface": "sixteen-letters!"}, says: "spec.interface: Too long: may not be more than 15 bytes", serverOnly: true,
	}
}

func (t table) peerTimersAndHops() {
	const below = "spec.keepaliveTimeSeconds: Invalid value: keepaliveTimeSeconds must be below holdTimeSeconds, which defaults to 90: a third of it is usual"
	t["keepalive is at least a second"] = rule{
		accepts: change{"spec.keepaliveTimeSeconds": 1}, refuses: change{"spec.keepaliveTimeSeconds": 0}, serverOnly: true,
		says: "spec.keepaliveTimeSeconds: Invalid value: 0: spec.keepaliveTimeSeconds in body should be greater than or equal to 1",
	}
	t["keepalive is below the hold time"] = rule{
		accepts: change{"spec.holdTimeSeconds": 9, "spec.keepaliveTimeSeconds": 8},
		refuses: change{"spec.holdTimeSeconds": 9, "spec.keepaliveTimeSeconds": 9}, says: below,
	}
	t["keepalive is below the default hold time"] = rule{
		accepts: change{"spec.holdTimeSeconds": nil, "spec.keepaliveTimeSeconds": 89},
		refuses: change{"spec.holdTimeSeconds": nil, "spec.keepaliveTimeSeconds": 90}, says: below,
	}
	t["TTL security excludes multihop"] = rule{
		accepts: change{"spec.ttlSecurityHops": 2},
		refuses: change{"spec.ttlSecurityHops": 2, "spec.ebgpMultihopTTL": 2},
		says: "spec.ttlSecurityHops: Forbidden: ttlSecurityHops and ebgpMultihopTTL exclude each other: " +
			"with TTL security the TTL sent is always 255, so keep only ttlSecurityHops",
	}
	t["addressFamilies has an entry"] = rule{
		accepts: change{"spec.addressFamilies": nil}, refuses: change{"spec.addressFamilies": []string{}},
		says: "spec.addressFamilies: Invalid value: 0: spec.addressFamilies in body should have at least 1 items", serverOnly: true,
	}
	t["addressFamilies has each once"] = rule{
		accepts: change{"spec.addressFamilies": []string{"IPv6", "IPv4"}},
		refuses: change{"spec.addressFamilies": []string{"IPv6", "IPv6"}},
		says:    `spec.addressFamilies[1]: Duplicate value: "IPv6"`, serverOnly: true,
	}
	t["addressFamilies has at most two"] = rule{
		accepts: change{"spec.addressFamilies": []string{"IPv6", "IPv4"}},
		refuses: change{"spec.addressFamilies": []string{"IPv6", "IPv4", "IPv4"}},
		says:    "spec.addressFamilies: Too many: 3: must have at most 2 items\n" + `spec.addressFamilies[2]: Duplicate value: "IPv4"`, serverOnly: true,
	}
}

func (t table) password() {
	const ref = "spec.password.secretKeyRef"
	t["password names a Secret"] = rule{
		accepts: change{ref + ".name": "tor.rack-a"}, refuses: change{ref + ".name": "Tor"},
		says: ref + `.name: Invalid value: "Tor": name must be the name of a Secret: lower-case letters, digits, '-' and '.', such as tor`,
	}
	t["password names a key"] = rule{
		accepts: change{ref + ".key": "a-b_c.D"}, refuses: change{ref + ".key": "a/b"},
		says: ref + `.key: Invalid value: "a/b": key must be a key of a Secret: letters, digits, '-', '_' and '.', such as password`,
	}
	t["password names no empty Secret"] = rule{
		accepts: change{ref + ".name": "t"}, refuses: change{ref + ".name": ""},
		says: ref + `.name: Invalid value: "": name must be the name of a Secret: lower-case letters, digits, '-' and '.', such as tor`,
	}
	t["password names no empty key"] = rule{
		accepts: change{ref + ".key": "p"}, refuses: change{ref + ".key": ""},
		says: ref + `.key: Invalid value: "": key must be a key of a Secret: letters, digits, '-', '_' and '.', such as password`,
	}
	for _, name := range []string{"name", "key"} {
		path := ref + "." + name
		t.longest(path, 253, func(length int) string { return strings.Repeat("a", length) })
		t[path+" is required"] = rule{accepts: change{path: "a"}, refuses: change{path: nil}, says: path + ": Required value", serverOnly: true}
	}
	t["password has a reference"] = rule{
		accepts: change{"spec.password": nil}, refuses: change{"spec.password": change{}},
		says: ref + ": Required value", serverOnly: true,
	}
}
