package intent_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
)

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// defaultPeer is what torSpec comes to on newNode.
func defaultPeer() bgp.Peer {
	return bgp.Peer{
		Name:                "tor",
		Address:             netip.MustParseAddrPort("192.168.1.1:179"),
		ASN:                 64512,
		LocalASN:            64512,
		RouterID:            netip.MustParseAddr("192.168.1.11"),
		SourceAddress:       netip.MustParseAddr("192.168.1.11"),
		HoldTime:            seconds(90),
		KeepaliveTime:       seconds(30),
		ConnectRetryTime:    seconds(5),
		Families:            bgp.FamiliesOf(bgp.IPv4),
		GracefulRestart:     bgp.GracefulRestart{Enabled: true, RestartTime: seconds(120)},
		MaxReceivedPrefixes: 100_000,
		NextHopIPv4:         netip.MustParseAddr("192.168.1.11"),
		NextHopIPv6:         netip.MustParseAddr("2001:db8:1::11"),
	}
}

// tor returns torSpec with more fields.
func tor(fields string) string { return "{peerIP: 192.168.1.1, asNumber: 64512, " + fields + "}" }

// peerRows each change one thing of a peer, and say what that changes of defaultPeer.
var peerRows = map[string]struct {
	spec string
	// base is the spec of the BGPConfiguration named default; "" where there is none.
	base   string
	change func(want *bgp.Peer)
}{
	"defaults": {
		spec: torSpec, change: func(*bgp.Peer) {},
	},
	"the defaults, written": {
		spec: tor(`peerPort: 179, sourceAddress: NodeIP, holdTimeSeconds: 90, keepaliveTimeSeconds: 30, connectRetryTimeSeconds: 5,
			ebgpMultihopTTL: 1, maxReceivedPrefixes: 100000, connectionMode: Active, addressFamilies: [IPv4],
			gracefulRestart: {mode: Enabled, restartTimeSeconds: 120}`),
		change: func(*bgp.Peer) {},
	},
	"a selector": {
		spec: tor("nodeSelector: {matchLabels: {rack: a}}"), change: func(*bgp.Peer) {},
	},
	"an eBGP peer is one hop away": {
		spec:   "{peerIP: 192.168.1.1, asNumber: 64513}",
		change: func(want *bgp.Peer) { want.ASN, want.TTL = 64513, 1 },
	},
	"an eBGP peer by the session's own AS number is one hop away": {
		spec:   tor("localASNumber: 64700, ebgpMultihopTTL: 1"),
		change: func(want *bgp.Peer) { want.LocalASN, want.TTL = 64700, 1 },
	},
	"an eBGP peer several hops away": {
		spec:   "{peerIP: 192.168.1.1, asNumber: 64513, ebgpMultihopTTL: 255}",
		change: func(want *bgp.Peer) { want.ASN, want.TTL = 64513, 255 },
	},
	"an iBGP peer may be any number of hops away": {
		spec: tor("ebgpMultihopTTL: 2"), change: func(*bgp.Peer) {},
	},
	"TTL security": {
		spec:   "{peerIP: 192.168.1.1, asNumber: 64513, ttlSecurityHops: 1}",
		change: func(want *bgp.Peer) { want.ASN, want.TTL, want.MinimumTTL = 64513, 255, 255 },
	},
	"TTL security on iBGP, as loose as can be": {
		spec:   tor("ttlSecurityHops: 254"),
		change: func(want *bgp.Peer) { want.TTL, want.MinimumTTL = 255, 2 },
	},
	"a passive peer": {
		spec:   tor("connectionMode: Passive"),
		change: func(want *bgp.Peer) { want.Passive, want.ListenPort = true, 179 },
	},
	"a passive peer, expected on another port": {
		spec: tor("connectionMode: Passive"), base: "listenPort: 1179",
		change: func(want *bgp.Peer) { want.Passive, want.ListenPort = true, 1179 },
	},
	"an active peer, with another port for passive ones": {
		spec: torSpec, base: "listenPort: 1179", change: func(*bgp.Peer) {},
	},
	"a passive peer on any address of the node": {
		spec: tor("connectionMode: Passive, sourceAddress: Any"),
		change: func(want *bgp.Peer) {
			want.Passive, want.ListenPort = true, 179
			want.SourceAddress, want.NextHopIPv4 = netip.Addr{}, netip.Addr{}
		},
	},
	"a link-local peer": {
		spec: `{peerIP: "fe80::1", interface: eth0, asNumber: 64512}`,
		change: func(want *bgp.Peer) {
			want.Address = netip.MustParseAddrPort("[fe80::1%eth0]:179")
			want.Families = bgp.FamiliesOf(bgp.IPv6)
			want.SourceAddress, want.NextHopIPv6 = netip.Addr{}, netip.Addr{}
		},
	},
	"a link-local peer for both families, whatever the source address": {
		spec: `{peerIP: "fe80::1", interface: eth0, asNumber: 64513, sourceAddress: NodeIP, addressFamilies: [IPv4, IPv6]}`,
		change: func(want *bgp.Peer) {
			want.Address, want.ASN, want.TTL = netip.MustParseAddrPort("[fe80::1%eth0]:179"), 64513, 1
			want.Families = bgp.FamiliesOf(bgp.IPv4, bgp.IPv6)
			want.SourceAddress, want.NextHopIPv6 = netip.Addr{}, netip.Addr{}
		},
	},
	"a port": {
		spec:   tor("peerPort: 1179"),
		change: func(want *bgp.Peer) { want.Address = netip.MustParseAddrPort("192.168.1.1:1179") },
	},
	"an AS number of four bytes": {
		spec:   "{peerIP: 192.168.1.1, asNumber: 4294967295}",
		change: func(want *bgp.Peer) { want.ASN, want.TTL = 4294967295, 1 },
	},
	"the nodes' AS number": {
		spec: torSpec, base: "asNumber: 64999",
		change: func(want *bgp.Peer) { want.LocalASN, want.TTL = 64999, 1 },
	},
	"an AS number of the session's own": {
		spec: tor("localASNumber: 64700"), base: "asNumber: 64999",
		change: func(want *bgp.Peer) { want.LocalASN, want.TTL = 64700, 1 },
	},
	"a hold time": {
		spec:   tor("holdTimeSeconds: 9"),
		change: func(want *bgp.Peer) { want.HoldTime, want.KeepaliveTime = seconds(9), seconds(3) },
	},
	"the shortest hold time": {
		spec:   tor("holdTimeSeconds: 3"),
		change: func(want *bgp.Peer) { want.HoldTime, want.KeepaliveTime = seconds(3), seconds(1) },
	},
	"a hold time that three does not divide": {
		spec:   tor("holdTimeSeconds: 100"),
		change: func(want *bgp.Peer) { want.HoldTime, want.KeepaliveTime = seconds(100), seconds(33) },
	},
	"a keepalive time": {
		spec:   tor("keepaliveTimeSeconds: 7"),
		change: func(want *bgp.Peer) { want.KeepaliveTime = seconds(7) },
	},
	"a connect retry time": {
		spec:   tor("connectRetryTimeSeconds: 1"),
		change: func(want *bgp.Peer) { want.ConnectRetryTime = seconds(1) },
	},
	"a limit of received prefixes": {
		spec:   tor("maxReceivedPrefixes: 1"),
		change: func(want *bgp.Peer) { want.MaxReceivedPrefixes = 1 },
	},
	"both families": {
		spec:   tor("addressFamilies: [IPv6, IPv4]"),
		change: func(want *bgp.Peer) { want.Families = bgp.FamiliesOf(bgp.IPv4, bgp.IPv6) },
	},
	"the other family alone": {
		spec:   tor("addressFamilies: [IPv6]"),
		change: func(want *bgp.Peer) { want.Families = bgp.FamiliesOf(bgp.IPv6) },
	},
	"an IPv6 peer": {
		spec: `{peerIP: "2001:db8:1::1", asNumber: 64512}`,
		change: func(want *bgp.Peer) {
			want.Address = netip.MustParseAddrPort("[2001:db8:1::1]:179")
			want.SourceAddress = netip.MustParseAddr("2001:db8:1::11")
			want.Families = bgp.FamiliesOf(bgp.IPv6)
		},
	},
	"any source address": {
		spec: tor("sourceAddress: Any"),
		change: func(want *bgp.Peer) {
			want.SourceAddress, want.NextHopIPv4 = netip.Addr{}, netip.Addr{}
		},
	},
	"any source address to an IPv6 peer": {
		spec: `{peerIP: "2001:db8:1::1", asNumber: 64512, sourceAddress: Any}`,
		change: func(want *bgp.Peer) {
			want.Address = netip.MustParseAddrPort("[2001:db8:1::1]:179")
			want.Families = bgp.FamiliesOf(bgp.IPv6)
			want.SourceAddress, want.NextHopIPv6 = netip.Addr{}, netip.Addr{}
		},
	},
	"no graceful restart with any peer": {
		spec: torSpec, base: "gracefulRestart: {mode: Disabled}",
		change: func(want *bgp.Peer) { want.GracefulRestart.Enabled = false },
	},
	"no graceful restart with this peer": {
		spec:   tor("gracefulRestart: {mode: Disabled}"),
		change: func(want *bgp.Peer) { want.GracefulRestart.Enabled = false },
	},
	"graceful restart with this peer only, and the restart time of all": {
		spec: tor("gracefulRestart: {mode: Enabled}"), base: "gracefulRestart: {mode: Disabled, restartTimeSeconds: 9}",
		change: func(want *bgp.Peer) { want.GracefulRestart.RestartTime = seconds(9) },
	},
	"a restart time of this peer's own": {
		spec: tor("gracefulRestart: {restartTimeSeconds: 4095}"), base: "gracefulRestart: {restartTimeSeconds: 9}",
		change: func(want *bgp.Peer) { want.GracefulRestart.RestartTime = seconds(4095) },
	},
}

