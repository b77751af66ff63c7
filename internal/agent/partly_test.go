package agent

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/herald-network/herald/internal/core/bgp"
)

func TestWhatASessionLacks(t *testing.T) {
	both, v4, v6 := netip.MustParseAddrPort("192.168.1.1:179"), netip.MustParseAddr("192.168.1.11"), netip.MustParseAddrPort("[2001:db8::1]:179")
	for name, test := range map[string]struct {
		session bgp.Session
		want    string
		hint    bool
	}{
		"the peer did not offer IPv6": {
			session: bgp.Session{Peer: bgp.Peer{Address: both, NextHopIPv4: v4}, Families: bgp.FamiliesOf(bgp.IPv4)},
			want:    "tor carries IPv4 instead of IPv4,IPv6",
		},
		"the peer offered nothing that was asked for": {
			session: bgp.Session{Peer: bgp.Peer{Address: both, NextHopIPv4: v4}}, want: "tor carries nothing instead of IPv4,IPv6",
		},
		"the peer did not offer IPv4 over IPv6": {
			session: bgp.Session{Peer: bgp.Peer{Address: v6, NextHopIPv4: v4}, Families: bgp.FamiliesOf(bgp.IPv6)},
			want:    "tor carries IPv6 instead of IPv4,IPv6",
		},
		"the peer did not offer an extended next hop": {
			session: bgp.Session{Peer: bgp.Peer{Address: v6}, Families: bgp.FamiliesOf(bgp.IPv6)},
			want:    "tor carries IPv6 instead of IPv4,IPv6: the node has no IPv4 InternalIP as the next hop", hint: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.session.Peer.Name, test.session.Peer.Families = "tor", bgp.FamiliesOf(bgp.IPv4, bgp.IPv6)
			got := partly(test.session)
			if !strings.HasPrefix(got, test.want) || strings.Contains(got, "RFC 8950") != test.hint {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
