package bfd

import (
	"fmt"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Version is the version of the protocol, the only one that is understood.
const Version = 1

// Packet is a BFD Control packet without what authenticates it (RFC 5880, section 4.1).
type Packet struct {
	Version    uint8
	Diagnostic Diagnostic
	State      bgp.BFDState
	// Poll asks for an answer with Final. ControlPlaneIndependent says that the sender's BFD outlives its control plane,
	// Authenticated that an authentication section follows, Demand that the receiver need not send periodically.
	Poll, Final, ControlPlaneIndependent, Authenticated, Demand, Multipoint bool
	// DetectMultiplier is after how many of the sender's packets the receiver calls it down.
	DetectMultiplier uint8
	// Length is what the packet says its length is, in bytes.
	Length uint8
	// MyDiscriminator names the session at its sender, YourDiscriminator at its receiver; 0 where that is not known.
	MyDiscriminator, YourDiscriminator uint32
	// DesiredMinTransmit is the least time between packets that the sender wants to send, RequiredMinReceive the least that
	// it can take, RequiredMinEchoReceive the same for echo packets; 0 means that it takes none. Whole microseconds.
	DesiredMinTransmit, RequiredMinReceive, RequiredMinEchoReceive time.Duration
}

// Diagnostic says why a session last left Up (RFC 5880, section 4.1).
type Diagnostic uint8

// The diagnostics that Herald sends. A peer may send others.
const (
	NoDiagnostic         Diagnostic = 0
	DetectionTimeExpired Diagnostic = 1
	NeighborSignaledDown Diagnostic = 3
	AdministrativelyDown Diagnostic = 7

	unassigned Diagnostic = 9 // And all above.
)

// Length is how long packets are that Herald sends; no packet may be shorter, nor one with an authentication section
// shorter than that with the section's head.
const (
	Length              = 24
	authenticatedLength = 26
)

// String returns the diagnostic's name as the RFC has it.
func (d Diagnostic) String() string {
	names := [unassigned]string{
		"No Diagnostic", "Control Detection Time Expired", "Echo Function Failed", "Neighbor Signaled Session Down",
		"Forwarding Plane Reset", "Path Down", "Concatenated Path Down", "Administratively Down", "Reverse Concatenated Path Down",
	}
	if d < unassigned {
		return names[d]
	}
	return fmt.Sprintf("diagnostic %d", uint8(d))
}

// Refusal says why a packet is dropped. The zero Refusal is none.
type Refusal uint8

// The refusals, in the order in which RFC 5880, section 6.8.6, has them, with those of RFC 5881, section 5, before.
const (
	// LowTTL: the packet may have come from farther away than its session allows.
	LowTTL Refusal = iota + 1
	// Malformed: the packet is too short, or its length is not that of its datagram.
	Malformed
	// BadVersion: the version is not 1.
	BadVersion
	// BadMultiplier: the detect multiplier is 0.
	BadMultiplier
	// BadMultipoint: the multipoint bit is set.
	BadMultipoint
	// NoDiscriminator: the sender does not name its session.
	NoDiscriminator
	// UnknownSession: no session fits.
	UnknownSession
	// Authenticated: there is an authentication section, and nothing to check it with.
	Authenticated

	refusals
)

// Refusals returns all of them.
func Refusals() []Refusal {
	var all []Refusal
	for r := LowTTL; r < refusals; r++ {
		all = append(all, r)
	}
	return all
}

// String returns the refusal's name, as metrics label it.
func (r Refusal) String() string {
	names := [refusals]string{
		"", "LowTTL", "Malformed", "BadVersion", "BadMultiplier", "BadMultipoint", "NoDiscriminator", "UnknownSession", "Authenticated",
	}
	if r < refusals {
		return names[r]
	}
	return "Unknown"
}

// Check applies the rules of RFC 5880, section 6.8.6, that need no session, to a packet that came in a datagram with so
// many bytes. It returns 0 where the packet is sound.
func (p Packet) Check(datagram int) Refusal {
	least := Length
	if p.Authenticated {
		least = authenticatedLength
	}
	switch {
	case p.Version != Version:
		return BadVersion
	case int(p.Length) < least || int(p.Length) > datagram:
		return Malformed
	case p.DetectMultiplier == 0:
		return BadMultiplier
	case p.Multipoint:
		return BadMultipoint
	case p.MyDiscriminator == 0:
		return NoDiscriminator
	case p.YourDiscriminator == 0 && p.State != bgp.BFDDown && p.State != bgp.BFDAdminDown:
		return UnknownSession
	case p.Authenticated:
		return Authenticated
	default:
		return 0
	}
}