func TestPeer(t *testing.T) {
	for name, row := range peerRows {
		t.Run(name, func(t *testing.T) {
			input := intent.Input{Node: newNode(), Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, row.spec)}}
			if row.base != "" {
				input.Configurations = append(input.Configurations, configuration(t, "default", 1, row.base))
			}
			want := defaultPeer()
			row.change(&want)
			got := intent.For(input)
			if diff := cmp.Diff([]bgp.Peer{want}, got.Peers, comparers); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
			checkProblems(t, nil, got.Problems)
		})
	}
}

// refusedRows each add the newest of three peers, which is not run; the two others are, whatever it asks for.
var refusedRows = map[string]struct {
	spec     string
	selected bool
	problems []problem
}{
	"a peer for another rack": {
		spec: "{peerIP: 192.168.1.9, asNumber: 64512, nodeSelector: {matchLabels: {rack: b}}}",
	},
	"a bad peer for another rack is that rack's affair": {
		spec: "{peerIP: tor, asNumber: 0, nodeSelector: {matchLabels: {rack: b}}}",
	},
	"the address and port of an older peer": {
		spec: "{peerIP: 192.168.1.1, asNumber: 64513}", selected: true,
		problems: []problem{{"BGPPeer/new", "spec.peerIP", v1alpha1.ConditionAccepted, v1alpha1.ReasonConflict, `the older one, "tor-1", holds`}},
	},
	"a selector that can't be read": {
		spec: "{peerIP: 192.168.1.9, asNumber: 64512, nodeSelector: {matchExpressions: [{key: rack, operator: Near}]}}",
		problems: []problem{{
			"BGPPeer/new", "spec.nodeSelector.matchExpressions[0].operator", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "Near",
		}},
	},
	"an address that is none": {
		spec: "{peerIP: tor, asNumber: 64512}", selected: true,
		problems: []problem{{"BGPPeer/new", "spec.peerIP", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "tor"}},
	},
	"no AS number": {
		spec: "{peerIP: 192.168.1.9}", selected: true,
		problems: []problem{{"BGPPeer/new", "spec.asNumber", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "4294967295"}},
	},
	"two faults are two problems": {
		spec: "{peerIP: 192.168.1.9, asNumber: 23456, holdTimeSeconds: 2}", selected: true,
		problems: []problem{
			{"BGPPeer/new", "spec.asNumber", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "AS_TRANS"},
			{"BGPPeer/new", "spec.holdTimeSeconds", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "65535"},
		},
	},
	"a password that is not known yet": {
		spec: "{peerIP: 192.168.1.9, asNumber: 64512, password: {secretKeyRef: {name: tor, key: password}}}", selected: true,
		problems: []problem{{"BGPPeer/new", "spec.password.secretKeyRef.name", v1alpha1.ConditionEstablished, v1alpha1.ReasonPending, "not been read yet"}},
	},
	"a link-local peer with a password": {
		spec: `{peerIP: "fe80::1", interface: eth0, asNumber: 64512, password: {secretKeyRef: {name: tor, key: password}}}`, selected: true,
		problems: []problem{{"BGPPeer/new", "spec.password", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "another host on each link"}},
	},
	"the address of an older peer, and passive": {
		spec: "{peerIP: 192.168.1.1, peerPort: 1179, asNumber: 64513, connectionMode: Passive}", selected: true,
		problems: []problem{{"BGPPeer/new", "spec.peerIP", v1alpha1.ConditionAccepted, v1alpha1.ReasonConflict, "by which alone a passive peer is told"}},
	},
}

