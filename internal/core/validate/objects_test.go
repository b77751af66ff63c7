package validate_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/validate"
)

// parse reads an object as a user would write it.
func parse[T any](t *testing.T, text string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
	return object
}

// fields returns the fields that errors are about.
func fields(errs field.ErrorList) []string {
	var names []string
	for _, err := range errs {
		names = append(names, err.Field)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func expect[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestPeer(t *testing.T) {
	for name, row := range map[string]struct {
		spec   string
		fields []string
	}{
		"the least": {`{peerIP: 192.168.1.1, asNumber: 64512}`, nil},
		"everything at its most": {`{peerIP: "2001:db8::1", peerPort: 65535, asNumber: 4294967295, localASNumber: 4294967295, sourceAddress: Any,
			holdTimeSeconds: 65535, keepaliveTimeSeconds: 65534, connectRetryTimeSeconds: 65535, ebgpMultihopTTL: 255,
			maxReceivedPrefixes: 10000000, connectionMode: Passive, addressFamilies: [IPv4, IPv6],
			password: {secretKeyRef: {name: tor.rack-a, key: pass_word}}, nodeSelector: {matchExpressions: [{key: rack, operator: Exists}]},
			gracefulRestart: {mode: Disabled, restartTimeSeconds: 4095}}`, nil},
		"BFD with its defaults":                   {`{peerIP: 192.168.1.1, asNumber: 1, bfd: {}}`, nil},
		"BFD at its least":                        {`{peerIP: 192.168.1.1, asNumber: 1, bfd: {hops: Multi, transmitIntervalMilliseconds: 10, receiveIntervalMilliseconds: 10, detectMultiplier: 2, minimumTTL: 1}}`, nil},
		"BFD at its most":                         {`{peerIP: 192.168.1.1, asNumber: 1, bfd: {hops: Multi, transmitIntervalMilliseconds: 60000, receiveIntervalMilliseconds: 60000, detectMultiplier: 255, minimumTTL: 254}}`, nil},
		"BFD over a multihop session":             {`{peerIP: 192.168.1.1, asNumber: 1, ebgpMultihopTTL: 2, bfd: {minimumTTL: 253}}`, nil},
		"BFD with a link-local peer":              {`{peerIP: "fe80::1", interface: eth0, asNumber: 1, ebgpMultihopTTL: 2, bfd: {}}`, nil},
		"BFD numbers too small":                   {`{peerIP: 192.168.1.1, asNumber: 1, bfd: {hops: Multi, transmitIntervalMilliseconds: 9, receiveIntervalMilliseconds: 9, detectMultiplier: 1, minimumTTL: -1}}`, []string{"spec.bfd.detectMultiplier", "spec.bfd.minimumTTL", "spec.bfd.receiveIntervalMilliseconds", "spec.bfd.transmitIntervalMilliseconds"}},
		"BFD numbers too great":                   {`{peerIP: 192.168.1.1, asNumber: 1, bfd: {hops: Multi, transmitIntervalMilliseconds: 60001, receiveIntervalMilliseconds: 60001, detectMultiplier: 256, minimumTTL: 255}}`, []string{"spec.bfd.detectMultiplier", "spec.bfd.minimumTTL", "spec.bfd.receiveIntervalMilliseconds", "spec.bfd.transmitIntervalMilliseconds"}},
		"BFD over an unknown distance":            {`{peerIP: 192.168.1.1, asNumber: 1, bfd: {hops: Far}}`, []string{"spec.bfd.hops"}},
		"a minimum TTL for one hop":               {`{peerIP: 192.168.1.1, asNumber: 1, bfd: {minimumTTL: 254}}`, []string{"spec.bfd.minimumTTL"}},
		"a minimum TTL for one hop that is named": {`{peerIP: 192.168.1.1, asNumber: 1, ebgpMultihopTTL: 2, bfd: {hops: Single, minimumTTL: 254}}`, []string{"spec.bfd.minimumTTL"}},
		"a link-local peer far away":              {`{peerIP: "fe80::1", interface: eth0, asNumber: 1, bfd: {hops: Multi}}`, []string{"spec.bfd.hops"}},
		"link-local with its interface":           {`{peerIP: "fe80::1", interface: eth0, asNumber: 1}`, nil},
		"IPv4 link-local needs none":              {`{peerIP: 169.254.0.1, asNumber: 1}`, nil},
		"link-local without interface":            {`{peerIP: "fe80::1", asNumber: 1}`, []string{"spec.interface"}},
		"an interface in vain":                    {`{peerIP: 192.168.1.1, interface: eth0, asNumber: 1}`, []string{"spec.interface"}},
		"an interface that is a path":             {`{peerIP: "fe80::1", interface: ../eth0, asNumber: 1}`, []string{"spec.interface"}},
		"no address and no AS":                    {`{}`, []string{"spec.asNumber", "spec.peerIP"}},
		"a zone":                                  {`{peerIP: "fe80::1%eth0", asNumber: 1}`, []string{"spec.peerIP"}},
		"an IPv4-mapped address":                  {`{peerIP: "::ffff:192.168.1.1", asNumber: 1}`, []string{"spec.peerIP"}},
		"multicast":                               {`{peerIP: "ff02::1", asNumber: 1}`, []string{"spec.peerIP"}},
		"no host":                                 {`{peerIP: 0.0.0.0, asNumber: 1}`, []string{"spec.peerIP"}},
		"reserved AS numbers":                     {`{peerIP: 192.168.1.1, asNumber: 23456, localASNumber: 23456}`, []string{"spec.asNumber", "spec.localASNumber"}},
		"AS numbers of five bytes":                {`{peerIP: 192.168.1.1, asNumber: 4294967296, localASNumber: 4294967296}`, []string{"spec.asNumber", "spec.localASNumber"}},
		"numbers that are too great": {
			`{peerIP: 192.168.1.1, asNumber: 1, peerPort: 65536, holdTimeSeconds: 65536, connectRetryTimeSeconds: 65536,
			ebgpMultihopTTL: 256, gracefulRestart: {restartTimeSeconds: 4096}}`,
			[]string{"spec.connectRetryTimeSeconds", "spec.ebgpMultihopTTL", "spec.gracefulRestart.restartTimeSeconds", "spec.holdTimeSeconds", "spec.peerPort"},
		},
		"numbers that are too small": {
			`{peerIP: 192.168.1.1, asNumber: -1, peerPort: -1, holdTimeSeconds: 2, keepaliveTimeSeconds: -1,
			connectRetryTimeSeconds: -1, ttlSecurityHops: -1, maxReceivedPrefixes: -1}`,
			[]string{
				"spec.asNumber", "spec.connectRetryTimeSeconds", "spec.holdTimeSeconds", "spec.keepaliveTimeSeconds",
				"spec.maxReceivedPrefixes", "spec.peerPort", "spec.ttlSecurityHops",
			},
		},
		"keepalive as long as the hold time":         {`{peerIP: 192.168.1.1, asNumber: 1, holdTimeSeconds: 9, keepaliveTimeSeconds: 9}`, []string{"spec.keepaliveTimeSeconds"}},
		"keepalive as long as the default hold time": {`{peerIP: 192.168.1.1, asNumber: 1, keepaliveTimeSeconds: 90}`, []string{"spec.keepaliveTimeSeconds"}},
		"keepalive just below the default hold time": {`{peerIP: 192.168.1.1, asNumber: 1, keepaliveTimeSeconds: 89}`, nil},
		"two TTL rules": {`{peerIP: 192.168.1.1, asNumber: 1, ebgpMultihopTTL: 2, ttlSecurityHops: 1}`, []string{"spec.ttlSecurityHops"}},
		"unknown words": {
			`{peerIP: 192.168.1.1, asNumber: 1, sourceAddress: Loopback, connectionMode: Both, addressFamilies: [IPX], gracefulRestart: {mode: "On"}}`,
			[]string{"spec.addressFamilies[0]", "spec.connectionMode", "spec.gracefulRestart.mode", "spec.sourceAddress"},
		},
		"a link-local peer with a password": {
			`{peerIP: "fe80::1", interface: eth0, asNumber: 1, password: {secretKeyRef: {name: tor, key: password}}}`, []string{"spec.password"},
		},
		"a Secret that can't be": {
			`{peerIP: 192.168.1.1, asNumber: 1, password: {secretKeyRef: {name: Tor, key: a/b}}}`,
			[]string{"spec.password.secretKeyRef.key", "spec.password.secretKeyRef.name"},
		},
		"a selector that selects nothing": {
			`{peerIP: 192.168.1.1, asNumber: 1, nodeSelector: {matchExpressions: [{key: rack, operator: in}]}}`,
			[]string{"spec.nodeSelector.matchExpressions[0].operator"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			peer := parse[v1alpha1.BGPPeer](t, "spec: "+row.spec)
			expect(t, "fields with errors", fields(validate.Peer(peer).Errors), row.fields)
		})
	}
}

func TestPeerWarnings(t *testing.T) {
	for name, row := range map[string]struct {
		peer string
		want []string
	}{
		"where the node dials, nothing": {`spec: {peerIP: 192.168.1.1, asNumber: 1, connectionMode: Active, peerPort: 1179, connectRetryTimeSeconds: 1}`, nil},
		"a passive peer, nothing":       {`spec: {peerIP: 192.168.1.1, asNumber: 1, connectionMode: Passive}`, nil},
		"what only helps who dials": {
			`spec: {peerIP: 192.168.1.1, asNumber: 1, connectionMode: Passive, peerPort: 1179, connectRetryTimeSeconds: 1}`,
			[]string{
				"spec.connectRetryTimeSeconds: it has no effect with connectionMode Passive, where the peer dials: leave it out",
				"spec.peerPort: it has no effect with connectionMode Passive, where the peer dials: leave it out",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			found := validate.Peer(parse[v1alpha1.BGPPeer](t, row.peer))
			expect(t, "errors", fields(found.Errors), nil)
			expect(t, "warnings", found.Warnings, row.want)
		})
	}
}

func TestConfiguration(t *testing.T) {
	for name, row := range map[string]struct {
		object   string
		fields   []string
		warnings []string
	}{
		"empty base":               {`{metadata: {name: default}}`, nil, nil},
		"null list":                {`{metadata: {name: default}, spec: {serviceClusterIPs: null, serviceExternalIPs: []}}`, nil, nil},
		"overlay without selector": {`{metadata: {name: rack-a}}`, []string{"spec.nodeSelector"}, nil},
		"overlay":                  {`{metadata: {name: rack-a}, spec: {nodeSelector: {}, routerID: 10.0.0.1}}`, nil, nil},
		"base that selects":        {`{metadata: {name: default}, spec: {nodeSelector: {}, routerID: 10.0.0.1}}`, []string{"spec.nodeSelector", "spec.routerID"}, nil},
		"IPv6 router ID":           {`{metadata: {name: a}, spec: {nodeSelector: {}, routerID: "2001:db8::1"}}`, []string{"spec.routerID"}, nil},
		"router ID 0.0.0.0":        {`{metadata: {name: a}, spec: {nodeSelector: {}, routerID: 0.0.0.0}}`, []string{"spec.routerID"}, nil},
		"host bits in each list": {
			`{metadata: {name: default}, spec: {serviceClusterIPs: [{cidr: 10.0.0.1/8}], serviceExternalIPs: [{cidr: "2001:db8::1/64"}],
			serviceLoadBalancerIPs: [{cidr: 10.0.0.0}], prefixAdvertisements: [{cidr: 010.0.0.0/8}]}}`,
			[]string{"spec.prefixAdvertisements[0].cidr", "spec.serviceClusterIPs[0].cidr", "spec.serviceExternalIPs[0].cidr", "spec.serviceLoadBalancerIPs[0].cidr"},
			nil,
		},
		"communities that are none": {
			`{metadata: {name: default}, spec: {communities: [{name: 1st, value: "64512"}, {name: "", value: "65536:1"}, {name: ok, value: "1:2:4294967296"}],
			prefixAdvertisements: [{cidr: 10.0.0.0/8, communities: ["64512:01", "a b", "1:2:3"]}]}}`,
			[]string{
				"spec.communities[0].name", "spec.communities[0].value", "spec.communities[1].name", "spec.communities[1].value", "spec.communities[2].value",
				"spec.prefixAdvertisements[0].communities[0]", "spec.prefixAdvertisements[0].communities[1]",
			},
			nil,
		},
		"attributes at their ends": {`{metadata: {name: default}, spec: {prefixAdvertisements: [{cidr: 10.0.0.0/8, localPreference: 0, med: 4294967295, asPathPrepend: 10}]}}`, nil, nil},
		"attributes past their ends": {
			`{metadata: {name: default}, spec: {prefixAdvertisements: [{cidr: 10.0.0.0/8, localPreference: -1, med: 4294967296, asPathPrepend: 11}]}}`,
			[]string{"spec.prefixAdvertisements[0].asPathPrepend", "spec.prefixAdvertisements[0].localPreference", "spec.prefixAdvertisements[0].med"},
			nil,
		},
		"unknown words": {
			`{metadata: {name: default}, spec: {podCIDRAdvertisement: "On", externalIPPolicy: Deny, serviceLoopPrevention: Blackhole, gracefulRestart: {mode: "On"}, serviceClusterIPs: [{cidr: 10.0.0.0/8, aggregation: "On"}]}}`,
			[]string{"spec.externalIPPolicy", "spec.gracefulRestart.mode", "spec.podCIDRAdvertisement", "spec.serviceClusterIPs[0].aggregation", "spec.serviceLoopPrevention"},
			nil,
		},
		"the longest graceful shutdown": {`{metadata: {name: default}, spec: {gracefulShutdown: {timeSeconds: 60}}}`, nil, nil},
		"no graceful shutdown":          {`{metadata: {name: default}, spec: {gracefulShutdown: {timeSeconds: 0}}}`, nil, nil},
		"a graceful shutdown that is too long": {
			`{metadata: {name: default}, spec: {gracefulShutdown: {timeSeconds: 61}}}`, []string{"spec.gracefulShutdown.timeSeconds"}, nil,
		},
		"a graceful shutdown of less than no time": {
			`{metadata: {name: default}, spec: {gracefulShutdown: {timeSeconds: -1}}}`, []string{"spec.gracefulShutdown.timeSeconds"}, nil,
		},
		"AS and port": {`{metadata: {name: default}, spec: {asNumber: 23456, listenPort: 65536}}`, []string{"spec.asNumber", "spec.listenPort"}, nil},
		"a block in a block with the same aggregation": {
			`{metadata: {name: default}, spec: {serviceExternalIPs: [{cidr: 10.1.0.0/16}, {cidr: 10.0.0.0/8, aggregation: Enabled}]}}`, nil,
			[]string{"spec.serviceExternalIPs[0].cidr: 10.1.0.0/16 lies inside 10.0.0.0/8, which has the same aggregation: one of the two is enough"},
		},
		"a block in a block with another aggregation": {`{metadata: {name: default}, spec: {serviceExternalIPs: [{cidr: 10.1.0.0/16, aggregation: Disabled}, {cidr: 10.0.0.0/8}]}}`, nil, nil},
		"one block for two kinds":                     {`{metadata: {name: default}, spec: {serviceExternalIPs: [{cidr: 10.1.0.0/16}], serviceLoadBalancerIPs: [{cidr: 10.1.0.0/16}]}}`, nil, nil},
		"a default route": {
			`{metadata: {name: default}, spec: {serviceExternalIPs: [{cidr: "::/0"}, {cidr: 0.0.0.0/0, aggregation: Disabled}]}}`, nil,
			[]string{"spec.serviceExternalIPs[0].cidr: ::/0 makes every node advertise a default route: set aggregation to Disabled if that is not meant"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			found := validate.Configuration(parse[v1alpha1.BGPConfiguration](t, row.object))
			expect(t, "fields with errors", fields(found.Errors), row.fields)
			expect(t, "warnings", found.Warnings, row.warnings)
		})
	}
}

func TestOverlay(t *testing.T) {
	base := `{metadata: {name: default}, spec: {serviceClusterIPs: [{cidr: 10.49.0.0/16}], serviceExternalIPs: [{cidr: 192.168.3.0/24}, {cidr: "2001:db8:3::/64"}]}}`
	for name, row := range map[string]struct {
		base, spec string
		want       []string
	}{
		"inherits all":        {base, `{nodeSelector: {}}`, nil},
		"allows none":         {base, `{serviceClusterIPs: [], serviceExternalIPs: []}`, nil},
		"the same":            {base, `{serviceClusterIPs: [{cidr: 10.49.0.0/16}]}`, nil},
		"narrower":            {base, `{serviceExternalIPs: [{cidr: 192.168.3.128/25}, {cidr: "2001:db8:3::1/128"}]}`, nil},
		"wider":               {base, `{serviceExternalIPs: [{cidr: 192.168.2.0/23}]}`, []string{"spec.serviceExternalIPs[0].cidr"}},
		"elsewhere":           {base, `{serviceExternalIPs: [{cidr: 192.168.3.0/25}, {cidr: "2001:db8:4::/64"}]}`, []string{"spec.serviceExternalIPs[1].cidr"}},
		"of another kind":     {base, `{serviceLoadBalancerIPs: [{cidr: 192.168.3.0/24}]}`, []string{"spec.serviceLoadBalancerIPs[0].cidr"}},
		"without a base":      {"", `{serviceClusterIPs: [{cidr: 10.49.0.0/16}]}`, []string{"spec.serviceClusterIPs[0].cidr"}},
		"none without a base": {"", `{asNumber: 64600}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var base *v1alpha1.BGPConfiguration
			if row.base != "" {
				base = parse[v1alpha1.BGPConfiguration](t, row.base)
			}
			overlay := parse[v1alpha1.BGPConfiguration](t, "spec: "+row.spec)
			expect(t, "fields with errors", fields(validate.Overlay(overlay, base)), row.want)
		})
	}
}

func TestResolved(t *testing.T) {
	spec := parse[v1alpha1.BGPConfigurationSpec](t, `{communities: [{name: no-transit, value: "64512:2"}, {name: blackhole-me, value: "64512:666"}],
		prefixAdvertisements: [{cidr: 10.0.0.0/8, communities: [blackhole-me, "64512:1", "1:2:3"]}, {cidr: 11.0.0.0/8, communities: [blackhole]}]}`)
	var got []string
	for _, err := range validate.Resolved(spec) {
		got = append(got, err.Error())
	}
	expect(t, "errors", got, []string{`spec.prefixAdvertisements[1].communities[0]: Invalid value: "blackhole": ` +
		"must be a name from spec.communities (known: blackhole-me, no-transit), or a value aa:nn or aa:nn:mm"})
}

func TestPool(t *testing.T) {
	for name, row := range map[string]struct {
		spec             string
		errors, warnings []string
	}{
		"all forms": {`{addresses: [192.168.3.0/24, 192.168.4.10-192.168.4.20, "2001:db8:3::/120"], avoid: [192.168.3.0, 192.168.3.1-192.168.3.9], assignment: OnRequest, priority: -5}`, nil, nil},
		"ends in the wrong order": {
			`{addresses: [192.168.4.20-192.168.4.10]}`,
			[]string{`spec.addresses[0]: Invalid value: "192.168.4.20-192.168.4.10": the first address of a range must not be above the last: write 192.168.4.10-192.168.4.20`},
			nil,
		},
		"shared addresses": {
			`{addresses: [192.168.3.0/24, 192.168.3.255-192.168.4.20, "2001:db8:3::/120"]}`, nil,
			[]string{"spec.addresses[1]: shares addresses with spec.addresses[0], which count once"},
		},
		"avoids what it hasn't": {
			`{addresses: [192.168.3.0/24], avoid: [192.168.3.0-192.168.4.0, 192.168.4.0, "::1"]}`, nil,
			[]string{"spec.avoid[1]: holds no address of the pool, so it has no effect", "spec.avoid[2]: holds no address of the pool, so it has no effect"},
		},
		"unknown word": {
			`{addresses: [192.168.3.9], assignment: Never}`,
			[]string{`spec.assignment: Unsupported value: "Never": supported values: "Automatic", "OnRequest"`},
			nil,
		},
		"selectors": {
			`{addresses: [192.168.3.9], namespaceSelector: {matchLabels: {"a b": c}}, serviceSelector: {matchLabels: {"a b": c}}}`,
			[]string{
				`spec.namespaceSelector.matchLabels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`spec.serviceSelector.matchLabels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
			},
			nil,
		},
		"priority": {`{addresses: [192.168.3.9], priority: 1000001}`, []string{`spec.priority: Invalid value: 1000001: must be -1000000 to 1000000`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			found := validate.Pool(parse[v1alpha1.ExternalIPPool](t, "spec: "+row.spec))
			var errors []string
			for _, err := range found.Errors {
				errors = append(errors, err.Error())
			}
			expect(t, "errors", errors, row.errors)
			expect(t, "warnings", found.Warnings, row.warnings)
		})
	}
}

// Whatever gets into an object, validation answers, and always the same.
func FuzzObjects(f *testing.F) {
	for _, spec := range []string{
		`{"peerIP":"192.168.1.1","asNumber":64512,"nodeSelector":{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}}`,
		`{"serviceClusterIPs":[{"cidr":"10.0.0.0/8"},{"cidr":"10.0.0.0/9"}],"prefixAdvertisements":[{"cidr":"::/0","communities":["a"],"med":1}]}`,
		`{"addresses":["10.0.0.1-10.0.0.9","10.0.0.0/8"],"avoid":["::1"]}`,
	} {
		f.Add([]byte(spec))
	}
	f.Fuzz(func(t *testing.T, spec []byte) {
		validators := []func() (validate.Findings, bool){
			func() (validate.Findings, bool) {
				var peer v1alpha1.BGPPeer
				err := json.Unmarshal(spec, &peer.Spec)
				return validate.Peer(&peer), err == nil
			},
			func() (validate.Findings, bool) {
				var configuration v1alpha1.BGPConfiguration
				err := json.Unmarshal(spec, &configuration.Spec)
				validate.Resolved(&configuration.Spec)
				validate.Overlay(&configuration, &configuration)
				return validate.Configuration(&configuration), err == nil
			},
			func() (validate.Findings, bool) {
				var pool v1alpha1.ExternalIPPool
				err := json.Unmarshal(spec, &pool.Spec)
				return validate.Pool(&pool), err == nil
			},
		}
		for _, run := range validators {
			first, readable := run()
			again, _ := run()
			if readable && !cmp.Equal(first, again) {
				t.Errorf("%s: found %v, then %v", spec, first, again)
			}
		}
	})
}

func TestBlocksAreReadWithTheirPlaces(t *testing.T) {
	configuration := parse[v1alpha1.BGPConfiguration](t, `spec: {serviceClusterIPs: [{cidr: 10.49.0.0/16}], serviceExternalIPs: [],
		serviceLoadBalancerIPs: [{cidr: 10.0.0.1/8}, {cidr: "2001:db8:4::/64"}]}`)
	var got []string
	for _, block := range validate.Blocks(&configuration.Spec) {
		got = append(got, block.List+" "+block.Path.String()+" "+block.CIDR.String())
	}
	expect(t, "blocks", got, []string{
		"serviceClusterIPs spec.serviceClusterIPs[0].cidr 10.49.0.0/16",
		"serviceLoadBalancerIPs spec.serviceLoadBalancerIPs[1].cidr 2001:db8:4::/64",
	})
}

func TestBFDThatIsFasterThanNodesAre(t *testing.T) {
	for name, row := range map[string]struct {
		bfd      string
		warnings []string
	}{
		"the defaults":      {`{}`, nil},
		"just slow enough":  {`{transmitIntervalMilliseconds: 50, receiveIntervalMilliseconds: 75, detectMultiplier: 3}`, nil},
		"just too fast":     {`{transmitIntervalMilliseconds: 49}`, []string{"spec.bfd.transmitIntervalMilliseconds: 49 ms x detectMultiplier 3 is 147 ms, and a busy node or router may be that late, so that a sound path is taken for a failed one: 150 ms and more is safe, 300 ms x 3 is usual"}},
		"both ways":         {`{transmitIntervalMilliseconds: 10, receiveIntervalMilliseconds: 74, detectMultiplier: 2}`, []string{"spec.bfd.transmitIntervalMilliseconds: 10 ms x detectMultiplier 2 is 20 ms, and a busy node or router may be that late, so that a sound path is taken for a failed one: 150 ms and more is safe, 300 ms x 3 is usual", "spec.bfd.receiveIntervalMilliseconds: 74 ms x detectMultiplier 2 is 148 ms, and a busy node or router may be that late, so that a sound path is taken for a failed one: 150 ms and more is safe, 300 ms x 3 is usual"}},
		"with many packets": {`{transmitIntervalMilliseconds: 10, detectMultiplier: 15}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			peer := parse[v1alpha1.BGPPeer](t, `{spec: {peerIP: 192.168.1.1, asNumber: 1, bfd: `+row.bfd+`}}`)
			found := validate.Peer(peer)
			expect(t, "warnings", found.Warnings, row.warnings)
			expect(t, "errors", fields(found.Errors), nil)
		})
	}
}
