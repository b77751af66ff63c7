package ipam_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/ipam"
)

func TestMarkMessage(t *testing.T) {
	four := ipam.Assignment{Address: netip.MustParseAddr("192.168.4.1"), Pool: "public"}
	six := ipam.Assignment{Address: netip.MustParseAddr("2001:db8:4::1"), Pool: "public.v6"}
	rows := map[string]struct {
		assigned []ipam.Assignment
		text     string
		want     string
	}{
		"an address":             {[]ipam.Assignment{four}, "", "192.168.4.1 from ExternalIPPool public"},
		"one of each family":     {[]ipam.Assignment{four, six}, "", "192.168.4.1 from ExternalIPPool public, 2001:db8:4::1 from ExternalIPPool public.v6"},
		"an address and a text":  {[]ipam.Assignment{four}, "no IPv6; none", "192.168.4.1 from ExternalIPPool public; no IPv6; none"},
		"an address of no pool":  {[]ipam.Assignment{{Address: four.Address}}, "", "192.168.4.1 from no ExternalIPPool"},
		"only a text":            {nil, "192.168.4.1 is in use", "192.168.4.1 is in use"},
		"a text like a mark":     {nil, "192.168.4.1 from ExternalIPPool public", "; 192.168.4.1 from ExternalIPPool public"},
		"a pool that is none":    {nil, "192.168.4.1 from ExternalIPPool public or so", "192.168.4.1 from ExternalIPPool public or so"},
		"nothing":                {nil, "", ""},
		"a text that is no mark": {nil, "a from ExternalIPPool b, 192.168.4.1 from ExternalIPPool c", "a from ExternalIPPool b, 192.168.4.1 from ExternalIPPool c"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got := ipam.MarkMessage(row.assigned, row.text)
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
			checkMarked(t, row.assigned, ipam.ParseMarkMessage(got))
		})
	}
}

func checkMarked(t interface{ Errorf(string, ...any) }, assigned []ipam.Assignment, marked []netip.Addr) {
	var want []netip.Addr
	for _, a := range assigned {
		want = append(want, a.Address)
	}
	if !slices.Equal(marked, want) {
		t.Errorf("marked are %v, want %v", marked, want)
	}
}

func TestWhatAMarkSaysIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		assigned := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ipam.Assignment {
			return ipam.Assignment{Address: someAddresses.Draw(t, "address"), Pool: rapid.StringMatching(`([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?`).Draw(t, "pool")}
		}), 0, 3).Draw(t, "assigned")
		text := rapid.OneOf(rapid.String(), rapid.Just("10.0.0.1 from ExternalIPPool a")).Draw(t, "text")
		checkMarked(t, assigned, ipam.ParseMarkMessage(ipam.MarkMessage(assigned, text)))
		checkMarked(t, assigned, ipam.ParseMarkAnnotation(ipam.MarkAnnotation(assigned)))
	})
}

func TestParseMarkAnnotation(t *testing.T) {
	for value, want := range map[string][]netip.Addr{
		"":                                   nil,
		"192.168.3.1":                        addrs("192.168.3.1"),
		"192.168.3.1, 2001:db8::1":           addrs("192.168.3.1", "2001:db8::1"),
		"nonsense,192.168.3.1,,192.168.3.0/": addrs("192.168.3.1"),
	} {
		if got := ipam.ParseMarkAnnotation(value); !slices.Equal(got, want) {
			t.Errorf("%q marks %v, want %v", value, got, want)
		}
	}
}

// Whatever a condition says, only what reads as a whole mark marks anything.
func FuzzParseMarkMessage(f *testing.F) {
	f.Add("192.168.4.1 from ExternalIPPool public, 2001:db8:4::1 from ExternalIPPool public; text")
	f.Add("192.168.4.1 from no ExternalIPPool")
	f.Add("192.168.4.1 is in use, 192.168.4.1 from ExternalIPPool a b")
	f.Fuzz(func(t *testing.T, message string) {
		marked := ipam.ParseMarkMessage(message)
		for _, a := range marked {
			if !a.IsValid() {
				t.Errorf("%q marks no address", message)
			}
		}
		if len(marked) > 0 && strings.Count(message, " ExternalIPPool") < len(marked) {
			t.Errorf("%q marks %v", message, marked)
		}
	})
}