func TestAPeerThatIsNotRunHarmsNoOther(t *testing.T) {
	for name, row := range refusedRows {
		t.Run(name, func(t *testing.T) {
			got := intent.For(intent.Input{Node: newNode(), Peers: []v1alpha1.BGPPeer{
				peer(t, "new", 3, row.spec),
				peer(t, "tor-2", 1, "{peerIP: 192.168.1.2, asNumber: 64512}"),
				peer(t, "tor-1", 2, "{peerIP: 192.168.1.1, asNumber: 64512}"),
			}})
			if diff := cmp.Diff([]string{"tor-1", "tor-2"}, names(got.Peers)); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
			want := []string{"tor-1", "tor-2"}
			if row.selected {
				want = []string{"new", "tor-1", "tor-2"}
			}
			var selected []string
			for _, object := range got.Selected {
				selected = append(selected, object.Name)
			}
			if diff := cmp.Diff(want, selected); diff != "" {
				t.Errorf("selected (-want +got):\n%s", diff)
			}
			checkProblems(t, row.problems, got.Problems)
		})
	}
}

func TestWhoHoldsAnAddressAndPort(t *testing.T) {
	rows := map[string]struct {
		older, newer string
		want         []string
	}{
		"the older of two":                      {"{peerIP: 192.168.1.1, asNumber: 1}", "{peerIP: 192.168.1.1, asNumber: 2, peerPort: 179}", []string{"older"}},
		"both, with different ports":            {"{peerIP: 192.168.1.1, asNumber: 1}", "{peerIP: 192.168.1.1, asNumber: 2, peerPort: 1179}", []string{"newer", "older"}},
		"the newer, where the older is refused": {"{peerIP: 192.168.1.1, asNumber: 23456}", "{peerIP: 192.168.1.1, asNumber: 2}", []string{"newer"}},
		"the older, passive, on any port":       {"{peerIP: 192.168.1.1, asNumber: 1, connectionMode: Passive}", "{peerIP: 192.168.1.1, asNumber: 2, peerPort: 1179}", []string{"older"}},
		"the older of two passive ones":         {"{peerIP: 192.168.1.1, asNumber: 1, connectionMode: Passive}", "{peerIP: 192.168.1.1, asNumber: 2, connectionMode: Passive, peerPort: 1179}", []string{"older"}},
		"both passive, with different addresses": {
			"{peerIP: 192.168.1.1, asNumber: 1, connectionMode: Passive}", "{peerIP: 192.168.1.2, asNumber: 2, connectionMode: Passive}", []string{"newer", "older"},
		},
		"both, on different links": {
			`{peerIP: "fe80::1", interface: eth0, asNumber: 1}`, `{peerIP: "fe80::1", interface: eth1, asNumber: 1}`, []string{"newer", "older"},
		},
		"neither, while the older has no password": {
			"{peerIP: 192.168.1.1, asNumber: 1, password: {secretKeyRef: {name: tor, key: password}}}", "{peerIP: 192.168.1.1, asNumber: 2}", nil,
		},
		"the newer, where the older is for another rack": {
			"{peerIP: 192.168.1.1, asNumber: 1, nodeSelector: {matchLabels: {rack: b}}}", "{peerIP: 192.168.1.1, asNumber: 2}", []string{"newer"},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got := intent.For(intent.Input{Node: newNode(), Peers: []v1alpha1.BGPPeer{
				peer(t, "newer", 2, row.newer), peer(t, "older", 1, row.older),
			}})
			if diff := cmp.Diff(row.want, names(got.Peers)); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANodeWithoutAnAddressOfAFamily(t *testing.T) {
	rows := map[string]struct {
		spec     string
		want     []string
		problems []problem
	}{
		"can't connect to a peer of the family": {
			spec: `{peerIP: "2001:db8:1::1", asNumber: 64512}`,
			problems: []problem{{
				"BGPPeer/tor", "spec.sourceAddress", v1alpha1.ConditionEstablished, v1alpha1.ReasonSessionsDown, "IPv6 InternalIP",
			}},
		},
		"leaves the source address to the kernel": {
			spec: `{peerIP: "2001:db8:1::1", asNumber: 64512, sourceAddress: Any}`,
			want: []string{"tor"},
		},
		"reaches a link-local peer all the same": {
			spec: `{peerIP: "fe80::1", interface: eth0, asNumber: 64512}`,
			want: []string{"tor"},
		},
		"has no next hop for routes of the family": {
			spec: "{peerIP: 192.168.1.1, asNumber: 64512, addressFamilies: [IPv4, IPv6]}",
			want: []string{"tor"},
			problems: []problem{{
				"BGPPeer/tor", "spec.addressFamilies", v1alpha1.ConditionEstablished, v1alpha1.ReasonFamilyNotNegotiated, "IPv6 InternalIP",
			}},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			node := newNode()
			node.InternalIPs = node.InternalIPs[:1]
			got := intent.For(intent.Input{Node: node, Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, row.spec)}})
			if diff := cmp.Diff(row.want, names(got.Peers)); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
			checkProblems(t, row.problems, got.Problems)
		})
	}
}

