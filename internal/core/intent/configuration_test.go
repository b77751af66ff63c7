package intent_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
)

const (
	baseSpec = `
asNumber: 64600
serviceClusterIPs: [{cidr: 10.49.0.0/16}]
serviceExternalIPs: [{cidr: 192.168.3.0/24, aggregation: Disabled}]
serviceLoadBalancerIPs: [{cidr: "2001:db8:4::/64", aggregation: Enabled}]
podCIDRAdvertisement: Enabled
communities: [{name: blackhole-me, value: "64512:666"}]
prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [blackhole-me, "64512:1:2"], localPreference: 200, med: 0, asPathPrepend: 2}]
gracefulRestart: {mode: Disabled, restartTimeSeconds: 60}
gracefulShutdown: {timeSeconds: 30}
`
	torSpec = "{peerIP: 192.168.1.1, asNumber: 64512}"
)

func block(kind advertise.Kind, cidr string, aggregated bool) advertise.Block {
	return advertise.Block{Kind: kind, CIDR: netip.MustParsePrefix(cidr), Aggregated: aggregated}
}

// resolved is what overlays bear on.
type resolved struct {
	asn       bgp.ASN
	restart   bgp.GracefulRestart
	shutdown  time.Duration
	advertise advertise.Config
}

// baseResolved is what baseSpec comes to.
func baseResolved() resolved {
	return resolved{
		asn:      64600,
		restart:  bgp.GracefulRestart{RestartTime: seconds(60)},
		shutdown: seconds(30),
		advertise: advertise.Config{
			Blocks: []advertise.Block{
				block(advertise.ClusterIP, "10.49.0.0/16", true),
				block(advertise.ExternalIP, "192.168.3.0/24", false),
				block(advertise.LoadBalancerIP, "2001:db8:4::/64", true),
			},
			PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.48.1.0/24")},
			Attributes: []advertise.PrefixAttributes{{
				CIDR: netip.MustParsePrefix("192.168.3.0/24"),
				Attributes: bgp.PathAttributes{
					Communities: bgp.CommunitiesOf(
						bgp.Community{Global: 64512, Data1: 666}, bgp.Community{Large: true, Global: 64512, Data1: 1, Data2: 2}),
					LocalPreference: bgp.Some(200),
					MED:             bgp.Some(0),
					ASPathPrepend:   2,
				},
			}},
		},
	}
}

