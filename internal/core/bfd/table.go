package bfd

import "net/netip"

// Ends tell a session that the peer does not know yet by its discriminator from all others.
type Ends struct {
	// Local and Remote are the two addresses, with a zone where they are link-local.
	Local, Remote netip.Addr
	// Multihop sessions have a port of their own, and so may be there beside the single-hop one.
	Multihop bool
}

// Table finds the session that a packet is for (RFC 5880, section 6.3). The zero Table is empty.
type Table[S any] struct {
	byDiscriminator map[uint32]entry[S]
	byEnds          map[Ends]uint32
}

type entry[S any] struct {
	ends    Ends
	session S
}

// Add adds a session under a discriminator of ours. It returns false where the discriminator is 0 or taken, or another
// session has the same ends.
func (t *Table[S]) Add(discriminator uint32, ends Ends, session S) bool {
	_, taken := t.byDiscriminator[discriminator]
	_, double := t.byEnds[ends]
	if discriminator == 0 || taken || double {
		return false
	}
	if t.byEnds == nil {
		t.byDiscriminator, t.byEnds = map[uint32]entry[S]{}, map[Ends]uint32{}
	}
	t.byDiscriminator[discriminator] = entry[S]{ends, session}
	t.byEnds[ends] = discriminator
	return true
}

// Remove removes the session with that discriminator, if there is one.
func (t *Table[S]) Remove(discriminator uint32) {
	if e, found := t.byDiscriminator[discriminator]; found {
		delete(t.byEnds, e.ends)
		delete(t.byDiscriminator, discriminator)
	}
}

// At returns the session with these ends.
func (t *Table[S]) At(ends Ends) (session S, found bool) {
	discriminator, found := t.byEnds[ends]
	return t.byDiscriminator[discriminator].session, found
}

// Find returns the session of a packet that passed Check and came between these ends. One that is named must have them
// too: a discriminator alone, were it guessed, takes no session down from elsewhere.
func (t *Table[S]) Find(p Packet, ends Ends) (session S, found bool) {
	if p.YourDiscriminator == 0 {
		return t.At(ends)
	}
	e, found := t.byDiscriminator[p.YourDiscriminator]
	if !found || e.ends != ends {
		var none S
		return none, false
	}
	return e.session, true
}