// Without an IPv4 address of the node, IPv4 routes over IPv6 may have an IPv6 next hop (RFC 8950): the session tells.
func TestANodeWithoutIPv4CarriesItOverIPv6(t *testing.T) {
	node := newNode()
	node.InternalIPs = node.InternalIPs[1:]
	spec := `{peerIP: "2001:db8:1::1", asNumber: 64512, addressFamilies: [IPv4, IPv6]}`
	got := intent.For(intent.Input{Node: node, Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, spec)}})
	checkProblems(t, nil, got.Problems)
	if len(got.Peers) != 1 || !got.Peers[0].NeedsExtendedNextHop() {
		t.Errorf("peers: %+v", got.Peers)
	}
}

func TestPrependingIsReportedOnIBGP(t *testing.T) {
	prepending := "prefixAdvertisements: [{cidr: 10.49.0.0/16, asPathPrepend: 0}, {cidr: 192.168.3.0/24, asPathPrepend: 2}]"
	ignored := []problem{{
		"BGPConfiguration/default", "spec.prefixAdvertisements[1].asPathPrepend", v1alpha1.ConditionAdvertised, v1alpha1.ReasonPrependIgnored,
		`"internal"`,
	}}
	rows := map[string]struct {
		peers    map[string]string
		overlay  string
		problems []problem
	}{
		"with an iBGP session": {
			peers: map[string]string{"internal": torSpec}, problems: ignored,
		},
		"with one of each": {
			peers:    map[string]string{"external": "{peerIP: 192.168.1.2, asNumber: 1}", "internal": torSpec},
			problems: ignored,
		},
		"not with eBGP sessions only": {
			peers: map[string]string{"external": "{peerIP: 192.168.1.2, asNumber: 1}"},
		},
		"not where a local AS makes the session external": {
			peers: map[string]string{"external": "{peerIP: 192.168.1.1, asNumber: 64512, localASNumber: 64700}"},
		},
		"as the overlay's, whose entry it is": {
			peers:   map[string]string{"internal": torSpec},
			overlay: "{nodeSelector: {}, prefixAdvertisements: [{cidr: 192.168.3.0/24, asPathPrepend: 1}]}",
			problems: []problem{{
				"BGPConfiguration/rack-a", "spec.prefixAdvertisements[0].asPathPrepend", v1alpha1.ConditionAdvertised, v1alpha1.ReasonPrependIgnored,
				"localPreference",
			}},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			input := intent.Input{Node: newNode(), Configurations: []v1alpha1.BGPConfiguration{configuration(t, "default", 1, prepending)}}
			if row.overlay != "" {
				input.Configurations = append(input.Configurations, configuration(t, "rack-a", 1, row.overlay))
			}
			for name, spec := range row.peers {
				input.Peers = append(input.Peers, peer(t, name, 1, spec))
			}
			checkProblems(t, row.problems, intent.For(input).Problems)
		})
	}
}