// overlayRows lay one overlay over baseSpec.
var overlayRows = map[string]struct {
	overlay  string
	change   func(want *resolved)
	problems []problem
}{
	"one that sets nothing inherits everything": {
		overlay: "nodeSelector: {}",
	},
	"one for another rack changes nothing": {
		overlay: "{nodeSelector: {matchLabels: {rack: b}}, asNumber: 64999}",
	},
	"nulls inherit": {
		overlay: "{nodeSelector: {}, serviceClusterIPs: null, serviceExternalIPs: null, serviceLoadBalancerIPs: null, communities: null, prefixAdvertisements: null}",
	},
	"an AS number": {
		overlay: "{nodeSelector: {matchLabels: {rack: a}}, asNumber: 64999}",
		change:  func(want *resolved) { want.asn = 64999 },
	},
	"an empty list of cluster IPs replaces": {
		overlay: "{nodeSelector: {}, serviceClusterIPs: []}",
		change:  func(want *resolved) { want.advertise.Blocks = want.advertise.Blocks[1:] },
	},
	"an empty list of external IPs replaces": {
		overlay: "{nodeSelector: {}, serviceExternalIPs: []}",
		change: func(want *resolved) {
			want.advertise.Blocks = []advertise.Block{want.advertise.Blocks[0], want.advertise.Blocks[2]}
		},
	},
	"an empty list of load balancer IPs replaces": {
		overlay: "{nodeSelector: {}, serviceLoadBalancerIPs: []}",
		change:  func(want *resolved) { want.advertise.Blocks = want.advertise.Blocks[:2] },
	},
	"an empty list of prefix advertisements replaces": {
		overlay: "{nodeSelector: {}, prefixAdvertisements: []}",
		change:  func(want *resolved) { want.advertise.Attributes = nil },
	},
	"a list replaces the whole list": {
		overlay: "{nodeSelector: {}, serviceExternalIPs: [{cidr: 192.168.3.0/25}, {cidr: 192.168.3.128/26, aggregation: Disabled}]}",
		change: func(want *resolved) {
			want.advertise.Blocks = []advertise.Block{
				want.advertise.Blocks[0],
				block(advertise.ExternalIP, "192.168.3.0/25", true),
				block(advertise.ExternalIP, "192.168.3.128/26", false),
				want.advertise.Blocks[2],
			}
		},
	},
	"a name gets its value where communities are replaced": {
		overlay: `{nodeSelector: {}, communities: [{name: blackhole-me, value: "64512:667"}]}`,
		change: func(want *resolved) {
			want.advertise.Attributes[0].Attributes.Communities = bgp.CommunitiesOf(
				bgp.Community{Global: 64512, Data1: 667}, bgp.Community{Large: true, Global: 64512, Data1: 1, Data2: 2})
		},
	},
	"pod CIDRs are turned off": {
		overlay: "{nodeSelector: {}, podCIDRAdvertisement: Disabled}",
		change:  func(want *resolved) { want.advertise.PodCIDRs = nil },
	},
	"graceful restart is turned on, and its time inherited": {
		overlay: "{nodeSelector: {}, gracefulRestart: {mode: Enabled}}",
		change:  func(want *resolved) { want.restart.Enabled = true },
	},
	"the restart time, and the mode inherited": {
		overlay: "{nodeSelector: {}, gracefulRestart: {restartTimeSeconds: 7}}",
		change:  func(want *resolved) { want.restart.RestartTime = seconds(7) },
	},
	"the time of a graceful shutdown": {
		overlay: "{nodeSelector: {}, gracefulShutdown: {timeSeconds: 60}}",
		change:  func(want *resolved) { want.shutdown = seconds(60) },
	},
	"no graceful shutdown, where 0 is a value": {
		overlay: "{nodeSelector: {}, gracefulShutdown: {timeSeconds: 0}}",
		change:  func(want *resolved) { want.shutdown = 0 },
	},
	"a graceful shutdown without its time inherits it": {
		overlay: "{nodeSelector: {}, gracefulShutdown: {}}",
		change:  func(*resolved) {},
	},
	"a block outside the base's is left out": {
		overlay: "{nodeSelector: {}, serviceExternalIPs: [{cidr: 192.168.0.0/16}, {cidr: 192.168.3.64/26}]}",
		change: func(want *resolved) {
			want.advertise.Blocks[1] = block(advertise.ExternalIP, "192.168.3.64/26", true)
		},
		problems: []problem{{
			"BGPConfiguration/overlay", "spec.serviceExternalIPs[0].cidr", v1alpha1.ConditionAccepted, v1alpha1.ReasonOutsideBase,
			"192.168.0.0/16",
		}},
	},
	"a block inside the base's of another kind only is left out": {
		overlay: "{nodeSelector: {}, serviceExternalIPs: [{cidr: 10.49.1.0/24}]}",
		change: func(want *resolved) {
			want.advertise.Blocks = []advertise.Block{want.advertise.Blocks[0], want.advertise.Blocks[2]}
		},
		problems: []problem{{
			"BGPConfiguration/overlay", "spec.serviceExternalIPs[0].cidr", v1alpha1.ConditionAccepted, v1alpha1.ReasonOutsideBase,
			"serviceExternalIPs",
		}},
	},
	"a selector that can't be read selects nothing": {
		overlay: "{nodeSelector: {matchExpressions: [{key: rack, operator: Near}]}, asNumber: 64999}",
		problems: []problem{{
			"BGPConfiguration/overlay", "spec.nodeSelector.matchExpressions[0].operator",
			v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "Near",
		}},
	},
	"an overlay without a selector selects nothing": {
		overlay: "asNumber: 64999",
	},
	"a bad AS number and a bad router ID are as if absent": {
		overlay: "{nodeSelector: {}, asNumber: 23456, routerID: node-1, podCIDRAdvertisement: Disabled}",
		change:  func(want *resolved) { want.advertise.PodCIDRs = nil },
		problems: []problem{
			{"BGPConfiguration/overlay", "spec.asNumber", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "AS_TRANS"},
			{"BGPConfiguration/overlay", "spec.routerID", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "IPv4 address"},
		},
	},
	"bad modes and times are as if absent": {
		overlay: "{nodeSelector: {}, podCIDRAdvertisement: On, gracefulRestart: {mode: Off, restartTimeSeconds: 4096}, gracefulShutdown: {timeSeconds: 61}}",
		problems: []problem{
			{"BGPConfiguration/overlay", "spec.gracefulRestart.mode", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "Enabled"},
			{"BGPConfiguration/overlay", "spec.gracefulRestart.restartTimeSeconds", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "4095"},
			{"BGPConfiguration/overlay", "spec.gracefulShutdown.timeSeconds", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "60"},
			{"BGPConfiguration/overlay", "spec.podCIDRAdvertisement", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "Enabled"},
		},
	},
	"a bad block is left out, and the others hold": {
		overlay: "{nodeSelector: {}, serviceExternalIPs: [{cidr: 192.168.3.1/24}, {cidr: 192.168.3.0/26, aggregation: Some}, {cidr: 192.168.3.64/26}]}",
		change: func(want *resolved) {
			want.advertise.Blocks[1] = block(advertise.ExternalIP, "192.168.3.64/26", true)
		},
		problems: []problem{
			{"BGPConfiguration/overlay", "spec.serviceExternalIPs[0].cidr", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "host bits"},
			{"BGPConfiguration/overlay", "spec.serviceExternalIPs[1].aggregation", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "Some"},
		},
	},
	"what is bad in a prefix advertisement is left out, and the rest holds": {
		overlay: `{nodeSelector: {}, prefixAdvertisements: [
			{cidr: 192.168.3.1/24, med: 1},
			{cidr: 192.168.3.0/24, communities: [typo, "64512:70000", "64512:1"], localPreference: -1, med: 5, asPathPrepend: 11}]}`,
		change: func(want *resolved) {
			want.advertise.Attributes = []advertise.PrefixAttributes{{
				CIDR: netip.MustParsePrefix("192.168.3.0/24"),
				Attributes: bgp.PathAttributes{
					Communities: bgp.CommunitiesOf(bgp.Community{Global: 64512, Data1: 1}), MED: bgp.Some(5),
				},
			}}
		},
		problems: []problem{
			{"BGPConfiguration/overlay", "spec.prefixAdvertisements[0].cidr", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "host bits"},
			{"BGPConfiguration/overlay", "spec.prefixAdvertisements[1].asPathPrepend", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "10"},
			{"BGPConfiguration/overlay", "spec.prefixAdvertisements[1].communities[1]", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "64512:70000"},
			{"BGPConfiguration/overlay", "spec.prefixAdvertisements[1].localPreference", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "4294967295"},
			{"BGPConfiguration/overlay", "spec.prefixAdvertisements[1].communities[0]", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "blackhole-me"},
		},
	},
	"an overlay's communities may leave the base's names without a value": {
		overlay: "{nodeSelector: {}, communities: []}",
		change: func(want *resolved) {
			want.advertise.Attributes[0].Attributes.Communities = bgp.CommunitiesOf(
				bgp.Community{Large: true, Global: 64512, Data1: 1, Data2: 2})
		},
		problems: []problem{{
			"BGPConfiguration/default", "spec.prefixAdvertisements[0].communities[0]", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "blackhole-me",
		}},
	},
	"a community whose value is bad is left out where it is used": {
		overlay: `{nodeSelector: {}, communities: [{name: blackhole-me, value: "666"}]}`,
		change: func(want *resolved) {
			want.advertise.Attributes[0].Attributes.Communities = bgp.CommunitiesOf(
				bgp.Community{Large: true, Global: 64512, Data1: 1, Data2: 2})
		},
		problems: []problem{
			{"BGPConfiguration/default", "spec.prefixAdvertisements[0].communities[0]", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "blackhole-me"},
			{"BGPConfiguration/overlay", "spec.communities[0].value", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "666"},
		},
	},
}

