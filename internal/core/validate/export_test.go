package validate_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/validate"
)

func TestExport(t *testing.T) {
	const peer = "peerIP: 192.168.1.1, asNumber: 64512"
	for name, row := range map[string]struct {
		rules  string
		fields []string
	}{
		"everything at its most": {`[{action: Accept, kinds: [ClusterIP, ExternalIP, LoadBalancerIP, PodCIDR], communities: [blackhole-me, "1:2:3"],
			prefixes: [{cidr: 0.0.0.0/0, ge: 0, le: 32}, {cidr: "::/0", ge: 0, le: 128}, {cidr: 10.0.0.1/32, ge: 32, le: 32}],
			set: {communities: [], addCommunities: [no-export], med: 4294967295, localPreference: 0, asPathPrepend: 10}}]`, nil},
		"an action that is none":           {`[{action: Deny}]`, []string{"spec.export[0].action"}},
		"no action":                        {`[{kinds: [PodCIDR]}]`, []string{"spec.export[0].action"}},
		"a kind that is none":              {`[{action: Accept}, {action: Reject, kinds: [PodCIDR, NodePort]}]`, []string{"spec.export[1].kinds[1]"}},
		"attributes of what is rejected":   {`[{action: Reject, set: {}}]`, []string{"spec.export[0].set"}},
		"host bits":                        {`[{action: Reject, prefixes: [{cidr: 10.0.0.1/8, ge: 7}]}]`, []string{"spec.export[0].prefixes[0].cidr"}},
		"a ge below the cidr's length":     {`[{action: Reject, prefixes: [{cidr: 10.0.0.0/8}, {cidr: 10.0.0.0/8, ge: 7}]}]`, []string{"spec.export[0].prefixes[1].ge"}},
		"an le below the cidr's length":    {`[{action: Reject, prefixes: [{cidr: "2001:db8::/32", le: 24}]}]`, []string{"spec.export[0].prefixes[0].le"}},
		"an le beyond IPv4":                {`[{action: Reject, prefixes: [{cidr: 10.0.0.0/8, le: 33}]}]`, []string{"spec.export[0].prefixes[0].le"}},
		"an le below ge":                   {`[{action: Reject, prefixes: [{cidr: 10.0.0.0/8, ge: 24, le: 16}]}]`, []string{"spec.export[0].prefixes[0].le"}},
		"both lengths out of range":        {`[{action: Reject, prefixes: [{cidr: 10.0.0.0/8, ge: 64, le: 7}]}]`, []string{"spec.export[0].prefixes[0].ge", "spec.export[0].prefixes[0].le"}},
		"communities that are neither":     {`[{action: Accept, communities: ["1:65536"], set: {communities: ["x y"], addCommunities: [a, "1"]}}]`, []string{"spec.export[0].communities[0]", "spec.export[0].set.addCommunities[1]", "spec.export[0].set.communities[0]"}},
		"numbers beyond what goes out":     {`[{action: Accept, set: {med: -1, localPreference: 4294967296, asPathPrepend: 11}}]`, []string{"spec.export[0].set.asPathPrepend", "spec.export[0].set.localPreference", "spec.export[0].set.med"}},
		"a community's name that is known": {`[{action: Accept, communities: [whatever]}]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			found := validate.Peer(parse[v1alpha1.BGPPeer](t, "{spec: {"+peer+", export: "+row.rules+"}}"))
			expect(t, "fields at fault", fields(found.Errors), row.fields)
		})
	}
}

// What is warned of is said of a rule, and begins with its place.
func TestExportWarnings(t *testing.T) {
	const inVain, nothing = "decides about no route, since spec.export[", "no route is sent to the peer"
	for name, row := range map[string]struct {
		rules string
		// families of the session, that of the peer's address by default.
		families string
		want     []string
	}{
		"rules that each decide": {rules: `[{action: Reject, kinds: [PodCIDR]}, {action: Reject, prefixes: [{cidr: 10.0.0.0/8, le: 32}]}, {action: Accept}]`},
		"a whitelist":            {rules: `[{action: Accept, prefixes: [{cidr: 192.168.3.0/24, le: 32}]}, {action: Reject}]`},
		"after a rule for everything": {
			rules: `[{action: Accept}, {action: Reject, kinds: [PodCIDR]}, {action: Reject}]`,
			want:  []string{"spec.export[1]: it " + inVain + "0]", "spec.export[2]: it " + inVain + "0]"},
		},
		"after a wider prefix": {
			rules: `[{action: Reject, prefixes: [{cidr: 10.0.0.0/8, le: 32}, {cidr: "::/0", le: 128}]}, {action: Accept, prefixes: [{cidr: 10.1.0.0/16, ge: 24}]}]`,
			want:  []string{"spec.export[1]: it " + inVain + "0]"},
		},
		"after a prefix that does not hold all lengths": {rules: `[{action: Reject, prefixes: [{cidr: 10.0.0.0/8, le: 24}]}, {action: Accept, prefixes: [{cidr: 10.1.0.0/16, ge: 24}]}]`},
		"after other kinds":                             {rules: `[{action: Reject, kinds: [ClusterIP, PodCIDR]}, {action: Accept, kinds: [PodCIDR, ExternalIP]}]`},
		"after all of its kinds": {
			rules: `[{action: Reject, kinds: [ClusterIP, PodCIDR]}, {action: Accept, kinds: [PodCIDR], communities: [a]}]`,
			want:  []string{"spec.export[1]: it " + inVain + "0]"},
		},
		"after one of its communities": {rules: `[{action: Reject, communities: ["1:1"]}, {action: Accept, communities: ["1:1", "1:2"]}]`},
		"everything is rejected":       {rules: `[{action: Reject}]`, want: []string{"spec.export[0]: " + nothing}},
		"everything is rejected, bit by bit": {
			rules: `[{action: Reject, kinds: [PodCIDR]}, {action: Reject, prefixes: [{cidr: 0.0.0.0/0, ge: 0}]}]`,
			want:  []string{"spec.export[1]: " + nothing},
		},
		"everything of one family": {rules: `[{action: Reject, prefixes: [{cidr: 0.0.0.0/0, le: 32}]}]`, families: "IPv4, IPv6"},
		"everything of both families": {
			rules: `[{action: Reject, prefixes: [{cidr: 0.0.0.0/0, le: 32}, {cidr: "::/0", le: 128}]}]`, families: "IPv4, IPv6",
			want: []string{"spec.export[0]: " + nothing},
		},
		"no default route": {rules: `[{action: Reject, prefixes: [{cidr: 0.0.0.0/0}]}]`},
		"wrong rules":      {rules: `[{action: Accept}, {action: Reject, prefixes: [{cidr: x}]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			spec := "{peerIP: 192.168.1.1, asNumber: 64512, export: " + row.rules
			if row.families != "" {
				spec += ", addressFamilies: [" + row.families + "]"
			}
			found := validate.Peer(parse[v1alpha1.BGPPeer](t, "{spec: "+spec+"}}"))
			if !slices.EqualFunc(found.Warnings, row.want, strings.HasPrefix) {
				t.Errorf("warnings %q, want %q", found.Warnings, row.want)
			}
		})
	}
}

// FuzzExport feeds rules as the API server might have stored them under older ones: whatever they are, they are judged.
func FuzzExport(f *testing.F) {
	for _, rules := range []string{
		`[{action: Reject, prefixes: [{cidr: 10.0.0.0/8, ge: 9, le: 32}], kinds: [PodCIDR]}]`,
		`[{prefixes: [{cidr: "::/0", le: -1}]}, {action: Accept, set: {communities: []}}]`,
		`[{action: Accept}, {action: Accept, prefixes: [{}]}]`,
	} {
		text, err := yaml.YAMLToJSON([]byte(rules))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(_ *testing.T, rules []byte) {
		peer := &v1alpha1.BGPPeer{}
		if json.Unmarshal(rules, &peer.Spec.Export) == nil {
			validate.Peer(peer)
		}
	})
}
