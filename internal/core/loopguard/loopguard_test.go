package loopguard_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/loopguard"
)

func TestForGuardsWhatIsAdvertised(t *testing.T) {
	tor := peer("192.168.1.1", bgp.IPv4)
	for name, row := range map[string]struct {
		mode   loopguard.Mode
		config advertise.Config
		peers  []bgp.Peer
		want   []string
	}{
		"aggregates of all kinds, each once": {
			mode: loopguard.Drop,
			config: advertise.Config{Blocks: []advertise.Block{
				block(advertise.LoadBalancerIP, "192.168.3.0/24"), block(advertise.ClusterIP, "10.49.0.0/16"), block(advertise.ExternalIP, "192.168.3.0/24"),
			}},
			peers: []bgp.Peer{tor}, want: []string{"10.49.0.0/16", "192.168.3.0/24"},
		},
		"no host routes and no pods": {
			mode: loopguard.Drop,
			config: advertise.Config{
				Blocks: []advertise.Block{
					{Kind: advertise.ClusterIP, CIDR: netip.MustParsePrefix("10.49.0.0/16")}, block(advertise.ExternalIP, "192.168.3.9/32"),
				},
				PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.48.1.0/24")},
			},
			peers: []bgp.Peer{tor},
		},
		"nothing where it is off": {
			mode: loopguard.Disabled, config: advertise.Config{Blocks: []advertise.Block{block(advertise.ClusterIP, "10.49.0.0/16")}}, peers: []bgp.Peer{tor},
		},
		"nothing on a node that is out of service": {
			mode: loopguard.Drop, config: advertise.Config{Excluded: true, Blocks: []advertise.Block{block(advertise.ClusterIP, "10.49.0.0/16")}}, peers: []bgp.Peer{tor},
		},
		"nothing without a peer": {
			mode: loopguard.Drop, config: advertise.Config{Blocks: []advertise.Block{block(advertise.ClusterIP, "10.49.0.0/16")}},
		},
		"no family that no session carries": {
			mode: loopguard.Reject,
			config: advertise.Config{Blocks: []advertise.Block{
				block(advertise.ClusterIP, "10.49.0.0/16"), block(advertise.ClusterIP, "fd00:49::/112"),
			}},
			peers: []bgp.Peer{tor}, want: []string{"10.49.0.0/16"},
		},
		"both families where a session carries each": {
			mode: loopguard.Reject,
			config: advertise.Config{Blocks: []advertise.Block{
				block(advertise.ClusterIP, "fd00:49::/112"), block(advertise.ClusterIP, "10.49.0.0/16"),
			}},
			peers: []bgp.Peer{peer("2001:db8::1", bgp.IPv6), tor}, want: []string{"10.49.0.0/16", "fd00:49::/112"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := loopguard.For(row.mode, row.config, row.peers)
			if diff := cmp.Diff(row.want, texts(got.Blocks), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
			if got.IsNone() != (len(row.want) == 0) {
				t.Errorf("IsNone: %t", got.IsNone())
			}
			if len(row.want) > 0 && (got.Mode != row.mode || len(got.Peers) != len(row.peers)) {
				t.Errorf("mode %s with peers %s", got.Mode, got.Peers)
			}
			if !got.Equal(loopguard.For(row.mode, row.config, row.peers)) {
				t.Error("it does not equal itself")
			}
		})
	}
}

func TestRangesDoNotOverlapAndCountForTheLongestBlock(t *testing.T) {
	for name, row := range map[string]struct{ blocks, want []string }{
		"none": {},
		"apart": {
			blocks: []string{"10.0.0.0/8", "192.168.3.0/24"},
			want:   []string{"10.0.0.0-10.255.255.255 10.0.0.0/8", "192.168.3.0-192.168.3.255 192.168.3.0/24"},
		},
		"one in another": {
			blocks: []string{"10.0.0.0/8", "10.49.0.0/16"},
			want: []string{
				"10.0.0.0-10.48.255.255 10.0.0.0/8", "10.49.0.0-10.49.255.255 10.49.0.0/16", "10.50.0.0-10.255.255.255 10.0.0.0/8",
			},
		},
		"at the beginning, and at the end of all addresses": {
			blocks: []string{"255.255.255.0/24", "255.255.255.0/25", "255.255.255.192/26"},
			want: []string{
				"255.255.255.0-255.255.255.127 255.255.255.0/25", "255.255.255.128-255.255.255.191 255.255.255.0/24",
				"255.255.255.192-255.255.255.255 255.255.255.192/26",
			},
		},
		"covered in whole": {
			blocks: []string{"fd00::/64", "fd00::/65", "fd00:0:0:0:8000::/65"},
			want:   []string{"fd00::-fd00::7fff:ffff:ffff:ffff fd00::/65", "fd00::8000:0:0:0-fd00::ffff:ffff:ffff:ffff fd00:0:0:0:8000::/65"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var guard loopguard.Guard
			for _, text := range row.blocks {
				guard.Blocks = append(guard.Blocks, netip.MustParsePrefix(text))
			}
			var got []string
			for _, r := range guard.Ranges() {
				got = append(got, fmt.Sprintf("%s-%s %s", r.First, r.Last, r.Block))
			}
			var want []string
			for _, w := range row.want {
				var block string
				var span string
				_, _ = fmt.Sscan(w, &span, &block)
				want = append(want, span+" "+netip.MustParsePrefix(block).String())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ranges (-want +got):\n%s", diff)
			}
		})
	}
}

func block(kind advertise.Kind, cidr string) advertise.Block {
	return advertise.Block{Kind: kind, CIDR: netip.MustParsePrefix(cidr), Aggregated: true}
}

func peer(address string, families ...bgp.Family) bgp.Peer {
	return bgp.Peer{
		Address: netip.AddrPortFrom(netip.MustParseAddr(address), 179), ASN: 1, LocalASN: 2, Families: bgp.FamiliesOf(families...),
		NextHopIPv4: netip.MustParseAddr("192.168.1.11"), NextHopIPv6: netip.MustParseAddr("2001:db8::11"),
	}
}

func texts(prefixes []netip.Prefix) []string {
	var list []string
	for _, p := range prefixes {
		list = append(list, p.String())
	}
	return list
}