func TestOverlay(t *testing.T) {
	for name, row := range overlayRows {
		t.Run(name, func(t *testing.T) {
			got := intent.For(intent.Input{
				Node: newNode(),
				Configurations: []v1alpha1.BGPConfiguration{
					configuration(t, "overlay", 1, row.overlay),
					configuration(t, "default", 2, baseSpec),
				},
				Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, torSpec)},
			})
			want := baseResolved()
			if row.change != nil {
				row.change(&want)
			}
			if len(got.Peers) != 1 || !got.Configured {
				t.Fatalf("got peers %v, configured %v", names(got.Peers), got.Configured)
			}
			found := resolved{got.ASN, got.Peers[0].GracefulRestart, got.ShutdownTime, got.Advertise}
			if diff := cmp.Diff(want, found, comparers, cmp.AllowUnexported(resolved{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("resolved (-want +got):\n%s", diff)
			}
			if got.Peers[0].LocalASN != want.asn || got.RouterID != netip.MustParseAddr("192.168.1.11") {
				t.Errorf("the session has the AS number %d and the router ID %s", got.Peers[0].LocalASN, got.RouterID)
			}
			checkProblems(t, row.problems, got.Problems)
		})
	}
}

func TestTheOlderOfTwoOverlaysHolds(t *testing.T) {
	rows := map[string]struct {
		ages  map[string]int
		want  bgp.ASN
		holds string
		lost  string
	}{
		"by age, whatever the names":     {map[string]int{"rack-a": 2, "rack-b": 1}, 64002, "rack-b", "rack-a"},
		"by name, where both are as old": {map[string]int{"rack-a": 1, "rack-b": 1}, 64001, "rack-a", "rack-b"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got := intent.For(intent.Input{Node: newNode(), Configurations: []v1alpha1.BGPConfiguration{
				configuration(t, "rack-b", row.ages["rack-b"], "{nodeSelector: {matchLabels: {rack: a}}, asNumber: 64002}"),
				configuration(t, "rack-a", row.ages["rack-a"], "{nodeSelector: {}, asNumber: 64001}"),
				configuration(t, "rack-c", 0, "{nodeSelector: {matchLabels: {rack: c}}, asNumber: 64003}"),
			}})
			if got.ASN != row.want {
				t.Errorf("AS number %d, want %d", got.ASN, row.want)
			}
			checkProblems(t, []problem{{
				"BGPConfiguration/" + row.lost, "spec.nodeSelector", v1alpha1.ConditionAccepted, v1alpha1.ReasonConflict, `the older one, "` + row.holds + `", holds`,
			}}, got.Problems)
			if got.Problems[0].Rival != row.holds {
				t.Errorf("the rival is %q, want %q", got.Problems[0].Rival, row.holds)
			}
		})
	}
}

