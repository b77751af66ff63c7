package advertise_test

import (
	"net/netip"
	"testing"

	"github.com/herald-network/herald/internal/core/advertise"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"192.168.3.180":               "192.168.3.180",
		"192.168.003.010":             "192.168.3.10",
		"010.0.00.000":                "10.0.0.0",
		"::ffff:192.168.3.180":        "192.168.3.180",
		"::ffff:192.168.003.010":      "192.168.3.10",
		"2001:db8::1":                 "2001:db8::1",
		"2001:0db8:0000:0:0:0:0:0001": "2001:db8::1",
		"fe80::1%eth0":                "fe80::1",
		"":                            "",
		"192.168.3":                   "",
		"192.168.3.1.":                "",
		"192.168.3.256":               "",
		"192.168..1":                  "",
		"a.example":                   "",
		" 192.168.3.1":                "",
	} {
		got, ok := advertise.ParseAddress(text)
		if ok != (want != "") || ok && got != netip.MustParseAddr(want) {
			t.Errorf("ParseAddress(%q) is %v, %v, want %q", text, got, ok, want)
		}
	}
}
