package bfd

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/internal/core/bfd"
	"github.com/herald-network/herald/internal/core/bgp"
)

// The layout of RFC 5880, section 4.1, byte by byte.
func TestPacketsOnTheWire(t *testing.T) {
	packet := bfd.Packet{
		Version: 1, Diagnostic: bfd.NeighborSignaledDown, State: bgp.BFDInit, Poll: true, DetectMultiplier: 3, Length: 24,
		MyDiscriminator: 0x01020304, YourDiscriminator: 0x05060708, DesiredMinTransmit: time.Second, RequiredMinReceive: 300 * time.Millisecond,
	}
	want := []byte{
		0x23, 0xA0, 3, 24, 1, 2, 3, 4, 5, 6, 7, 8,
		0x00, 0x0F, 0x42, 0x40, // 1,000,000 µs
		0x00, 0x04, 0x93, 0xE0, // 300,000 µs
		0, 0, 0, 0,
	}
	got, err := encode(packet)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("encoded % x, %v, want % x", got, err, want)
	}
	back, refusal := decode(got)
	if diff := cmp.Diff(packet, back); diff != "" || refusal != 0 {
		t.Errorf("decoded with refusal %q (-want +got)\n%s", refusal, diff)
	}
}

func TestEveryStateAndFlagSurvives(t *testing.T) {
	for state := bgp.BFDAdminDown; state <= bgp.BFDUp; state++ {
		for flags := range 16 {
			packet := bfd.Packet{
				Version: 1, State: state, Length: 24, DetectMultiplier: 1, MyDiscriminator: 1, YourDiscriminator: 1,
				Poll: flags&1 != 0, Final: flags&2 != 0, ControlPlaneIndependent: flags&4 != 0, Demand: flags&8 != 0,
				RequiredMinEchoReceive: time.Duration(flags) * time.Microsecond,
			}
			wire, err := encode(packet)
			if err != nil {
				t.Fatal(err)
			}
			if got, refusal := decode(wire); got != packet || refusal != 0 {
				t.Errorf("%+v came back as %+v, refused for %q", packet, got, refusal)
			}
		}
	}
}

// An interval beyond the 32 bits of microseconds is not one of a few microseconds.
func TestLongIntervals(t *testing.T) {
	wire, err := encode(bfd.Packet{Version: 1, State: bgp.BFDUp, DetectMultiplier: 1, MyDiscriminator: 1, DesiredMinTransmit: 2 * time.Hour})
	if err != nil || !bytes.Equal(wire[12:16], []byte{255, 255, 255, 255}) {
		t.Errorf("encoded % x, %v", wire, err)
	}
}

func FuzzDecode(f *testing.F) {
	sound, err := encode(bfd.Packet{Version: 1, State: bgp.BFDUp, DetectMultiplier: 3, MyDiscriminator: 1, YourDiscriminator: 2})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	for n := range sound {
		f.Add(sound[:n])
	}
	for authentication := range byte(6) {
		secured := append(bytes.Clone(sound), authentication, 8, 1, 'p', 'a', 's', 's', 0)
		secured[1] |= 4
		secured[3] = byte(len(secured))
		f.Add(secured)
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		packet, refusal := decode(datagram)
		if refusal != 0 {
			return
		}
		if len(datagram) < 24 || datagram[0]>>5 != 1 || datagram[1]&5 != 0 || datagram[2] == 0 || packet.MyDiscriminator == 0 {
			t.Errorf("% x was taken for %+v", datagram, packet)
		}
		again, err := encode(packet)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Clone(datagram[:24])
		want[3] = 24
		if !bytes.Equal(again, want) {
			t.Errorf("% x came back as % x", datagram, again)
		}
		machine := bfd.New(bfd.Moment{Now: time.Unix(0, 0)}, 2, bfd.Parameters{Transmit: time.Second, Receive: time.Second, DetectMultiplier: 3})
		machine.Advance(bfd.Moment{Now: time.Unix(0, 0)})
		for range 2 {
			for _, answer := range machine.Receive(bfd.Moment{Now: time.Unix(1, 0)}, packet).Send {
				if answer.Check(bfd.Length) != 0 && answer.YourDiscriminator != 0 {
					t.Errorf("% x is answered by %+v", datagram, answer)
				}
			}
		}
		if machine.DetectionTime() < time.Second {
			t.Errorf("% x makes the detection time %s", datagram, machine.DetectionTime())
		}
	})
}
