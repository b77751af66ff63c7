package validate_test

import (
	"net/netip"
	"testing"

	"github.com/herald-network/herald/internal/core/validate"
)

func TestParseRange(t *testing.T) {
	for text, want := range map[string]struct{ from, to string }{
		"192.168.3.0/24":              {"192.168.3.0", "192.168.3.255"},
		"192.168.3.9":                 {"192.168.3.9", "192.168.3.9"},
		"192.168.3.10-192.168.3.20":   {"192.168.3.10", "192.168.3.20"},
		"192.168.3.9-192.168.3.9":     {"192.168.3.9", "192.168.3.9"},
		"2001:db8:3::/120":            {"2001:db8:3::", "2001:db8:3::ff"},
		"2001:db8::1":                 {"2001:db8::1", "2001:db8::1"},
		"2001:db8::1-2001:db8::ffff":  {"2001:db8::1", "2001:db8::ffff"},
		"0.0.0.0/0":                   {"0.0.0.0", "255.255.255.255"},
		"::/0":                        {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		"255.255.255.255/32":          {"255.255.255.255", "255.255.255.255"},
		"192.168.3.255-192.168.4.255": {"192.168.3.255", "192.168.4.255"},
	} {
		got, err := validate.ParseRange(text)
		if err != nil {
			t.Errorf("ParseRange(%q): %v", text, err)
			continue
		}
		if got.From() != netip.MustParseAddr(want.from) || got.To() != netip.MustParseAddr(want.to) {
			t.Errorf("ParseRange(%q) = %v, want %s to %s", text, got, want.from, want.to)
		}
	}
}

func TestParseRangeRefuses(t *testing.T) {
	const (
		malformed = "addresses and avoid must hold CIDRs without host bits, addresses, or ranges of two addresses, " +
			"all in canonical form, such as 192.168.3.0/24, 192.168.3.9 or 192.168.3.10-192.168.3.20"
		mixed = "addresses and avoid must hold ranges whose two addresses are of one family, such as 192.168.3.10-192.168.3.20"
	)
	for name, row := range map[string]struct{ text, message string }{
		"nothing":                          {"", malformed},
		"a name":                           {"tor", malformed},
		"host bits":                        {"192.168.3.1/24", malformed},
		"a prefix that is too long":        {"192.168.3.0/33", malformed},
		"three addresses":                  {"192.168.3.1-192.168.3.2-192.168.3.3", malformed},
		"spaces":                           {"192.168.3.1 - 192.168.3.2", malformed},
		"an open end":                      {"192.168.3.1-", malformed},
		"an address that is not canonical": {"2001:DB8::1", malformed},
		"an IPv4-mapped address":           {"::ffff:192.168.3.1", malformed},
		"an IPv4-mapped network":           {"::ffff:192.168.3.0/120", malformed},
		"a zone":                           {"fe80::1%eth0", malformed},
		"two families":                     {"192.168.3.1-2001:db8::1", mixed},
		"ends in the wrong order": {
			"192.168.3.20-192.168.3.10",
			"the first address of a range must not be above the last: write 192.168.3.10-192.168.3.20",
		},
		"IPv6 ends in the wrong order": {
			"2001:db8::2-2001:db8::1",
			"the first address of a range must not be above the last: write 2001:db8::1-2001:db8::2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := validate.ParseRange(row.text)
			if err == nil {
				t.Fatalf("ParseRange(%q) = %v, want an error", row.text, got)
			}
			if err.Error() != row.message {
				t.Errorf("ParseRange(%q) says\n%s\nwant\n%s", row.text, err, row.message)
			}
		})
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, text := range []string{"192.168.3.9", "2001:db8::1", "fe80::1%eth0", "::ffff:1.2.3.4", "::1.2.3.4", "01.2.3.4", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, err := validate.ParseAddress(text)
		if err != nil {
			return
		}
		if !address.IsValid() || address.Is4In6() || address.Zone() != "" {
			t.Errorf("ParseAddress(%q) = %v: not an address without a zone", text, address)
		}
		if again, err := validate.ParseAddress(address.String()); err != nil || again != address {
			t.Errorf("ParseAddress(%q) = %v, which reads back as %v, %v", text, address, again, err)
		}
	})
}

func FuzzParseCIDR(f *testing.F) {
	for _, text := range []string{"192.168.3.0/24", "2001:db8::/32", "::/0", "10.0.0.1/8", "::ffff:1.2.3.4/128", "1.2.3.4/032"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cidr, err := validate.ParseCIDR(text)
		if err != nil {
			return
		}
		if cidr.String() != text || cidr != cidr.Masked() {
			t.Errorf("ParseCIDR(%q) = %v: not the one text of one network", text, cidr)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, text := range []string{"192.168.3.0/24", "192.168.3.9", "10.0.0.1-10.0.0.9", "2001:db8::1-2001:db8::9", "::-::1", "-", "1.2.3.4-::"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addresses, err := validate.ParseRange(text)
		if err != nil {
			return
		}
		if !addresses.IsValid() || addresses.From().Is4In6() || addresses.From().Zone() != "" {
			t.Errorf("ParseRange(%q) = %v: not a range of addresses", text, addresses)
		}
		again, err := validate.ParseRange(addresses.String())
		if err != nil || again != addresses {
			t.Errorf("ParseRange(%q) = %v, which reads back as %v, %v", text, addresses, again, err)
		}
	})
}
