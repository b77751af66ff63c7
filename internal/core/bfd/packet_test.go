package bfd_test

import (
	"testing"

	"github.com/herald-network/herald/internal/core/bfd"
	"github.com/herald-network/herald/internal/core/bgp"
)

// sound is a first packet of a peer.
func sound() bfd.Packet {
	return bfd.Packet{
		Version: 1, State: bgp.BFDDown, DetectMultiplier: 3, Length: bfd.Length, MyDiscriminator: 7,
		DesiredMinTransmit: second, RequiredMinReceive: 300 * millisecond,
	}
}

// The rules of RFC 5880, section 6.8.6, that need no session, in their order.
func TestCheckRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		edit     func(*bfd.Packet)
		datagram int
		want     bfd.Refusal
	}{
		"nothing of a sound packet":                    {func(*bfd.Packet) {}, 24, 0},
		"no padding after the packet":                  {func(*bfd.Packet) {}, 40, 0},
		"not AdminDown without a discriminator":        {func(p *bfd.Packet) { p.State = bgp.BFDAdminDown }, 24, 0},
		"version 0":                                    {func(p *bfd.Packet) { p.Version = 0 }, 24, bfd.BadVersion},
		"version 2":                                    {func(p *bfd.Packet) { p.Version = 2 }, 24, bfd.BadVersion},
		"a length below 24":                            {func(p *bfd.Packet) { p.Length = 23 }, 24, bfd.Malformed},
		"a length below 26 with an authentication bit": {func(p *bfd.Packet) { p.Authenticated, p.Length = true, 25 }, 30, bfd.Malformed},
		"a length beyond the datagram":                 {func(p *bfd.Packet) { p.Length = 25 }, 24, bfd.Malformed},
		"a multiplier of 0":                            {func(p *bfd.Packet) { p.DetectMultiplier = 0 }, 24, bfd.BadMultiplier},
		"multipoint":                                   {func(p *bfd.Packet) { p.Multipoint = true }, 24, bfd.BadMultipoint},
		"a sender that names no session":               {func(p *bfd.Packet) { p.MyDiscriminator = 0 }, 24, bfd.NoDiscriminator},
		"Init without a discriminator of ours":         {func(p *bfd.Packet) { p.State = bgp.BFDInit }, 24, bfd.UnknownSession},
		"Up without a discriminator of ours":           {func(p *bfd.Packet) { p.State = bgp.BFDUp }, 24, bfd.UnknownSession},
		"an authentication section":                    {func(p *bfd.Packet) { p.Authenticated, p.Length = true, 28 }, 28, bfd.Authenticated},
	} {
		t.Run(name, func(t *testing.T) {
			p := sound()
			row.edit(&p)
			if got := p.Check(row.datagram); got != row.want {
				t.Errorf("refused for %q, want %q", got, row.want)
			}
		})
	}
}

func TestEveryRefusalHasAName(t *testing.T) {
	names := map[string]bool{"": true, "Unknown": true}
	for _, r := range bfd.Refusals() {
		if names[r.String()] {
			t.Errorf("refusal %d is called %q, as another is", r, r)
		}
		names[r.String()] = true
	}
	if len(names) != 10 {
		t.Errorf("%d names", len(names))
	}
}

func TestDiagnosticsHaveTheNamesOfTheRFC(t *testing.T) {
	for d, want := range map[bfd.Diagnostic]string{
		0: "No Diagnostic", 1: "Control Detection Time Expired", 3: "Neighbor Signaled Session Down",
		7: "Administratively Down", 8: "Reverse Concatenated Path Down", 9: "diagnostic 9", 31: "diagnostic 31",
	} {
		if d.String() != want {
			t.Errorf("%d is called %q, want %q", d, d, want)
		}
	}
}