func TestWithoutABaseNoServiceIsAdvertised(t *testing.T) {
	got := intent.For(intent.Input{
		Node: newNode(),
		Configurations: []v1alpha1.BGPConfiguration{
			configuration(t, "rack-a", 1, "{nodeSelector: {}, asNumber: 64001, serviceExternalIPs: [{cidr: 192.168.3.0/24}]}"),
		},
		Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, torSpec)},
	})
	if got.Configured || len(got.Advertise.Blocks) != 0 {
		t.Errorf("configured %v, blocks %v: want neither", got.Configured, got.Advertise.Blocks)
	}
	if len(got.Peers) != 1 || got.Peers[0].LocalASN != 64001 {
		t.Errorf("peers %+v, want one with the overlay's AS number", got.Peers)
	}
	checkProblems(t, []problem{{
		"BGPConfiguration/rack-a", "spec.serviceExternalIPs[0].cidr", v1alpha1.ConditionAccepted, v1alpha1.ReasonOutsideBase, "192.168.3.0/24",
	}}, got.Problems)
}

func TestABaseHoldsAlsoWithWhatOnlyOverlaysMaySay(t *testing.T) {
	got := intent.For(intent.Input{Node: newNode(), Configurations: []v1alpha1.BGPConfiguration{
		configuration(t, "default", 1, "{nodeSelector: {matchLabels: {rack: b}}, routerID: 10.0.0.1, asNumber: 64001}"),
	}})
	if !got.Configured || got.ASN != 64001 || got.RouterID != netip.MustParseAddr("192.168.1.11") {
		t.Errorf("configured %v, AS number %d, router ID %s", got.Configured, got.ASN, got.RouterID)
	}
	checkProblems(t, []problem{
		{"BGPConfiguration/default", "spec.nodeSelector", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "overlay"},
		{"BGPConfiguration/default", "spec.routerID", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "overlay"},
	}, got.Problems)
}

func TestTheEffectiveConfigurationIsTheNodesWithoutWhatIsAtFault(t *testing.T) {
	base := configuration(t, "default", 1, `{asNumber: 64001, serviceExternalIPs: [{cidr: 192.168.3.0/24}],
		communities: [{name: sound, value: "1:2"}, {name: broken, value: x}]}`)
	overlay := configuration(t, "rack-a", 2, "{nodeSelector: {}, asNumber: 23456, serviceExternalIPs: [{cidr: 192.168.3.0/25}, {cidr: 10.0.0.0/8}]}")

	got := intent.Effective(&base, &overlay)
	want := v1alpha1.BGPConfigurationSpec{
		ASNumber:           64001,
		ServiceExternalIPs: []v1alpha1.Block{{CIDR: "192.168.3.0/25"}, {}},
		Communities:        []v1alpha1.Community{{Name: "sound", Value: "1:2"}, {}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("effective (-want +got):\n%s", diff)
	}
	if none := intent.Effective(nil, nil); !cmp.Equal(none, v1alpha1.BGPConfigurationSpec{}) {
		t.Errorf("of nothing: %+v", none)
	}
}
